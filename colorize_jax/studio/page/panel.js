// The lists beside and below the photo: versions, colours, strokes.

import { css } from "./colour.js";

// Each with a lightness at which it looks like its name.
const PRESETS = [
  ["Red", 50, [60, 42]], ["Orange", 66, [38, 58]], ["Yellow", 84, [4, 66]], ["Grass", 56, [-34, 40]], ["Leaves", 42, [-22, 24]],
  ["Sea", 56, [-18, -12]], ["Sky", 72, [-6, -30]], ["Blue", 42, [12, -52]], ["Violet", 48, [38, -36]], ["Lips", 54, [42, 18]],
  ["Skin", 72, [18, 20]], ["Sand", 78, [4, 18]], ["Wood", 40, [14, 28]], ["Gray", 55, [0, 0]],
];
const NAMES = { stroke: "Stroke", point: "Point", region: "Area", eraser: "Eraser", link: "Link" };

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export const presets = PRESETS.map(([name, lightness, ab]) => ({ name, ab, shown: css(lightness, ...ab) }));

export function showColours(root, colours, choose) {
  root.replaceChildren(
    ...colours.map(({ name, ab, shown }) => {
      const button = element("button", { title: name, onclick: () => choose(ab) });
      button.setAttribute("aria-label", name);
      button.dataset.ab = ab;
      button.style.background = shown;
      return button;
    }),
  );
}

/** Marks the colour that is being painted with, where it is one of the buttons. */
export function markColour(ab) {
  for (const button of document.querySelectorAll(".colours button")) {
    button.setAttribute("aria-pressed", String(button.dataset.ab === String(ab)));
  }
}

/** Buttons for all versions, whose canvases `paintVersions` fills. */
export function showVersions(root, weights, choose) {
  const names = [...weights.map((_, i) => `Version ${i + 1}`), "Only my colours"];
  root.replaceChildren(
    ...names.map((name, index) => {
      const button = element("button", { onclick: () => choose(index) }, element("canvas"), name);
      button.setAttribute("role", "radio");
      const likely = index < weights.length ? `${Math.round(100 * weights[index])} % likely` : "Gray where you paint nothing";
      button.title = likely;
      return button;
    }),
  );
}

export function paintVersions(root, { pictures, width, height }) {
  root.querySelectorAll("canvas").forEach((canvas, index) => {
    [canvas.width, canvas.height] = [width, height];
    canvas.getContext("2d").putImageData(new ImageData(new Uint8ClampedArray(pictures[index]), width, height), 0, 0);
  });
}

/** Marks one of a group of radio buttons, which alone the Tab key reaches. */
export function check(root, chosen) {
  for (const button of root.querySelectorAll("[role=radio]")) {
    button.setAttribute("aria-checked", String(button === chosen));
    button.tabIndex = button === chosen ? 0 : -1;
  }
}

/** Arrow keys within a group of radio buttons. */
export function arrows(root) {
  root.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const buttons = [...root.querySelectorAll("[role=radio]")];
    const from = buttons.indexOf(document.activeElement);
    if (!step || from < 0) return;
    event.preventDefault();
    const next = buttons[(from + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
  });
}

export function showEdits(root, edits, selected, { select, remove }) {
  root.replaceChildren(
    ...edits.map((edit, index) => {
      const swatch = element("span");
      swatch.style.background = edit.kind === "eraser" || edit.kind === "link" ? "transparent" : edit.shown;
      const name = `${NAMES[edit.kind]} ${index + 1}${edit.exact ? ", exact" : ""}`;
      const choose = element("button", { className: "name", onclick: () => select(index) }, swatch, name);
      choose.setAttribute("aria-pressed", String(index === selected));
      const gone = element("button", { className: "delete", title: "Delete", onclick: () => remove(index) }, "×");
      gone.setAttribute("aria-label", `Delete ${name}`);
      return element("li", { className: index === selected ? "selected" : "" }, choose, gone);
    }),
  );
}
