// What the page shows of its state.

import { helpOfKeys } from "./commands.js";
import { buttonOf, canvasOf, dialogOf, inputOf, part } from "./dom.js";
import { chooseColor, remove, select } from "./editing.js";
import { forgetProject, listProjects, openListed, openProject, store } from "./opening.js";
import {
  check, markColor, presets, showColors, showEdits, showKeys, showProjects, showSeries,
  showVersions,
} from "./panel.js";
import { Picker } from "./picker.js";
import { rest } from "./preview.js";
import { chooseVersion } from "./showing.js";
import { hintOf, planeLightness, seriesOf, toneOf } from "./state.js";
import { view } from "./store.js";

/** @typedef {import("./state.js").Studio} Studio */
/** @typedef {import("./state.js").Toggle} Toggle */
/** @typedef {import("./store.js").View<import("./state.js").State>} View */

const FEW = [20, 92]; // L* below and above which hardly any colour exists
/** @type {readonly Toggle[]} */
const TOGGLES = ["compare", "show-marks", "attention", "uncertainty", "suggest"];

/**
 * @param {Studio} studio
 * @returns {View[]}
 */
export function viewsOf(studio) {
  const ofWork = [photo, stage, brush, strokes].flatMap((views) => views(studio));
  return [...screen(), help(studio), ...ofWork, ...TOGGLES.map(box)];
}

/**
 * @param {string} id
 * @param {boolean} hidden
 */
function hide(id, hidden) {
  part(id).hidden = hidden;
}

function screen() {
  const save = buttonOf("save");
  const { innerHTML: label } = save;
  const opening = part("opening", HTMLImageElement);
  return [
    view((state) => [state.screen], (name) => void (document.body.dataset.state = name)),
    view((state) => [state.opening === null], (hidden) => hide("busy", hidden)),
    view((state) => [state.opening], (address) => address && (opening.src = address)),
    view((state) => [!state.dropping], (hidden) => hide("dropping", hidden)),
    view((state) => [state.toast], (message) => {
      hide("toast", message === null);
      if (message !== null) part("toast").textContent = message;
    }),
    view((state) => [state.said], (said) => void (part("said").textContent = said)),
    view((state) => [state.saving], (saving) => {
      save.disabled = saving;
      save.innerHTML = saving ? "Saving …" : label;
    }),
  ];
}

/**
 * The browser's own dialog: Escape closes it, and the focus goes back to where it was.
 *
 * @param {Studio} studio
 */
function help({ change }) {
  const dialog = dialogOf("all-keys");
  showKeys(part("key-list"), helpOfKeys());
  dialog.addEventListener("close", () => change({ helping: false }));
  return view((state) => [state.helping], (open) => open && dialog.showModal());
}

/** @param {Studio} studio */
function photo(studio) {
  const versions = part("versions");
  return [
    view((state) => [state.photo], (opened) => {
      if (!opened) return;
      studio.stage.open(opened.size, opened.lightness, opened.alpha);
      showVersions(versions, opened.weights, (index) => chooseVersion(studio, index));
    }),
    view((state) => [state.photo, state.version], (_, version) => {
      check(versions, (button) => Number(button.dataset.version) === version);
    }),
    view((state) => [state.photo, state.history.edits, state.version, state.tones], () => void store(studio)),
    view((state) => [toneOf(state)], ({ strength, saturation }) => {
      inputOf("amount").value = String(strength);
      inputOf("saturation").value = String(saturation);
    }),
    view((state) => [state.version === state.photo?.weights.length], (bare) => {
      inputOf("amount").disabled = bare; // the last version has no colours of the model's
    }),
    view((state) => [state.photo?.name ?? ""], (name) => void (inputOf("name").value = name)),
    view((state) => [state.screen], (name) => name === "start" && void listProjects(studio)),
    view((state) => [state.projects, state.photo?.project], (_, current) => {
      const series = seriesOf(studio.state);
      hide("series", series.length < 2);
      buttonOf("to-next").disabled = series.at(-1)?.id === current;
      showSeries(part("series-list"), series, current, (each) => openListed(studio, each));
    }),
    view((state) => [state.projects], (kept) => {
      hide("projects", !kept.length);
      showProjects(part("project-list"), kept, (each) => openProject(studio, each), (id) => forgetProject(studio, id));
    }),
  ];
}

/** @param {Studio} studio */
function stage(studio) {
  const { stage: drawn } = studio;
  const root = part("stage");
  return [
    // Tells tests, and who cannot see it, whether the picture is still to follow.
    view((state) => [state.busy], (busy) => void (root.ariaBusy = String(busy))),
    view((state) => [state.tool], (tool) => {
      drawn.marks.dataset.tool = tool;
      check(part("tools"), (button) => button.dataset.tool === tool);
    }),
    view((state) => [hintOf(state)], (hint) => void (part("hint").innerHTML = hint)),
    view((state) => [state.toggles.compare], (comparing) => {
      root.classList.toggle("comparing", comparing);
      for (const id of ["split", "divider"]) hide(id, !comparing);
    }),
    view((state) => [state.view], (seen) => {
      drawn.look(seen);
      buttonOf("whole").disabled = seen.zoom === 1;
    }),
    view((state) => [state.view, state.photo], () => rest(studio)),
    view((state) => [state.detail], (detail) => drawn.showDetail(detail)),
    view((state) => [state.split], (split) => root.style.setProperty("--split", `${split}%`)),
    view(
      ({ history, changing, sketch, selected, toggles, tool, ab, radius, over, cross, explained, similarity }) =>
        [history, changing, sketch, selected, toggles, tool, ab, radius, over, cross, explained, similarity],
      () => drawn.draw(),
    ),
  ];
}

/** @param {Studio} studio */
function brush(studio) {
  const picker = new Picker(canvasOf("plane"), part("swatch"), (ab, final) => chooseColor(studio, ab, final));
  const choose = (/** @type {import("./lab.js").Pair} */ ab) => chooseColor(studio, ab);
  showColors(part("presets"), presets, choose);
  return [
    view((state) => [state.ab, planeLightness(state)], (ab, lightness) => picker.show(ab, lightness)),
    view((state) => [few(state.lightness)], (note) => void (part("few").textContent = note)),
    view((state) => [state.recent], (recent) => showColors(part("recent"), recent, choose)),
    view((state) => [state.recent, state.ab], (_, ab) => markColor(ab)),
    view((state) => [state.radius], (radius) => void (inputOf("radius").value = String(radius))),
    view((state) => [state.exact], (exact) => void (inputOf("exact").checked = exact)),
    view((state) => [state.closed], (closed) => void (inputOf("closed").checked = closed)),
    view((state) => [state.strength], (strength) => void (inputOf("strength").value = String(strength))),
    view((state) => [state.exact], (exact) => void (inputOf("strength").disabled = exact)),
    view((state) => [state.reach, state.closed && ofArea(state)], (reach, closed) => {
      check(part("reach"), (button) => !closed && button.dataset.reach === reach);
    }),
    view((state) => [!ofArea(state)], (hidden) => hide("closed-label", hidden)),
  ];
}

/**
 * Whether the panel speaks of an area.
 *
 * @param {Readonly<import("./state.js").State>} state
 */
const ofArea = ({ tool, selected, history }) =>
  selected < 0 ? tool === "region" : history.edits[selected]?.kind === "region";

/** @param {number} lightness */
function few(lightness) {
  if (lightness < FEW[0]) return "Few colours are this dark.";
  return lightness > FEW[1] ? "Few colours are this bright." : "";
}

/** @param {Studio} studio */
function strokes(studio) {
  const list = part("list");
  const [choose, drop] = [select, remove].map((run) => (/** @type {number} */ index) => run(studio, index));
  return [
    view((state) => [state.history.edits, state.selected], (edits, selected) =>
      showEdits(list, edits, selected, choose, drop),
    ),
    view((state) => [state.history.edits.length > 0], (some) => {
      hide("empty", some);
      for (const id of ["clear", "save-edits"]) hide(id, !some);
    }),
    view((state) => [!state.history.past.length], (none) => void (buttonOf("undo").disabled = none)),
    view((state) => [!state.history.future.length], (none) => void (buttonOf("redo").disabled = none)),
    view((state) => [state.selected], (selected) => {
      part("color-title").textContent = selected < 0 ? "Brush colour" : `Colour of stroke ${selected + 1}`;
    }),
  ];
}

/** @param {Toggle} name */
function box(name) {
  const input = inputOf(name);
  return view((state) => [state.toggles[name]], (on) => {
    input.checked = on;
    const more = input.closest("details");
    if (more && on) more.open = true; // it may have been a key
  });
}
