// What follows an edit: the message to the server, its answers, and the picture that shows them.

import { documentOf, dropped } from "./edits.js";
import { currentEdits, sentTones, shownOf, withHistory } from "./state.js";

/** @typedef {import("./painters.js").Strip} Strip */
/** @typedef {import("./server.js").Answer} Answer */
/** @typedef {import("./server.js").FieldsAnswer} FieldsAnswer */
/** @typedef {import("./server.js").Floats} Floats */
/** @typedef {import("./server.js").Refused} Refused */
/** @typedef {import("./server.js").WindowAnswer} WindowAnswer */
/** @typedef {import("./state.js").Studio} Studio */

const IDLE = 250; // milliseconds without a change, before what is not urgent
const REST = 80; // likewise, of the view, too, before it is shown sharp
const SUGGESTIONS = 3;

/**
 * Asks for the chosen version under the edits of now.
 *
 * @param {Studio} studio
 * @param {boolean} committed whether the edits are, or the pointer still moves
 * @param {number} [start] the time of the mouse's release
 */
export function send(studio, committed, start) {
  const { live, lastSent, idle } = studio.state;
  const shown = shownOf(studio.state, currentEdits(studio.state));
  const text = JSON.stringify(shown);
  clearTimeout(idle);
  studio.change({ idle: setTimeout(() => settle(studio), IDLE) });
  // The last move of the pointer may have asked for this already.
  const known = lastSent?.text === text && !lastSent.refused ? lastSent : null;
  const sent = known ?? { id: newId(studio), text, refused: false, times: null };
  studio.change({
    lastSent: { ...sent, committed },
    release: start === undefined ? null : { id: sent.id, start },
    busy: studio.state.busy || !known,
  });
  if (!known) studio.change({ detail: null, detailAsked: null });
  rest(studio);
  if (!known) live?.send({ type: "edits", id: sent.id, ...shown });
  hurryToRelease(studio);
  measure(studio);
}

/** @param {Studio} studio */
function newId({ state, change }) {
  change({ nextId: state.nextId + 1 });
  return state.nextId;
}

/**
 * Asks for what is not urgent: the other versions, and explanations that are shown.
 *
 * @param {Studio} studio
 */
export function settle(studio) {
  const { live, toggles, history, tones: own } = studio.state;
  const tones = sentTones(own);
  live?.send({ type: "versions", id: newId(studio), document: documentOf(currentEdits(studio.state)), tones });
  if (!toggles.uncertainty && !toggles.suggest) return;
  const document = documentOf(history.edits);
  live?.send({ type: "explain", id: newId(studio), suggestions: SUGGESTIONS, document });
}

/**
 * Asks for the part that is seen, once the view and the hand rest: at the screen's own resolution, and a little later
 * with the edits' colours refined, which takes longer.
 *
 * @param {Studio} studio
 */
export function rest(studio) {
  const { resting, finishing, history } = studio.state;
  clearTimeout(resting);
  clearTimeout(finishing);
  studio.change({
    resting: setTimeout(() => askDetail(studio, "window"), REST),
    finishing: history.edits.length ? setTimeout(() => askDetail(studio, "finish"), IDLE) : undefined,
  });
}

/**
 * @param {Studio} studio
 * @param {"window" | "finish"} type
 */
function askDetail(studio, type) {
  const { live, photo, history, changing, view, fields } = studio.state;
  if (!live || !photo || changing || !fields.length) return;
  const shown = studio.stage.fitted * view.zoom;
  const enough = shown <= photo.lightness.width || photo.size[0] <= photo.lightness.width;
  if (enough && type === "window") return history.edits.length ? undefined : studio.change({ detail: null });
  const level = Math.max(0, Math.floor(Math.log2(photo.size[0] / shown)));
  const sides = photo.size.map((side) => Math.ceil(side / 2 ** level));
  const seen = studio.stage.seen.map((share, i) => share * sides[i % 2]);
  const box = seen.map((v, i) => (i < 2 ? Math.max(0, Math.floor(v)) : Math.min(sides[i % 2], Math.ceil(v))));
  const id = newId(studio);
  const scale = photo.size.map((side) => side / 2 ** level);
  studio.change({ detailAsked: { id, box: box.map((v, i) => v / scale[i % 2]) } });
  live.send({ type, id, level, box, ...shownOf(studio.state, history.edits) });
}

/**
 * @param {Studio} studio
 * @param {WindowAnswer} answer
 */
function heardDetail(studio, { id, pixels }) {
  const { detailAsked } = studio.state;
  if (detailAsked?.id !== id) return; // the photo has been changed or moved since
  const [height, width] = pixels.shape;
  studio.change({ detail: { pixels: pixels.data, size: [width, height], box: detailAsked.box } });
}

/**
 * @param {Studio} studio
 * @param {Answer} answer
 */
export function hear(studio, answer) {
  if (answer.type === "error") return refused(studio, answer);
  if (answer.type === "explained") return studio.change({ explained: answer });
  if (answer.type === "fields") return heardFields(studio, answer);
  if (answer.type === "window") return heardDetail(studio, answer);
  const { fields, version } = studio.state;
  studio.change({ fields: eachOf(answer.fields).map((field, i) => (i === version ? fields[i] : field)) });
  studio.painters.thumbnails(studio.state.fields);
}

/**
 * @param {Studio} studio
 * @param {FieldsAnswer} answer
 */
function heardFields(studio, answer) {
  const { id, version, fields: packed, lifted, layers, plane, solve_ms, draw_ms } = answer;
  const { fields, lastSent } = studio.state;
  const [answered] = eachOf(packed);
  studio.change({ fields: fields.map((field, i) => (i === version ? answered : field)) });
  if (version !== studio.state.version) return;
  const times = { solve_ms, draw_ms };
  studio.change({
    lifted: lifted ? { data: lifted.data, height: lifted.shape[1], width: lifted.shape[2] } : null,
    layers: layers && plane ? { fields: eachOf(layers), plane: plane.data } : null,
    shownId: id,
    lastSent: lastSent?.id === id ? { ...lastSent, times } : lastSent,
  });
  paint(studio);
}

/**
 * @param {Studio} studio
 * @param {Refused} answer
 */
function refused(studio, { id, message }) {
  const { lastSent, history } = studio.state;
  if (!lastSent || id !== lastSent.id) return; // a stroke that is not finished yet
  studio.change({ busy: false, lastSent: { ...lastSent, refused: true } });
  if (!lastSent.committed) return;
  studio.change({ toast: `Sorry: ${message}` });
  if (!history.edits.length) return;
  studio.change({ ...withHistory(studio.state, dropped(history)), selected: -1 });
  send(studio, true);
}

/** @param {Studio} studio */
export function paint(studio) {
  const { shownId, fields, version, lifted, layers } = studio.state;
  studio.change({ busy: true });
  studio.painters.paint(shownId, fields[version], lifted, layers);
  hurryToRelease(studio);
}

/** @param {Studio} studio */
function hurryToRelease({ state, painters }) {
  if (state.release && state.shownId >= state.release.id) painters.hurry();
}

/**
 * @param {Studio} studio
 * @param {Strip[]} strips
 * @param {number} id that the picture was asked with
 */
export function painted(studio, strips, id) {
  for (const { buffer, top } of strips) studio.stage.show(buffer, top);
  studio.change({ paintedId: id });
  measure(studio);
  const { shownId, lastSent } = studio.state;
  if (!studio.painters.asked && shownId >= (lastSent?.id ?? 0)) studio.change({ busy: false });
}

/**
 * Measures what the user waits for, where browsers and tests look for such times: performance.getEntries().
 *
 * @param {Studio} studio
 */
function measure({ state, change }) {
  const { release, paintedId, lastSent } = state;
  if (release === null || paintedId < release.id) return;
  const { start } = release;
  const detail = lastSent?.times;
  change({ release: null });
  requestAnimationFrame(() => performance.measure("release to preview", { start, end: performance.now(), detail }));
}

/** @param {Floats} packed */
export function eachOf({ data, shape }) {
  const size = shape[1] * shape[2] * shape[3];
  return Array.from({ length: shape[0] }, (_, i) => data.slice(i * size, (i + 1) * size));
}
