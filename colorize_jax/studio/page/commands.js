// All that the user can do by a button, a box or a key: one table, from which buttons, keys and their help come.

import { inputOf } from "./dom.js";
import { clear, redo, removeSelected, setRadius, setTraits, turnReach, undo } from "./editing.js";
import { saveEdits, savePicture } from "./files.js";
import { escape } from "./gestures.js";
import { handOn, leave } from "./opening.js";
import { chooseTool, chooseVersion, setTone, toggle } from "./showing.js";
import { PLAIN } from "./state.js";
import { zoomIn, zoomOut, zoomWhole } from "./zoom.js";

/** @typedef {import("./state.js").Studio} Studio */
/** @typedef {import("./state.js").Toggle} Toggle */
/** @typedef {import("./state.js").Tool} Tool */

/**
 * @typedef {object} Command
 * @property {string} name
 * @property {readonly string[]} keys as "Ctrl+Z"; the first is told
 * @property {string} [title] what its control, and the list of keys, tell beside its name; the key is added
 * @property {string} [control] a selector: its button, or its box
 * @property {(studio: Studio, key: string) => unknown} run key: the one that was pressed, or ""
 */

const BRUSH_STEP = 6; // of the slider
const STRENGTH_STEP = 5; // likewise
const TONE = "All colours of this version again, as they are; a double click does it for one slider";

/** @type {(name: Tool, key: string, title: string) => Command} */
const tool = (name, key, title) => ({
  name,
  keys: [key],
  title,
  control: `[data-tool=${name}]`,
  run: (studio) => chooseTool(studio, name),
});

/** @type {(name: Toggle, key: string, title: string) => Command} */
const box = (name, key, title) => ({
  name,
  keys: [key],
  title,
  control: `#${name}`,
  run: (studio) => toggle(studio, name),
});

/** @type {(name: "exact" | "closed", key: string, title: string) => Command} */
const trait = (name, key, title) => ({
  name,
  keys: [key],
  title,
  control: `#${name}`,
  run: (studio) => setTraits(studio, { [name]: !studio.state[name] }),
});

/** @type {(studio: Studio, steps: number) => void} */
const strengthen = (studio, steps) => {
  const strength = Math.max(0, Math.min(100, studio.state.strength + steps * STRENGTH_STEP));
  setTraits(studio, { strength });
};

/** @type {(name: string, keys: readonly string[], run: Command["run"], title?: string) => Command} */
const button = (name, keys, run, title) => ({ name, keys, title, control: `#${name}`, run });

/** @type {(name: string, keys: readonly string[], title: string, run: Command["run"]) => Command} */
const shortcut = (name, keys, title, run) => ({ name, keys, title, run });

/** @type {readonly Command[]} */
export const COMMANDS = [
  button("open", ["Ctrl+O"], () => inputOf("photo-file").click(), "Open a photo"),
  button("leave", [], leave, "Your photos: what you have coloured is kept in this browser"),
  button("undo", ["Ctrl+Z"], undo, "Undo"),
  button("redo", ["Ctrl+Shift+Z", "Ctrl+Y"], redo, "Redo"),
  button("save", ["Ctrl+S"], savePicture, "The whole picture, at full size"),
  button("save-edits", [], saveEdits, "The strokes as a JSON file; the program colorize takes it, too"),
  button("load", [], () => inputOf("edits-file").click(), "Strokes that were saved before, for this photo or another"),
  button("clear", [], clear),
  button("to-next", ["PageDown"], (studio) => handOn(studio, false), "These strokes on the next photo, which opens"),
  button("to-all", [], (studio) => handOn(studio, true), "These strokes on all other photos of the series"),
  tool("stroke", "B", "Brush: paint where the colour belongs; it spreads to what is like it"),
  tool("point", "P", "Point: one click of colour"),
  tool("region", "A", "Area: draw around it"),
  tool("lock", "K", "Lock: draw around what is to stay as it is"),
  tool("eraser", "E", "Eraser: take strokes away in part"),
  tool("select", "V", "Move: drag a stroke, or click it and change its colour, or delete it"),
  tool("pick", "I", "Pipette: take a colour from the picture"),
  box("compare", "C", "Before and after, with a slider between them"),
  box("show-marks", "M", "Outlines of your strokes"),
  box("attention", "L", "Bright: what the pixel under the pointer takes its colour from"),
  box("uncertainty", "U", "Bright: where your strokes do not say the colour yet"),
  box("suggest", "S", "Where a stroke of yours would tell most"),
  trait("exact", "X", "These very colours on these very pixels, instead of a hint"),
  trait("closed", "F", "An area fills itself to its edge, and nothing leaves it"),
  { name: "reach", keys: ["R"], title: "How far the colour goes", control: "#reach-title", run: turnReach },
  shortcut("weaker", [","], "Weaker strokes", (studio) => strengthen(studio, -1)),
  shortcut("stronger", ["."], "Stronger strokes", (studio) => strengthen(studio, 1)),
  shortcut("zoom in", ["+", "="], "Nearer", zoomIn),
  shortcut("zoom out", ["-"], "Further away", zoomOut),
  button("whole", ["0"], zoomWhole, "The whole photo; wheel, two fingers, + and - zoom, the middle button moves it"),
  shortcut("delete", ["Delete", "Backspace"], "Delete the chosen stroke", removeSelected),
  shortcut("escape", ["Escape"], "Give up what is being drawn, or choose no stroke", escape),
  shortcut("smaller", ["["], "Smaller brush", (studio) => setRadius(studio, studio.state.radius - BRUSH_STEP)),
  shortcut("larger", ["]"], "Larger brush", (studio) => setRadius(studio, studio.state.radius + BRUSH_STEP)),
  button("help", ["?"], (studio) => studio.change({ helping: true }), "All keys"),
  { name: "tone", keys: ["D"], title: TONE, control: "#tone", run: (studio) => setTone(studio, PLAIN) },
  shortcut("version", [..."123456789"], "A version", (studio, key) => chooseVersion(studio, Number(key) - 1)),
];

/** @type {readonly (readonly [string[], string])[]} keys that a part of the page has for itself */
const OWN_KEYS = [
  [["Tab"], "The next control"],
  [["←", "→", "↑", "↓"], "On the photo: move the cross, or the chosen stroke; with Shift in small steps"],
  [["Enter", "Space"], "On the photo: paint at the cross with the chosen tool; or a corner, twice to close the area"],
];

/** @returns {(readonly [readonly string[], string])[]} all keys, and what they do */
export function helpOfKeys() {
  const told = COMMANDS.filter(({ keys }) => keys.length);
  return [...OWN_KEYS, ...told.map((each) => /** @type {const} */ ([each.keys, each.title ?? each.name]))];
}

/**
 * Runs the command of a key that was pressed.
 *
 * @param {Studio} studio
 * @param {KeyboardEvent} event
 */
export function runKey(studio, event) {
  if (studio.state.screen !== "work" || studio.state.helping || isOfInput(event)) return;
  for (const key of keysOf(event)) {
    const command = COMMANDS.find(({ keys }) => keys.includes(key));
    if (!command) continue;
    if (key.startsWith("Ctrl+")) event.preventDefault();
    return command.run(studio, key);
  }
}

/**
 * Whether a key is a slider's, a text's or a list's own, or none of the studio's.
 *
 * @param {KeyboardEvent} event
 */
function isOfInput({ key, target, ctrlKey, metaKey, altKey }) {
  if (ctrlKey || metaKey) return false;
  if (altKey || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && target.type !== "checkbox" && key.length > 1;
}

/**
 * What a key may be called in the table; Shift counts where a command asks for it.
 *
 * @param {KeyboardEvent} event
 */
function keysOf({ key, ctrlKey, metaKey, shiftKey }) {
  const name = key.length === 1 ? key.toUpperCase() : key;
  if (!ctrlKey && !metaKey) return [name];
  return shiftKey ? [`Ctrl+Shift+${name}`, `Ctrl+${name}`] : [`Ctrl+${name}`];
}

/**
 * Gives each command's control its help, and lets it run the command.
 *
 * @param {Studio} studio
 */
export function bindControls(studio) {
  for (const { control, title, keys, run } of COMMANDS) {
    const found = control && document.querySelector(control);
    if (!(found instanceof HTMLElement)) continue;
    const isBox = found instanceof HTMLInputElement;
    if (isBox) found.addEventListener("change", () => run(studio, ""));
    if (found instanceof HTMLButtonElement) found.addEventListener("click", () => run(studio, ""));
    if (title) (found.closest("label") ?? found).title = titled(title, keys[0]);
    if (keys.length) found.setAttribute("aria-keyshortcuts", keys[0].replace("Ctrl", "Control"));
  }
}

/**
 * A title that tells the key: before a colon, or else at the end.
 *
 * @param {string} title
 * @param {string} [key]
 */
const titled = (title, key) => (key ? title.replace(/(?=:)|$/, ` (${key})`) : title);
