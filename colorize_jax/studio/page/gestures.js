// The pointer on the photo, with the tool in hand; and the keys that do the same.

import {
  accept, chooseColor, commit, giveUp, moveSelected, remember, select, tryOut, withSelected,
} from "./editing.js";
import { extended, finished, moved } from "./edits.js";
import { chooseTool, endComparison } from "./showing.js";
import { begun, lightnessAt, suggestedNow } from "./state.js";
import { follow } from "./zoom.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./state.js").Studio} Studio */

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
  if (studio.state.drag) cancel(studio);
  else select(studio, -1);
}

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
