// What the user chooses to see, and the tool in hand.

import { paint, send, settle } from "./preview.js";
import { similarityOf } from "./server.js";
import { toneOf, withTone } from "./state.js";

/** @typedef {import("./state.js").Studio} Studio */
/** @typedef {import("./state.js").Toggle} Toggle */
/** @typedef {import("./state.js").Tool} Tool */

export const UNREACHED = "The studio does not answer. Is colorize-studio still running?";

/**
 * What a message to the user says of an error: a TypeError is fetch's, for a server that is gone.
 *
 * @param {unknown} error
 */
export function told(error) {
  return error instanceof TypeError || !(error instanceof Error) ? UNREACHED : `Sorry: ${error.message}`;
}

/**
 * @param {Studio} studio
 * @param {number} version
 */
export function chooseVersion(studio, version) {
  if (!studio.state.fields[version]) return;
  studio.change({ version, lifted: null, layers: null });
  paint(studio);
  if (studio.state.live) send(studio, true);
}

/**
 * How much colour the shown version shows; all by default.
 *
 * @param {Studio} studio
 * @param {Partial<import("./state.js").Tone>} changes
 * @param {boolean} [final] whether the slider still moves
 */
export function setTone(studio, changes, final = true) {
  const { tones, version } = studio.state;
  studio.change({ tones: withTone(tones, version, { ...toneOf(studio.state), ...changes }) });
  send(studio, final);
}

/**
 * @param {Studio} studio
 * @param {Tool} tool
 */
export function chooseTool(studio, tool) {
  endComparison(studio);
  if (studio.state.drag?.kind === "corners") studio.change({ drag: null, sketch: null });
  studio.change({ tool, selected: tool === "select" ? studio.state.selected : -1 });
}

/**
 * @param {Studio} studio
 * @param {Toggle} name
 */
export async function toggle(studio, name) {
  const { toggles } = studio.state;
  const on = !toggles[name];
  studio.change({ toggles: { ...toggles, ...otherHeat(name, on), [name]: on } });
  if (name === "attention" && on) await look(studio);
  settle(studio);
}

/**
 * Of two heats over the photo, one is shown.
 *
 * @param {Toggle} name
 * @param {boolean} on
 */
function otherHeat(name, on) {
  if (on && name === "attention") return { uncertainty: false };
  return on && name === "uncertainty" ? { attention: false } : {};
}

/**
 * Fetches what is alike.
 *
 * @param {Studio} studio
 */
async function look(studio) {
  const { photo, similarity } = studio.state;
  if (!photo || similarity) return;
  try {
    const found = await similarityOf(photo.session);
    if (studio.state.photo === photo) studio.change({ similarity: found });
  } catch (error) {
    studio.change({ toast: told(error) });
  }
}

/**
 * To paint one must see where: on the gray half a stroke would seem to do nothing.
 *
 * @param {Studio} studio
 */
export function endComparison(studio) {
  if (studio.state.toggles.compare) toggle(studio, "compare");
}
