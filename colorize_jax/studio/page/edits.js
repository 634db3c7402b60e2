// The document of edits, in fractions of the photo, with its history: arrays that are replaced, never changed.

import { abOf, css } from "./lab.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./lab.js").Color} Color */
/** @typedef {"stroke" | "point" | "region" | "eraser" | "link" | "lock"} Kind */
/** @typedef {"alike" | "thing" | "spot"} Reach */

/**
 * @typedef {object} Edit
 * @property {Kind} kind
 * @property {Pair} [at] of a point
 * @property {Pair[]} [path] of a stroke, an eraser or a lock
 * @property {Pair[]} [polygon] of a region, an eraser or a lock
 * @property {Pair[][]} [regions] of a link
 * @property {number} [radius] in shorter sides of the photo
 * @property {Color} [color]
 * @property {boolean} [exact]
 * @property {number} [strength] 1 by default
 * @property {Reach} [reach] everything alike by default
 * @property {boolean} [closed] of a region
 */

/** @typedef {readonly Edit[]} Edits */

/**
 * @typedef {object} History
 * @property {readonly Edits[]} past
 * @property {Edits} edits
 * @property {readonly Edits[]} future
 */

const VERSION = 2;
const MOST_STROKE_POINTS = 1500;
const TOLD_APART = 65; // L* at which the colours of marks are shown
const round = (/** @type {number} */ v) => Math.round(v * 1e5) / 1e5;

/**
 * @param {Edits} edits of an earlier sitting: undo takes them back one by one
 * @returns {History}
 */
export function historyOf(edits) {
  return { past: edits.map((_, i) => edits.slice(0, i)), edits, future: [] };
}

/**
 * @param {History} history
 * @param {Edits} edits
 * @returns {History}
 */
export function committed({ past, edits: before }, edits) {
  return { past: [...past, before], edits, future: [] };
}

/**
 * @param {History} history
 * @returns {History}
 */
export function undone(history) {
  const { past, edits, future } = history;
  return past.length ? { past: past.slice(0, -1), edits: past[past.length - 1], future: [...future, edits] } : history;
}

/**
 * @param {History} history
 * @returns {History}
 */
export function redone(history) {
  const { past, edits, future } = history;
  return future.length
    ? { past: [...past, edits], edits: future[future.length - 1], future: future.slice(0, -1) }
    : history;
}

/**
 * Takes back a change that the server refused, without a way to do it again.
 *
 * @param {History} history
 * @returns {History}
 */
export function dropped({ past, future }) {
  return { past: past.slice(0, -1), edits: past.at(-1) ?? [], future };
}

/** @param {Edits} edits */
export function documentOf(edits) {
  return { version: VERSION, units: "fraction", edits };
}

/** @param {any} p */
const isPair = (p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite);
/** @param {any} path */
const isPath = (path) => Array.isArray(path) && path.length > 0 && path.every(isPair);
/** @type {Record<string, (edit: any) => boolean>} */
const FORMS = {
  point: (edit) => isPair(edit.at) && edit.color,
  stroke: (edit) => isPath(edit.path) && edit.color,
  region: (edit) => isPath(edit.polygon) && edit.color,
  link: (edit) => Array.isArray(edit.regions) && edit.regions.every(isPath),
  eraser: (edit) => isPath(edit.path ?? edit.polygon),
  lock: (edit) => isPath(edit.path ?? edit.polygon),
};

/**
 * The edits of an uploaded document, in fractions, as far as the page itself must understand them. What else is wrong
 * with them, the server tells.
 *
 * @param {any} document
 * @param {number} width of the photo, as its height in pixels
 * @param {number} height
 * @returns {Edits}
 * @throws {Error} another format, or another photo
 */
export function editsOf(document, width, height) {
  if (![1, VERSION].includes(document?.version) || !Array.isArray(document.edits)) {
    throw new Error("This is not a file of colour edits (version 1 or 2).");
  }
  /** @type {any[]} */
  const edits = document.version === 1 ? document.edits.map(renewed) : document.edits;
  const wrong = edits.findIndex((edit) => !(Object.hasOwn(FORMS, edit?.kind) && FORMS[edit.kind](edit)));
  if (wrong >= 0) throw new Error(`Edit ${wrong + 1} of this file is not one that the studio knows.`);
  const [w, h] = document.size ?? [width, height];
  if (w !== width || h !== height) {
    throw new Error(`These edits belong to a photo of ${w} × ${h} pixels; this one has ${width} × ${height}.`);
  }
  if (document.units === "fraction") return edits;
  const shorter = Math.min(width, height);
  return edits.map((edit) => mapped(edit, ([x, y]) => [x / width, y / height], (radius) => radius / shorter));
}

/**
 * An edit of version 1, which said weight for strength.
 *
 * @param {any} edit
 */
function renewed(edit) {
  if (edit?.weight === undefined) return edit;
  const { weight: strength, ...others } = edit;
  return { ...others, strength };
}

/**
 * An edit whose points, and radius, are put through functions.
 *
 * @param {Edit} edit
 * @param {(point: Pair) => Pair} place
 * @param {(radius: number) => number} [radius]
 * @returns {Edit}
 */
export function mapped(edit, place, radius = (r) => r) {
  const changed = { ...edit };
  if (edit.at) changed.at = place(edit.at);
  if (edit.path) changed.path = edit.path.map(place);
  if (edit.polygon) changed.polygon = edit.polygon.map(place);
  if (edit.regions) changed.regions = edit.regions.map((polygon) => polygon.map(place));
  if (edit.radius !== undefined) changed.radius = radius(edit.radius);
  return changed;
}

/**
 * @param {Edit} edit
 * @returns {Pair[]}
 */
export function pointsOf(edit) {
  return edit.at ? [edit.at] : (edit.path ?? edit.polygon ?? edit.regions?.flat() ?? []);
}

/**
 * An edit moved by a fraction of the photo, as far as it stays on it.
 *
 * @param {Edit} edit
 * @param {number} dx
 * @param {number} dy
 */
export function moved(edit, dx, dy) {
  const points = pointsOf(edit);
  const span = (/** @type {0 | 1} */ i) => [Math.min(...points.map((p) => p[i])), Math.max(...points.map((p) => p[i]))];
  const [[left, right], [top, bottom]] = [span(0), span(1)];
  const x = Math.max(-left, Math.min(1 - right, dx));
  const y = Math.max(-top, Math.min(1 - bottom, dy));
  const keep = (/** @type {number} */ v) => Math.max(0, Math.min(1, round(v)));
  return mapped(edit, (p) => [keep(p[0] + x), keep(p[1] + y)]);
}

/**
 * What has been drawn as an edit, with no more points than it needs; null where there is too little of it.
 *
 * @param {Edit} edit
 * @returns {Edit | null}
 */
export function finished(edit) {
  const tolerance = edit.radius ? edit.radius / 8 : 0.001;
  if (edit.at) return { ...edit, at: simplified([edit.at], 1)[0] };
  if (edit.path) return { ...edit, path: simplified(edit.path, tolerance) };
  const polygon = simplified(edit.polygon ?? [], tolerance);
  return polygon.length < 3 ? null : { ...edit, polygon };
}

/**
 * A sketch that the pointer has drawn further: a point goes with it, a path or polygon grows.
 *
 * @param {Edit} sketch
 * @param {Pair[]} positions
 * @returns {Edit}
 */
export function extended(sketch, positions) {
  if (sketch.at) return { ...sketch, at: positions[positions.length - 1] };
  if (sketch.path) return { ...sketch, path: [...sketch.path, ...positions] };
  return { ...sketch, polygon: [...(sketch.polygon ?? []), ...positions] };
}

/**
 * A path with fewer points (Ramer, Douglas and Peucker), none of it further off than `tolerance`; rounded.
 *
 * @param {Pair[]} points
 * @param {number} tolerance
 * @returns {Pair[]}
 */
export function simplified(points, tolerance) {
  const kept = reduced(points, tolerance).map((p) => /** @type {Pair} */ (p.map(round)));
  return kept.length > MOST_STROKE_POINTS ? simplified(kept, 2 * tolerance) : kept;
}

/**
 * @param {Pair[]} points
 * @param {number} tolerance
 */
function reduced(points, tolerance) {
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const open = [[0, points.length - 1]];
  for (let span = open.pop(); span; span = open.pop()) {
    const [first, last] = span;
    let furthest = -1;
    let most = tolerance;
    for (let i = first + 1; i < last; i++) {
      const distance = distanceToSegment(points[i], points[first], points[last]);
      if (distance > most) [furthest, most] = [i, distance];
    }
    if (furthest < 0) continue;
    keep[furthest] = 1;
    open.push([first, furthest], [furthest, last]);
  }
  return points.filter((_, i) => keep[i]);
}

/**
 * @param {Pair} p
 * @param {Pair} from
 * @param {Pair} to
 */
export function distanceToSegment(p, from, to) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const along = dx * dx + dy * dy;
  const raw = along ? ((p[0] - from[0]) * dx + (p[1] - from[1]) * dy) / along : 0;
  const share = Math.max(0, Math.min(1, raw));
  return Math.hypot(p[0] - from[0] - share * dx, p[1] - from[1] - share * dy);
}

/**
 * @param {Pair} p
 * @param {Pair[]} polygon
 */
export function insidePolygon(p, polygon) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > p[1] !== yj > p[1] && p[0] < ((xj - xi) * (p[1] - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}

/**
 * CIE ab as CSS, at a lightness where colours can be told apart.
 *
 * @param {Pair} ab
 */
export function shownColor(ab) {
  return css(TOLD_APART, ...ab);
}

/**
 * The colour that an edit is drawn with.
 *
 * @param {Edit} edit
 */
export function colorOf({ color }) {
  return color ? shownColor(abOf(color)) : "#999";
}
