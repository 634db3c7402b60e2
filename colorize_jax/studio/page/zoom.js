// What of the photo is seen, and how large: 1 is all of it, as large as there is room.

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./state.js").Studio} Studio */

/** @typedef {{ zoom: number, center: Pair }} View center: in fractions of the photo */

const LARGEST = 4; // device pixels of one pixel of the photo
const STEP = 1.25;
/** @type {View} */
export const WHOLE = { zoom: 1, center: [0.5, 0.5] };

/**
 * A view as far as there is photo: no more is shown beside it than must be.
 *
 * @param {View} view
 * @param {Pair} shares of the photo that are seen across and down at this zoom
 * @returns {View}
 */
export function within({ zoom, center }, shares) {
  const held = center.map((v, i) => Math.max(shares[i] / 2, Math.min(1 - shares[i] / 2, v)));
  return { zoom, center: /** @type {Pair} */ (held) };
}

/**
 * Zooms, so that a place of the photo stays where it is.
 *
 * @param {Studio} studio
 * @param {number} factor
 * @param {Pair} [at]
 */
export function zoomBy(studio, factor, at = studio.state.cross ?? studio.state.view.center) {
  const { view, photo } = studio.state;
  if (!photo) return;
  const most = Math.max(1, (LARGEST * photo.size[0]) / studio.stage.fitted);
  const zoom = Math.max(1, Math.min(most, view.zoom * factor));
  const move = (/** @type {0 | 1} */ i) => at[i] + ((view.center[i] - at[i]) * view.zoom) / zoom;
  look(studio, { zoom, center: [move(0), move(1)] });
}

/** @param {Studio} studio */
export const zoomIn = (studio) => zoomBy(studio, STEP);

/** @param {Studio} studio */
export const zoomOut = (studio) => zoomBy(studio, 1 / STEP);

/** @param {Studio} studio */
export const zoomWhole = (studio) => look(studio, WHOLE);

/**
 * One pixel of the photo to one of the screen around a place; or, where it is as large already, the whole photo.
 *
 * @param {Studio} studio
 * @param {Pair} at
 */
export function zoomToPixels(studio, at) {
  const { view, photo } = studio.state;
  if (!photo) return;
  const real = photo.size[0] / studio.stage.fitted;
  if (view.zoom > 1) zoomWhole(studio);
  else zoomBy(studio, Math.max(2, real), at);
}

/**
 * @param {Studio} studio
 * @param {Pair} step in fractions of the photo
 */
export function pan(studio, [dx, dy]) {
  const { zoom, center } = studio.state.view;
  look(studio, { zoom, center: [center[0] + dx, center[1] + dy] });
}

/**
 * Lets the view follow the cross of the keyboard.
 *
 * @param {Studio} studio
 * @param {Pair} place
 */
export function follow(studio, place) {
  const { zoom, center } = studio.state.view;
  const shares = studio.stage.shares(zoom);
  const moved = center.map((v, i) => Math.max(place[i] - 0.4 * shares[i], Math.min(place[i] + 0.4 * shares[i], v)));
  look(studio, { zoom, center: /** @type {Pair} */ (moved) });
}

/**
 * @param {Studio} studio
 * @param {View} view
 */
function look(studio, view) {
  const held = within(view, studio.stage.shares(view.zoom));
  const { zoom, center } = studio.state.view;
  if (held.zoom !== zoom || String(held.center) !== String(center)) studio.change({ view: held });
}
