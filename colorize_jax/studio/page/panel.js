// The lists beside and below the photo: versions, colours, strokes.

import { css } from "./lab.js";
import { element, penOf } from "./dom.js";
import { colorOf } from "./edits.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {import("./edits.js").Kind} Kind */
/** @typedef {import("./state.js").Swatch} Swatch */

// Each with a lightness at which it looks like its name.
/** @type {[string, number, Pair][]} */
const PRESETS = [
  ["Red", 50, [60, 42]], ["Orange", 66, [38, 58]], ["Yellow", 84, [4, 66]], ["Grass", 56, [-34, 40]],
  ["Leaves", 42, [-22, 24]], ["Sea", 56, [-18, -12]], ["Sky", 72, [-6, -30]], ["Blue", 42, [12, -52]],
  ["Violet", 48, [38, -36]], ["Lips", 54, [42, 18]], ["Skin", 72, [18, 20]], ["Sand", 78, [4, 18]],
  ["Wood", 40, [14, 28]], ["Gray", 55, [0, 0]],
];
/** @type {Record<Kind, string>} */
const NAMES = { stroke: "Stroke", point: "Point", region: "Area", eraser: "Eraser", link: "Link", lock: "Lock" };
/** @type {Record<string, string>} */
const REACHES = { spot: ", this spot", thing: ", this thing", alike: "" };
/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

/** @type {readonly Swatch[]} */
export const presets = PRESETS.map(([name, lightness, ab]) => ({ name, ab, shown: css(lightness, ...ab) }));

/** @type {(edit: Edit, index: number) => string} */
export const nameOf = ({ kind }, index) => `${NAMES[kind]} ${index + 1}`;

/** @param {Pair} ab */
export const isPreset = (ab) => presets.some((preset) => String(preset.ab) === String(ab));

/**
 * @param {HTMLElement} root
 * @param {readonly Swatch[]} colors
 * @param {(ab: Pair) => void} choose
 */
export function showColors(root, colors, choose) {
  root.replaceChildren(
    ...colors.map(({ name, ab, shown }) => {
      const button = element("button", { title: name, ariaLabel: name, onclick: () => choose(ab) });
      button.dataset.ab = String(ab);
      button.style.background = shown;
      return button;
    }),
  );
}

/**
 * Marks the colour that is being painted with, where it is one of the buttons.
 *
 * @param {Pair} ab
 */
export function markColor(ab) {
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(".colors button"))) {
    button.ariaPressed = String(button.dataset.ab === String(ab));
  }
}

/**
 * Buttons for all versions, the likeliest first, whose canvases `paintVersions` fills. Their numbers are the model's.
 *
 * @param {HTMLElement} root
 * @param {number[]} weights
 * @param {(version: number) => void} choose
 */
export function showVersions(root, weights, choose) {
  const button = (/** @type {number} */ version, /** @type {string} */ name, /** @type {string} */ told) => {
    const properties = { title: told, ariaLabel: `${name}, ${told.toLowerCase()}`, role: "radio" };
    const made = element("button", { ...properties, onclick: () => choose(version) }, element("canvas"), name);
    made.dataset.version = String(version);
    return made;
  };
  const likeliest = weights.map((_, version) => version).sort((a, b) => weights[b] - weights[a]);
  const own = likeliest.map((version) => {
    const percent = Math.round(100 * weights[version]);
    const made = button(version, `Version ${version + 1}`, `${percent || "Less than 1"} % likely`);
    made.append(element("small", {}, percent ? `${percent} %` : "< 1 %"));
    return made;
  });
  root.replaceChildren(...own, button(weights.length, "Only my colours", "Gray where you paint nothing"));
}

/**
 * @param {HTMLElement} root
 * @param {import("./painters.js").Thumbnails} thumbnails
 */
export function paintVersions(root, { pictures, width, height }) {
  for (const button of radiosOf(root)) {
    const canvas = /** @type {HTMLCanvasElement} */ (button.firstChild);
    [canvas.width, canvas.height] = [width, height];
    const pixels = new Uint8ClampedArray(pictures[Number(button.dataset.version)]);
    penOf(canvas).putImageData(new ImageData(pixels, width, height), 0, 0);
  }
}

/**
 * @param {HTMLElement} root of a group of radio buttons
 * @returns {HTMLElement[]}
 */
const radiosOf = (root) => [...root.querySelectorAll("[role=radio]")].filter((each) => each instanceof HTMLElement);

/**
 * Marks one of a group of radio buttons, which alone the Tab key reaches.
 *
 * @param {HTMLElement} root
 * @param {(button: HTMLElement, index: number) => boolean} chosen
 */
export function check(root, chosen) {
  radiosOf(root).forEach((button, index) => {
    const checked = chosen(button, index);
    button.ariaChecked = String(checked);
    button.tabIndex = checked ? 0 : -1;
  });
}

/**
 * Arrow keys within a group of radio buttons.
 *
 * @param {HTMLElement} root
 */
export function arrows(root) {
  root.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const buttons = radiosOf(root);
    const from = buttons.findIndex((button) => button === document.activeElement);
    if (!step || from < 0) return;
    event.preventDefault();
    const next = buttons[(from + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
  });
}

/**
 * @param {HTMLElement} root
 * @param {readonly Edit[]} edits
 * @param {number} selected
 * @param {(index: number) => void} select
 * @param {(index: number) => void} remove
 */
export function showEdits(root, edits, selected, select, remove) {
  root.replaceChildren(
    ...edits.map((edit, index) => {
      const swatch = element("span");
      swatch.style.background = edit.color ? colorOf(edit) : "transparent";
      const how = `${edit.exact ? ", exact" : ""}${edit.closed ? ", closed" : ""}${REACHES[edit.reach ?? "alike"]}`;
      const name = `${nameOf(edit, index)}${how}`;
      const ariaPressed = String(index === selected);
      const choose = element("button", { className: "name", ariaPressed, onclick: () => select(index) }, swatch, name);
      const gone = element(
        "button",
        { className: "delete", title: "Delete", ariaLabel: `Delete ${name}`, onclick: () => remove(index) },
        "×",
      );
      return element("li", { className: index === selected ? "selected" : "" }, choose, gone);
    }),
  );
}

/**
 * @param {HTMLElement} root
 * @param {readonly import("./projects.js").Project[]} series
 * @param {string | undefined} current the project that is open
 * @param {(project: import("./state.js").Work) => void} open
 */
export function showSeries(root, series, current, open) {
  root.replaceChildren(
    ...series.map((each) => {
      const { id, name } = each;
      const onclick = () => open({ ...each, project: id });
      const button = element("button", { className: "name", onclick }, name);
      button.ariaCurrent = String(id === current);
      return element("li", {}, button);
    }),
  );
}

/**
 * @param {HTMLElement} root
 * @param {(readonly [readonly string[], string])[]} help
 */
export function showKeys(root, help) {
  root.replaceChildren(
    ...help.map(([keys, title]) => {
      const named = keys.flatMap((key) => [" ", element("kbd", {}, key)]).slice(1);
      return element("div", {}, element("dt", {}, ...named), element("dd", {}, title));
    }),
  );
}

/**
 * @param {HTMLElement} root
 * @param {readonly import("./projects.js").Project[]} kept
 * @param {(project: import("./state.js").Work) => void} open
 * @param {(id: string) => void} forget
 */
export function showProjects(root, kept, open, forget) {
  root.replaceChildren(
    ...kept.map(({ id, changed, ...work }) => {
      const { name, edits } = work;
      const told = `${name}, ${edits.length} ${edits.length === 1 ? "stroke" : "strokes"}`;
      const when = element("span", { className: "faint" }, new Date(changed).toLocaleString());
      const onclick = () => open({ ...work, project: id });
      const gone = element(
        "button",
        { className: "delete", title: "Forget", ariaLabel: `Forget ${name}`, onclick: () => forget(id) },
        "×",
      );
      return element("li", {}, element("button", { className: "name", onclick }, told, when), gone);
    }),
  );
}
