// What the user does with edits, and with the colour and size of the brush.

import { abOf } from "./lab.js";
import { committed, moved, redone, undone } from "./edits.js";
import { isPreset } from "./panel.js";
import { send } from "./preview.js";
import { endComparison } from "./showing.js";
import {
  brushColor, inSlider, lightnessAt, radiusOf, remembered, rounded, sliderOf, strengthSlider, suggestedNow, traitsOf,
  withHistory,
} from "./state.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {import("./edits.js").Edits} Edits */
/** @typedef {import("./edits.js").History} History */
/** @typedef {import("./state.js").State} State */
/** @typedef {import("./state.js").Studio} Studio */

/** @type {readonly import("./edits.js").Reach[]} */
const REACHES = ["alike", "thing", "spot"];
const POINT_RADIUS = 0.012; // of a suggested point that was accepted, in shorter sides

/**
 * @param {Studio} studio
 * @param {Edits} edits
 * @param {number} [start] the time of the mouse's release
 */
export function commit(studio, edits, start) {
  studio.change(withHistory(studio.state, committed(studio.state.history, edits)));
  send(studio, true, start);
}

/**
 * Shows edits while the pointer moves.
 *
 * @param {Studio} studio
 * @param {Edits} changing
 */
export function tryOut(studio, changing) {
  studio.change({ changing });
  send(studio, false);
}

/**
 * The edits with the selected one made another.
 *
 * @param {Readonly<State>} state
 * @param {(edit: Edit) => Edit} other
 */
export function withSelected({ history, selected }, other) {
  return history.edits.map((edit, i) => (i === selected ? other(edit) : edit));
}

/**
 * Alters the selected edit.
 *
 * @param {Studio} studio
 * @param {Partial<Edit>} changes
 * @param {boolean} final
 */
function alter(studio, changes, final) {
  const edits = withSelected(studio.state, (edit) => ({ ...edit, ...changes }));
  if (final) commit(studio, edits);
  else tryOut(studio, edits);
}

/**
 * Selects an edit, whose colour and size the brush takes; -1 selects none.
 *
 * @param {Studio} studio
 * @param {number} index
 */
export function select(studio, index) {
  const { history, ab, radius } = studio.state;
  const edit = history.edits[index];
  studio.change({
    selected: edit ? index : -1,
    ab: edit?.color ? rounded(abOf(edit.color)) : ab,
    ...(edit?.color ? traitsShown(edit) : {}),
    radius: edit?.radius ? sliderOf(edit.radius) : radius,
  });
}

/** @param {Edit} edit */
const traitsShown = ({ exact = false, closed = false, reach = "alike", strength = 1 }) => ({
  exact,
  closed,
  reach,
  strength: strengthSlider(strength),
});

/**
 * @param {Studio} studio
 * @param {number} index
 */
export function remove(studio, index) {
  studio.change({ selected: -1 });
  commit(
    studio,
    studio.state.history.edits.filter((_, i) => i !== index),
  );
}

/** @param {Studio} studio */
export function removeSelected(studio) {
  if (studio.state.selected >= 0) remove(studio, studio.state.selected);
}

/** @param {Studio} studio */
export const clear = (studio) => commit(studio, []);

/** @param {Studio} studio */
export const undo = (studio) => goTo(studio, undone(studio.state.history));

/** @param {Studio} studio */
export const redo = (studio) => goTo(studio, redone(studio.state.history));

/**
 * Shows what a history holds, without what the pointer was about to change.
 *
 * @param {Studio} studio
 * @param {History} history
 */
function goTo(studio, history) {
  if (history !== studio.state.history) giveUp(studio, history);
}

/**
 * @param {Studio} studio
 * @param {History} [history]
 */
export function giveUp(studio, history = studio.state.history) {
  studio.change({ history, changing: null, selected: -1 });
  send(studio, true);
}

/**
 * Gives the brush a colour, and the selected edit as well.
 *
 * @param {Studio} studio
 * @param {Pair} ab
 * @param {boolean} [final] whether the user still chooses
 */
export function chooseColor(studio, ab, final = true) {
  endComparison(studio);
  studio.change({ ab: rounded(ab) });
  const { history, selected } = studio.state;
  if (history.edits[selected]?.color) alter(studio, { color: brushColor(studio.state) }, final);
  if (final) remember(studio);
}

/** @param {Studio} studio */
export function remember({ state, change }) {
  if (!isPreset(state.ab)) change({ recent: remembered(state.recent, state.ab) });
}

/**
 * @param {Studio} studio
 * @param {number} value of the slider
 * @param {boolean} [final]
 */
export function setRadius(studio, value, final = true) {
  studio.change({ radius: inSlider(value) });
  const { history, selected } = studio.state;
  if (history.edits[selected]?.radius) alter(studio, { radius: radiusOf(studio.state) }, final);
}

/**
 * @param {Edit} edit
 * @returns {Edit}
 */
function withoutTraits(edit) {
  const bare = { ...edit };
  delete bare.exact;
  delete bare.closed;
  delete bare.reach;
  delete bare.strength;
  return bare;
}

/**
 * Sets what the panel says of the brush, and of the selected edit: exact, closed, its reach and strength.
 *
 * @param {Studio} studio
 * @param {Partial<import("./state.js").Controls>} changes
 * @param {boolean} [final]
 */
export function setTraits(studio, changes, final = true) {
  studio.change(changes);
  const { history, selected } = studio.state;
  if (!history.edits[selected]?.color) return;
  const traits = (/** @type {Edit} */ { kind }) => traitsOf(kind, studio.state);
  const edits = withSelected(studio.state, (edit) => ({ ...withoutTraits(edit), ...traits(edit) }));
  if (final) commit(studio, edits);
  else tryOut(studio, edits);
}

/**
 * The next reach, from the widest to the nearest and around.
 *
 * @param {Studio} studio
 */
export function turnReach(studio) {
  const place = REACHES.indexOf(studio.state.reach);
  setTraits(studio, { reach: REACHES[(place + 1) % REACHES.length], closed: false });
}

/**
 * Moves the selected edit; false where none is.
 *
 * @param {Studio} studio
 * @param {Pair} step in fractions of the photo
 */
export function moveSelected(studio, [dx, dy]) {
  if (studio.state.selected < 0) return false;
  commit(
    studio,
    withSelected(studio.state, (edit) => moved(edit, dx, dy)),
  );
  return true;
}

/**
 * A suggested point takes the brush's colour and stays selected: the next colour that is chosen is its own.
 *
 * @param {Studio} studio
 * @param {number} index
 */
export function accept(studio, index) {
  const { photo, explained } = studio.state;
  if (!photo || !explained) return;
  const at = suggestedNow(studio.state)[index];
  studio.change({
    place: at,
    lightness: lightnessAt(photo.lightness, at),
    explained: { ...explained, suggested: explained.suggested.filter((_, i) => i !== index) },
  });
  const { edits } = studio.state.history;
  commit(studio, [...edits, { kind: "point", at, radius: POINT_RADIUS, color: brushColor(studio.state) }]);
  select(studio, edits.length);
}
