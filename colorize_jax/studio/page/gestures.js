// The pointer on the photo, with the tool in hand; and the keys that do the same.

import {
  accept, chooseColor, commit, giveUp, moveSelected, remember, select, tryOut, withSelected,
} from "./editing.js";
import { extended, finished, moved } from "./edits.js";
import { nameOf } from "./panel.js";
import { chooseTool, endComparison } from "./showing.js";
import { begun, lightnessAt, suggestedNow } from "./state.js";
import { follow } from "./zoom.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./state.js").Studio} Studio */

/** @type {readonly import("./state.js").Tool[]} */
const AREAS = ["region", "lock"];

/**
 * @param {Studio} studio
 * @param {Pair} position
 * @param {number} near CSS pixels within which a mark is hit
 */
export function press(studio, position, near) {
  endComparison(studio);
  studio.change({ place: position });
  const { tool, history } = studio.state;
  const suggestion = studio.stage.hitSuggested(suggestedNow(studio.state), position, near);
  if (suggestion >= 0) return accept(studio, suggestion);
  if (tool === "pick") return;
  if (tool === "select") return grasp(studio, position, near);
  if (tool === "eraser" && !history.edits.some((edit) => edit.color)) {
    return studio.change({ toast: "There is no stroke of yours to erase yet. To take colour away, paint with gray." });
  }
  studio.change({ selected: -1, sketch: begun(studio.state, position), drag: { kind: "draw" } });
  tryOutSketch(studio);
}

/**
 * @param {Studio} studio
 * @param {Pair} position
 * @param {number} near
 */
function grasp(studio, position, near) {
  const index = studio.stage.hit(studio.state.history.edits, position, near);
  select(studio, index);
  if (index >= 0) studio.change({ drag: { kind: "move", from: position } });
}

/**
 * @param {Studio} studio
 * @param {Pair[]} positions since the last time
 */
export function drag(studio, positions) {
  const { drag: dragged, sketch } = studio.state;
  if (dragged?.kind === "move") {
    const { from } = dragged;
    const [x, y] = positions[positions.length - 1];
    return tryOut(studio, withSelected(studio.state, (edit) => moved(edit, x - from[0], y - from[1])));
  }
  if (!dragged || !sketch) return;
  studio.change({ sketch: extended(sketch, positions) });
  tryOutSketch(studio);
}

/** @param {Studio} studio */
function tryOutSketch(studio) {
  const { sketch, history } = studio.state;
  const edit = sketch && finished(sketch);
  if (edit) tryOut(studio, [...history.edits, edit]);
}

/**
 * @param {Studio} studio
 * @param {Pair} position
 * @param {number} start the time
 */
export function release(studio, position, start) {
  const { drag: dragged, sketch, tool, changing, history } = studio.state;
  studio.change({ drag: null });
  if (tool === "pick" && !dragged) return pick(studio, position);
  if (dragged?.kind === "move" && changing) return commit(studio, changing, start);
  if (dragged?.kind !== "draw" || !sketch) return;
  const edit = finished(sketch);
  studio.change({ sketch: null });
  if (!edit) {
    studio.change({ toast: "Draw all around the area, then let go." });
    return giveUp(studio);
  }
  commit(studio, [...history.edits, edit], start);
  if (edit.color) remember(studio);
}

/** @param {Studio} studio */
export function cancel(studio) {
  studio.change({ drag: null, sketch: null });
  if (studio.state.changing) giveUp(studio);
}

/**
 * Gives up what the pointer does, or else what is selected.
 *
 * @param {Studio} studio
 */
export function escape(studio) {
  if (studio.state.drag?.kind === "corners") say(studio, "The area is given up.");
  if (studio.state.drag) cancel(studio);
  else select(studio, -1);
}

/**
 * The tool at the cross of the keyboard: a point of colour, or one corner more.
 *
 * @param {Studio} studio
 * @param {Pair} position
 * @param {number} near CSS pixels within which a mark is hit
 */
export function stamp(studio, position, near) {
  const { tool, history: before } = studio.state;
  const suggested = studio.stage.hitSuggested(suggestedNow(studio.state), position, near) >= 0;
  if (AREAS.includes(tool) && !suggested) return addCorner(studio, position, near);
  const start = performance.now();
  press(studio, position, near);
  release(studio, position, start);
  const { selected, history } = studio.state;
  if (history !== before) say(studio, `${lastName(studio)} put ${placeOf(position)}.`);
  else if (tool === "select") say(studio, selected < 0 ? "No stroke is here." : `Stroke ${selected + 1} is chosen.`);
}

/**
 * A corner of an area. One on the first corner, or a second time on the last one, closes it.
 *
 * @param {Studio} studio
 * @param {Pair} position
 * @param {number} near
 */
function addCorner(studio, position, near) {
  const { drag: dragged, sketch } = studio.state;
  const corners = dragged?.kind === "corners" ? (sketch?.polygon ?? []) : [];
  const closes = [corners[0], corners.at(-1)].some((each) => each && studio.stage.isNear(each, position, near));
  if (!sketch || !corners.length) {
    endComparison(studio);
    studio.change({ selected: -1, place: position, sketch: begun(studio.state, position), drag: { kind: "corners" } });
  } else if (!closes) studio.change({ sketch: extended(sketch, [position]) });
  else if (corners.length < 3) return say(studio, "An area has three corners or more.");
  else return close(studio, sketch, corners.length);
  say(studio, `Corner ${corners.length + 1} ${placeOf(position)}.`);
}

/**
 * @param {Studio} studio
 * @param {import("./edits.js").Edit} sketch
 * @param {number} corners
 */
function close(studio, sketch, corners) {
  const edit = finished(sketch);
  studio.change({ drag: null, sketch: null });
  if (!edit) return say(studio, "The corners lie on one line: that is no area.");
  commit(studio, [...studio.state.history.edits, edit]);
  if (edit.color) remember(studio);
  say(studio, `${lastName(studio)} closed with ${corners} corners.`);
}

/** @param {Studio} studio */
function lastName({ state }) {
  const { edits } = state.history;
  return nameOf(edits[edits.length - 1], edits.length - 1);
}

/** @param {Pair} position */
const placeOf = ([x, y]) => `${Math.round(100 * x)} % from the left, ${Math.round(100 * y)} % from the top`;

/**
 * Tells who cannot see it what has happened.
 *
 * @param {Studio} studio
 * @param {string} said
 */
const say = ({ change }, said) => change({ said });

/**
 * @param {Studio} studio
 * @param {Pair} position
 */
function pick(studio, position) {
  chooseColor(studio, studio.stage.colorAt(position));
  chooseTool(studio, "stroke");
}

/**
 * @param {Studio} studio
 * @param {Pair} position
 */
export function hover(studio, position) {
  studio.change({ over: position });
  takeLightness(studio, position);
}

/** @param {Studio} studio */
export function leave(studio) {
  studio.change({ over: null });
  takeLightness(studio, studio.state.place);
}

/**
 * @param {Studio} studio
 * @param {Pair | null} cross
 */
export function setCross(studio, cross) {
  studio.change({ cross });
  if (!cross) return;
  takeLightness(studio, cross);
  follow(studio, cross);
}

/**
 * The colours to choose from are those of the place under the pointer, unless they are a stroke's.
 *
 * @param {Studio} studio
 * @param {Pair} position
 */
function takeLightness({ state, change }, position) {
  if (state.photo && !state.drag && state.selected < 0) {
    change({ lightness: lightnessAt(state.photo.lightness, position) });
  }
}

/**
 * Arrow keys move a selected stroke.
 *
 * @param {Studio} studio
 * @param {Pair} arrow
 */
export function nudge(studio, [dx, dy]) {
  const [width, height] = studio.state.photo?.size ?? [1, 1];
  const step = Math.max(width, height) / 200;
  return moveSelected(studio, [(dx * step) / width, (dy * step) / height]);
}
