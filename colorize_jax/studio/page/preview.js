// What follows an edit: the message to the server, its answers, and the picture that shows them.

import { documentOf, dropped } from "./edits.js";
import { currentEdits, withHistory } from "./state.js";

/** @typedef {import("./painters.js").Strip} Strip */
/** @typedef {import("./server.js").Answer} Answer */
/** @typedef {import("./server.js").FieldsAnswer} FieldsAnswer */
/** @typedef {import("./server.js").Floats} Floats */
/** @typedef {import("./server.js").Refused} Refused */
/** @typedef {import("./state.js").Studio} Studio */

const IDLE = 250; // milliseconds without a change, before what is not urgent
const SUGGESTIONS = 3;

/**
 * Asks for the chosen version under the edits of now.
 *
 * @param {Studio} studio
 * @param {boolean} committed whether the edits are, or the pointer still moves
 * @param {number} [start] the time of the mouse's release
 */
export function send(studio, committed, start) {
  const { live, version, lastSent, idle } = studio.state;
  const document = documentOf(currentEdits(studio.state));
  const text = JSON.stringify([version, document]);
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
  if (!known) live?.send({ type: "edits", id: sent.id, version, document });
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
  const { live, toggles, history } = studio.state;
  live?.send({ type: "versions", id: newId(studio), document: documentOf(currentEdits(studio.state)) });
  if (!toggles.uncertainty && !toggles.suggest) return;
  const document = documentOf(history.edits);
  live?.send({ type: "explain", id: newId(studio), suggestions: SUGGESTIONS, document });
}

/**
 * @param {Studio} studio
 * @param {Answer} answer
 */
export function hear(studio, answer) {
  if (answer.type === "error") return refused(studio, answer);
  if (answer.type === "explained") return studio.change({ explained: answer });
  if (answer.type === "fields") return heardFields(studio, answer);
  const { fields, version } = studio.state;
  studio.change({ fields: eachOf(answer.fields).map((field, i) => (i === version ? fields[i] : field)) });
  studio.painters.thumbnails(studio.state.fields);
}

/**
 * @param {Studio} studio
 * @param {FieldsAnswer} answer
 */
function heardFields(studio, { id, version, fields: packed, lifted, solve_ms, draw_ms }) {
  const { fields, lastSent } = studio.state;
  const [answered] = eachOf(packed);
  studio.change({ fields: fields.map((field, i) => (i === version ? answered : field)) });
  if (version !== studio.state.version) return;
  const times = { solve_ms, draw_ms };
  studio.change({
    lifted: lifted ? { data: lifted.data, height: lifted.shape[1], width: lifted.shape[2] } : null,
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
  const { shownId, fields, version, lifted } = studio.state;
  studio.change({ busy: true });
  studio.painters.paint(shownId, fields[version], lifted);
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
