// The studio's page: its parts, and what of the browser reaches them.

import { bindControls, runKey } from "./commands.js";
import { inputOf, part } from "./dom.js";
import { setRadius, setTraits } from "./editing.js";
import { drop, loadEdits, openAll } from "./files.js";
import * as gestures from "./gestures.js";
import { openExample, rename, restore } from "./opening.js";
import { arrows, paintVersions } from "./panel.js";
import { Painters } from "./painters.js";
import { painted } from "./preview.js";
import { setTone } from "./showing.js";
import { Stage } from "./stage.js";
import { overlayOf, PLAIN, stateAtFirst, unsaved } from "./state.js";
import { Store } from "./store.js";
import { viewsOf } from "./views.js";
import { pan, zoomBy, zoomToPixels } from "./zoom.js";

/** @typedef {import("./state.js").Studio} Studio */

const TONES = /** @type {const} */ ([["amount", "strength"], ["saturation", "saturation"]]);

/** @returns {import("./state.js").Controls} */
function controls() {
  const checked = (/** @type {string} */ id) => inputOf(id).checked;
  return {
    radius: Number(inputOf("radius").value),
    exact: checked("exact"),
    closed: checked("closed"),
    reach: "alike",
    strength: Number(inputOf("strength").value),
    split: Number(inputOf("split").value),
    format: part("format", HTMLSelectElement).value,
    toggles: {
      compare: checked("compare"),
      "show-marks": checked("show-marks"),
      attention: checked("attention"),
      uncertainty: checked("uncertainty"),
      suggest: checked("suggest"),
    },
  };
}

/** @returns {NodeListOf<HTMLElement>} */
const reaches = () => part("reach").querySelectorAll("[data-reach]");

/** @param {HTMLElement} button */
const reachOf = (button) => /** @type {import("./edits.js").Reach} */ (button.dataset.reach);

function studioOf() {
  /** @type {Studio & Store<import("./state.js").State>} called back later, when it is whole */
  const made = Object.assign(new Store(stateAtFirst(controls())), {
    stage: new Stage(
      part("stage"),
      {
        press: (position, near) => gestures.press(made, position, near),
        drag: (positions) => gestures.drag(made, positions),
        release: (position, start) => gestures.release(made, position, start),
        cancel: () => gestures.cancel(made),
        hover: (position) => gestures.hover(made, position),
        leave: () => gestures.leave(made),
        cross: (position) => gestures.setCross(made, position),
        stamp: (cross, near) => gestures.stamp(made, cross, near),
        nudge: (arrow) => gestures.nudge(made, arrow),
        zoom: (factor, at) => zoomBy(made, factor, at),
        pan: (step) => pan(made, step),
        twice: (at) => made.state.tool === "select" && zoomToPixels(made, at),
      },
      () => overlayOf(made.state),
    ),
    painters: new Painters(
      (strips, id) => painted(made, strips, id),
      (thumbnails) => paintVersions(part("versions"), thumbnails),
    ),
  });
  return made;
}

/**
 * @param {string} id of an input that takes files
 * @param {(files: File[]) => void} act
 */
function onFiles(id, act) {
  const input = inputOf(id);
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = "";
    if (files.length) act(files);
  });
}

/** @param {Studio} studio */
function bindFiles(studio) {
  onFiles("photo-file", (files) => openAll(studio, files));
  onFiles("edits-file", ([file]) => loadEdits(studio, file));
  const name = inputOf("name");
  name.addEventListener("change", () => rename(studio, name.value));
  part("example").addEventListener("click", (event) => {
    event.stopPropagation();
    openExample(studio);
  });
  const format = part("format", HTMLSelectElement);
  format.addEventListener("change", () => studio.change({ format: format.value }));
  part("drop").addEventListener("click", () => inputOf("photo-file").click());
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    studio.change({ dropping: true });
  });
  document.addEventListener("dragleave", (event) => studio.change({ dropping: event.relatedTarget !== null }));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop(studio, event.dataTransfer);
  });
}

/** @param {Studio} studio */
function bindSliders(studio) {
  const [radius, split, strength] = ["radius", "split", "strength"].map(inputOf);
  radius.addEventListener("input", () => {
    setRadius(studio, Number(radius.value), false);
    studio.change({ over: [0.5, 0.5] }); // how large it is
  });
  radius.addEventListener("change", () => setRadius(studio, Number(radius.value)));
  for (const name of ["pointerup", "blur"]) radius.addEventListener(name, () => studio.change({ over: null }));
  split.addEventListener("input", () => studio.change({ split: Number(split.value) }));
  strength.addEventListener("input", () => setTraits(studio, { strength: Number(strength.value) }, false));
  strength.addEventListener("change", () => setTraits(studio, { strength: Number(strength.value) }));
  for (const [id, name] of TONES) bindTone(studio, inputOf(id), name);
  for (const button of reaches()) {
    button.addEventListener("click", () => setTraits(studio, { reach: reachOf(button), closed: false }));
  }
}

/**
 * @param {Studio} studio
 * @param {HTMLInputElement} slider
 * @param {keyof import("./state.js").Tone} name
 */
function bindTone(studio, slider, name) {
  const set = (/** @type {boolean} */ final) => setTone(studio, { [name]: Number(slider.value) }, final);
  slider.addEventListener("input", () => set(false));
  slider.addEventListener("change", () => set(true));
  slider.addEventListener("dblclick", () => setTone(studio, { [name]: PLAIN[name] }));
}

/** @param {Studio} studio */
function bindKeys(studio) {
  arrows(part("tools"));
  arrows(part("versions"));
  arrows(part("reach"));
  // A message stays until the next press of a button or key: a clock would be too quick for some.
  for (const name of ["pointerdown", "keydown"]) {
    document.addEventListener(name, () => studio.change({ toast: null }), true);
  }
  document.addEventListener("keydown", (event) => runKey(studio, event));
  window.addEventListener("beforeunload", (event) => unsaved(studio.state) && event.preventDefault());
}

const studio = studioOf();
studio.show(viewsOf(studio));
bindControls(studio);
bindFiles(studio);
bindSliders(studio);
bindKeys(studio);
restore(studio);
