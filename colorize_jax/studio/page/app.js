// The studio's page: what is open, what the user does with it, and what follows.

import { abOf } from "./colour.js";
import { documentOf, editsOf, History, moved, simplified } from "./edits.js";
import { arrows, check, markColour, paintVersions, presets, showColours, showEdits, showVersions } from "./panel.js";
import { Painters } from "./painters.js";
import { Picker } from "./picker.js";
import { findPhoto, Live, openPhoto, pictureOf, similarityOf } from "./server.js";
import { shownColour, Stage } from "./stage.js";

const MOST_RECENT = 12;
const STORED = "colorize-studio";
const IDLE = 250; // milliseconds without a change, before what is not urgent
const SUGGESTIONS = 3;
const POINT_RADIUS = 0.012; // of a suggested point that was accepted, in shorter sides
const UNREACHED = "The studio does not answer. Is colorize-studio still running?";
const BRUSHES = ["stroke", "point", "eraser"];
const TOOLS = { b: "stroke", p: "point", a: "region", e: "eraser", v: "select", i: "pick" };
const TOGGLES = { c: "compare", m: "show-marks", l: "attention", u: "uncertainty", s: "suggest" };

const $ = (id) => document.getElementById(id);

let photo = null; // what the server told of it, and `file` where it was opened on this page
let live = null;
let history = new History();
let fields = []; // of each version: the chosen one's under the newest edits, the others' under those before the last pause
let lifted = null; // of the chosen version, where exact edits need the server's own
let version = 0;
let tool = "stroke";
let selected = -1;
let changing = null; // edits while the pointer moves, before they are committed
let sketch = null; // the edit being drawn
let drag = null;
let place = [0.5, 0.5]; // of the last press: the picker shows its lightness while the pointer is not on the photo
let recent = [];
let kept = null; // the edits that were saved last, as a picture or as strokes
let orphaned = null; // {name, edits, version} whose photo the server has closed, for when it is opened again
let explained = null;
let similarity = null;
let nextId = 1;
let lastSent = null; // {id, committed, text, refused, times} of the newest message of edits
let release = null; // {id, start}: what the time from the mouse's release to the picture is measured for
let shownId = 0; // of the newest answer
let paintedId = 0; // of the answer that the picture shows
let idle = null;

const stage = new Stage($("stage"), { press, drag: dragged, release: released, cancel, hover, leave, nudge }, look);
const painters = new Painters(shown, (thumbnails) => paintVersions($("versions"), thumbnails));
const picker = new Picker($("plane"), $("swatch"), $("few"), colourChosen);

// ---------------------------------------------------------------------------------------------- opening

/** Opens what the user brought, unless it is no photo, or strokes would be lost that the user wants to keep. */
async function openNew(file) {
  const { name, type } = file;
  if (type && !type.startsWith("image/")) return toast(`“${name}” is not a photo.`);
  if (unsaved() && !window.confirm(`The colours of “${photo.name}” are not saved. Open “${nameOf(file)}” all the same?`)) return;
  const again = orphaned?.name === nameOf(file) ? orphaned : null;
  await open(file, again?.edits, again?.version);
  if (again && photo?.file === file) orphaned = null;
}

const unsaved = () => photo !== null && history.edits.length > 0 && history.edits !== kept;

async function open(file, edits = [], chosen = 0) {
  const before = document.body.dataset.state;
  document.body.dataset.state = "start";
  $("opening").src = URL.createObjectURL(file);
  $("busy").hidden = false;
  try {
    begin({ ...(await openPhoto(file)), file, name: nameOf(file) }, edits, chosen);
  } catch (error) {
    document.body.dataset.state = before;
    toast(told(error));
  } finally {
    $("busy").hidden = true;
    URL.revokeObjectURL($("opening").src);
  }
}

const nameOf = (file) => (file.name ?? "photo").replace(/\.[^.]*$/, "") || "photo";
const told = (error) => (error instanceof TypeError ? UNREACHED : `Sorry: ${error.message}`);

function begin(opened, edits, chosen) {
  live?.end();
  live = null;
  photo = opened;
  history = new History(edits);
  [version, selected, changing, sketch, explained, similarity, lifted] = [chosen, -1, null, null, null, null, null];
  kept = null;
  [lastSent, release, shownId, paintedId] = [null, null, 0, 0];
  document.body.dataset.state = "work";
  const [lightness, guide, alpha] = [opened.lightness, opened.guide, opened.alpha].map(planeOf);
  fields = eachOf(opened.fields);
  painters.open({ lightness, guide, alpha, side: opened.fields.shape[1] });
  stage.open(opened.size, lightness, alpha);
  showVersions($("versions"), opened.weights, chooseVersion);
  chooseVersion(Math.min(version, fields.length - 1));
  painters.thumbnails(fields);
  live = new Live(opened.session, hear, lost);
  if (edits.length) send(true);
  changed();
}

const planeOf = (array) => array && { data: array.data, width: array.shape[1], height: array.shape[0] };

function eachOf({ data, shape }) {
  const size = shape[1] * shape[2] * shape[3];
  return Array.from({ length: shape[0] }, (_, i) => data.slice(i * size, (i + 1) * size));
}

async function restore() {
  const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  if (!stored) return;
  try {
    begin({ ...(await findPhoto(stored.session)), name: stored.name }, stored.edits, stored.version);
  } catch {
    closed(stored);
  }
}

function lost(state) {
  if (state === "broken") toast(`${UNREACHED} Your strokes stay here.`);
  if (state === "open" && $("toast").textContent.startsWith(UNREACHED)) $("toast").hidden = true;
  if (state !== "closed") return;
  live.end();
  if (photo.file) return open(photo.file, history.edits, version);
  closed({ name: photo.name, edits: history.edits, version });
}

/** The server has closed a photo, and the page cannot open it again by itself. */
function closed(work) {
  sessionStorage.removeItem(STORED);
  [kept, orphaned] = [history.edits, work];
  document.body.dataset.state = "start";
  toast(`“${work.name}” is not open any more. Open it again${work.edits.length ? ": your strokes are kept" : ""}.`);
}

// ---------------------------------------------------------------------------------------------- to and from the server

const current = () => changing ?? history.edits;
const plain = (edits) => edits.map(({ shown, ...edit }) => edit);

function send(committed, start) {
  const document = documentOf(plain(current()));
  const text = JSON.stringify([version, document]);
  clearTimeout(idle);
  idle = setTimeout(settle, IDLE);
  if (lastSent?.text !== text || lastSent.refused) {
    lastSent = { id: nextId++, text };
    busy(true);
    live.send({ type: "edits", id: lastSent.id, version, document });
  } // else the last move of the pointer has asked for this already
  lastSent.committed = committed;
  release = start === undefined ? null : { id: lastSent.id, start };
  if (release && shownId >= release.id) painters.hurry();
  painted(paintedId);
}

function settle() {
  live.send({ type: "versions", id: nextId++, document: documentOf(plain(current())) });
  if ($("uncertainty").checked || $("suggest").checked) {
    live.send({ type: "explain", id: nextId++, suggestions: SUGGESTIONS, document: documentOf(plain(history.edits)) });
  }
}

function hear(answer) {
  if (answer.type === "error") return refused(answer);
  if (answer.type === "explained") {
    explained = answer;
    return stage.draw();
  }
  const answered = eachOf(answer.fields);
  if (answer.type === "versions") {
    fields = answered.map((field, i) => (i === version ? fields[i] : field));
    return painters.thumbnails(fields);
  }
  [fields[answer.version]] = answered;
  if (answer.version !== version) return;
  lifted = answer.lifted ?? null;
  shownId = answer.id;
  if (lastSent?.id === answer.id) lastSent.times = { solve_ms: answer.solve_ms, draw_ms: answer.draw_ms };
  paint();
}

function refused({ id, message }) {
  if (id !== lastSent?.id) return; // a stroke that is not finished yet
  busy(false);
  lastSent.refused = true;
  if (!lastSent.committed) return;
  toast(`Sorry: ${message}`);
  if (!history.edits.length) return;
  history.drop();
  selected = -1;
  changed();
  send(true);
}

// ---------------------------------------------------------------------------------------------- painting

/** Tells tests, and who cannot see it, whether the picture is still to follow. */
function busy(on) {
  $("stage").setAttribute("aria-busy", String(on));
}

function paint() {
  busy(true);
  const planes = lifted && { data: lifted.data, height: lifted.shape[1], width: lifted.shape[2] };
  painters.paint(shownId, fields[version], planes);
  if (release && shownId >= release.id) painters.hurry();
}

function shown(bands, id) {
  for (const { buffer, top } of bands) stage.show(buffer, top);
  paintedId = id;
  painted(id);
  if (!painters.asked && shownId >= (lastSent?.id ?? 0)) busy(false);
}

/** Measures what the user waits for, where browsers and tests look for such times: performance.getEntries(). */
function painted(id) {
  if (release === null || id < release.id) return;
  const { start } = release;
  const detail = lastSent.times;
  release = null;
  requestAnimationFrame(() => performance.measure("release to preview", { start, end: performance.now(), detail }));
}

// ---------------------------------------------------------------------------------------------- edits

function commit(edits, start) {
  changing = null;
  history.commit(edits);
  changed();
  send(true, start);
}

function change(edits) {
  changing = edits;
  stage.draw();
  send(false);
}

/** Shows what the edits of now are; keeps them over a reload. */
function changed() {
  const { edits, past, future } = history;
  for (const edit of edits) if (edit.color && !edit.shown) edit.shown = shownColour(abOf(edit.color));
  if (selected >= edits.length) selected = -1;
  showEdits($("list"), edits, selected, { select, remove });
  $("empty").hidden = edits.length > 0;
  for (const id of ["clear", "save-edits"]) $(id).hidden = edits.length === 0;
  [$("undo").disabled, $("redo").disabled] = [!past.length, !future.length];
  $("colour-title").textContent = selected < 0 ? "Brush colour" : `Colour of stroke ${selected + 1}`;
  markColour(picker.ab);
  hint();
  stage.draw();
  try {
    sessionStorage.setItem(
      STORED,
      JSON.stringify({ session: photo.session, name: photo.name, version, edits: plain(edits) }),
    );
  } catch {
    sessionStorage.removeItem(STORED); // larger than a browser stores: a reload begins anew
  }
}

function select(index) {
  selected = index;
  const edit = history.edits[index];
  if (edit?.color) picker.set(abOf(edit.color));
  if (edit) $("exact").checked = Boolean(edit.exact);
  if (edit?.radius) $("radius").value = sliderOf(edit.radius);
  changed();
}

function remove(index) {
  selected = -1;
  commit(history.edits.filter((_, i) => i !== index));
}

function alter(changes, final) {
  const edits = history.edits.map((edit, i) => (i === selected ? { ...edit, ...changes } : edit));
  if (final) commit(edits);
  else change(edits);
}

function undo() {
  if (history.undo()) again();
}

function redo() {
  if (history.redo()) again();
}

function again() {
  changing = null;
  selected = -1;
  changed();
  send(true);
}

// ---------------------------------------------------------------------------------------------- colour and brush

const colourOf = (ab) => ({ lab: [Math.round(picker.lightness), ...ab] });
const radiusNow = () => 0.002 + 0.1 * (Number($("radius").value) / 100) ** 2;
const sliderOf = (radius) => Math.round(100 * Math.sqrt(Math.max(0, radius - 0.002) / 0.1));

function colourChosen(ab, final) {
  endComparison();
  if (history.edits[selected]?.color) alter({ color: colourOf(ab), shown: shownColour(ab) }, final);
  if (final) remember(ab);
  markColour(ab);
}

function useColour(ab) {
  picker.set(ab);
  colourChosen(ab, true);
}

function remember(ab) {
  if (presets.some((each) => String(each.ab) === String(ab))) return;
  const name = `Recent colour, a ${Math.round(ab[0])}, b ${Math.round(ab[1])}`;
  recent = [{ name, ab, shown: shownColour(ab) }, ...recent.filter((each) => each.name !== name)].slice(0, MOST_RECENT);
  showColours($("recent"), recent, useColour);
}

function begun(position) {
  const color = colourOf(picker.ab);
  const exact = $("exact").checked ? { exact: true } : {};
  const coloured = { color, ...exact, shown: shownColour(picker.ab) };
  const radius = Number(radiusNow().toFixed(5));
  return {
    stroke: () => ({ kind: "stroke", path: [position], radius, ...coloured }),
    point: () => ({ kind: "point", at: position, radius, ...coloured }),
    region: () => ({ kind: "region", polygon: [position], ...coloured }),
    eraser: () => ({ kind: "eraser", path: [position], radius }),
  }[tool]();
}

/** The sketch as an edit, or null where there is too little of it. */
function finished(edit) {
  const tolerance = edit.radius ? edit.radius / 8 : 0.001;
  if (edit.kind === "point") return { ...edit, at: simplified([edit.at], 1)[0] };
  if (edit.kind !== "region") return { ...edit, path: simplified(edit.path, tolerance) };
  const polygon = simplified(edit.polygon, tolerance);
  return polygon.length < 3 ? null : { ...edit, polygon };
}

// ---------------------------------------------------------------------------------------------- the pointer on the photo

function press([position], near) {
  endComparison();
  place = position;
  const suggestion = stage.hitSuggested(suggestedNow(), position, near);
  if (suggestion >= 0) return accept(suggestion);
  if (tool === "pick") return;
  if (tool === "eraser" && !history.edits.some((edit) => edit.color)) {
    return toast("There is no stroke of yours to erase yet. To take colour away, paint with gray.");
  }
  if (tool !== "select") {
    if (selected >= 0) select(-1);
    sketch = begun(position);
    drag = { kind: "draw" };
    return preview();
  }
  const index = stage.hit(history.edits, position, near);
  select(index);
  if (index >= 0) drag = { kind: "move", from: position };
}

function dragged(positions) {
  if (drag?.kind === "draw") {
    if (sketch.kind === "point") sketch.at = positions.at(-1);
    else (sketch.path ?? sketch.polygon).push(...positions);
    return preview();
  }
  if (drag?.kind !== "move") return;
  const [to] = positions.slice(-1);
  const edit = moved(history.edits[selected], to[0] - drag.from[0], to[1] - drag.from[1]);
  change(history.edits.map((each, i) => (i === selected ? edit : each)));
}

function preview() {
  const edit = finished(sketch);
  if (edit) change([...history.edits, edit]);
}

function released(position, start) {
  const kind = drag?.kind;
  drag = null;
  if (tool === "pick" && !kind) return pick(position);
  if (kind === "move" && changing) return commit(changing, start);
  if (kind !== "draw") return;
  const edit = finished(sketch);
  sketch = null;
  if (!edit) {
    toast("Draw all around the area, then let go.");
    return again();
  }
  commit([...history.edits, edit], start);
  if (edit.color) remember(picker.ab);
}

function cancel() {
  [drag, sketch] = [null, null];
  if (changing) again();
}

function pick(position) {
  useColour(stage.colourAt(position));
  chooseTool("stroke");
}

function hover(position) {
  if (!drag && selected < 0) picker.setLightness(stage.lightnessAt(position));
}

function leave() {
  hover(place);
}

/** Arrow keys move a selected stroke. */
function nudge([dx, dy]) {
  if (selected < 0) return false;
  const [width, height] = photo.size;
  const step = Math.max(width, height) / 200;
  const edit = moved(history.edits[selected], (dx * step) / width, (dy * step) / height);
  commit(history.edits.map((each, i) => (i === selected ? edit : each)));
  return true;
}

const suggestedNow = () => ($("suggest").checked && explained ? explained.suggested : []);

/** A suggested point takes the brush's colour and stays selected: the next colour that is chosen is its own. */
function accept(index) {
  const position = explained.suggested[index];
  place = position;
  picker.setLightness(stage.lightnessAt(position));
  const edit = { kind: "point", at: position, radius: POINT_RADIUS, color: colourOf(picker.ab) };
  explained = { ...explained, suggested: explained.suggested.filter((_, i) => i !== index) };
  commit([...history.edits, edit]);
  select(history.edits.length - 1);
}

// ---------------------------------------------------------------------------------------------- what is shown

function look() {
  return {
    edits: current(),
    selected,
    marksShown: $("show-marks").checked,
    sketch,
    heat: heatNow(),
    suggested: suggestedNow(),
    brush: BRUSHES.includes(tool) ? radiusNow() : 0,
    colour: tool === "eraser" ? "#fff6" : shownColour(picker.ab),
  };
}

function heatNow() {
  const at = stage.cross ?? stage.over;
  if ($("attention").checked && similarity && at) {
    const side = Math.sqrt(Math.sqrt(similarity.rows.data.length));
    const [column, row] = at.map((v) => Math.min(side - 1, Math.floor(v * side)));
    const cell = row * side + column;
    return { values: similarity.rows.data.subarray(cell * side ** 2, (cell + 1) * side ** 2), low: 0, high: 255 };
  }
  if (!$("uncertainty").checked || !explained) return null;
  const values = explained.variance.data;
  return { values, low: Math.min(...values), high: Math.max(...values) };
}

function chooseVersion(index) {
  version = index;
  check($("versions"), $("versions").children[index]);
  lifted = null;
  paint();
  if (!live) return;
  send(true);
  changed();
}

function chooseTool(name) {
  endComparison();
  tool = name;
  stage.marks.dataset.tool = name;
  check($("tools"), document.querySelector(`[data-tool=${name}]`));
  if (name !== "select" && selected >= 0) select(-1);
  if (photo) hint();
  stage.draw();
}

function hint() {
  const hints = {
    stroke: history.edits.length
      ? "A short stroke is enough for a large thing. Wrong? <b>Undo</b>."
      : "Pick a version below. Then choose a colour and <b>paint</b>: it spreads by itself.",
    point: "Click where the colour belongs.",
    region: "Draw around an area to fill it with the colour.",
    eraser: "Wipe over strokes to take their colour away there.",
    select: selected < 0 ? "Drag a stroke to move it, or click it to change it." : "Choose another colour, drag it, or press <b>Delete</b>.",
    pick: "Click on a colour in the picture to paint with it.",
  };
  const views = {
    attention: "Point at something: what is bright looks alike to the model, and shares its colour.",
    uncertainty: "Bright: your strokes do not say the colour there yet.",
    suggest: "Click a number to put a point of colour there; then choose its colour.",
  };
  const keys = "Arrow keys move the cross, <b>Enter</b> paints there.";
  const shown = ["suggest", "attention", "uncertainty"].find((id) => $(id).checked);
  const usual = shown && selected < 0 ? views[shown] : hints[tool];
  $("hint").innerHTML = stage.cross && BRUSHES.includes(tool) ? keys : usual;
}

/** Tells something until the next press of a button or key: a clock would be too quick for some. */
function toast(message) {
  $("toast").textContent = message;
  $("toast").hidden = false;
}

/** To paint one must see where: on the gray half a stroke would seem to do nothing. */
function endComparison() {
  if ($("compare").checked) $("compare").click();
}

async function toggled(id) {
  const more = $(id).closest("details");
  if (more && $(id).checked) more.open = true; // it may have been a key
  if (id === "attention" && $("attention").checked) {
    $("uncertainty").checked = false;
    similarity ??= await similarityOf(photo.session).catch((error) => void toast(told(error)));
  }
  if (id === "uncertainty" && $("uncertainty").checked) $("attention").checked = false;
  if (id === "compare") {
    $("stage").classList.toggle("comparing", $("compare").checked);
    [$("split").hidden, $("divider").hidden] = [!$("compare").checked, !$("compare").checked];
  }
  settle();
  hint();
  stage.draw();
}

// ---------------------------------------------------------------------------------------------- files

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function savePicture() {
  const { edits } = history;
  const button = $("save");
  const label = button.innerHTML;
  button.disabled = true;
  button.textContent = "Saving …";
  try {
    const name = `${photo.name}_coloured.png`;
    download(await pictureOf(photo.session, version, documentOf(plain(edits))), name);
    kept = edits;
    toast(`Saved: ${name}`);
  } catch (error) {
    if (error.status === 404) lost("closed");
    else toast(told(error));
  } finally {
    button.disabled = false;
    button.innerHTML = label;
  }
}

function saveEdits() {
  const text = JSON.stringify(documentOf(plain(history.edits)), null, 1);
  download(new Blob([text], { type: "application/json" }), `${photo.name}_edits.json`);
  kept = history.edits;
}

async function loadEdits(file) {
  try {
    commit(editsOf(JSON.parse(await file.text()), ...photo.size));
    kept = history.edits;
  } catch (error) {
    toast(error instanceof SyntaxError ? `“${file.name}” is not a file of strokes.` : error.message);
  }
}

const isEdits = (file) => file.name.endsWith(".json") || file.type === "application/json";

async function dropped(event) {
  event.preventDefault();
  $("dropping").hidden = $("toast").hidden = true;
  const [file, another] = event.dataTransfer.files;
  if (!file) return toast("That was not a file. Drag a photo from a folder, or use the button.");
  if (isEdits(file) && document.body.dataset.state === "work") return loadEdits(file);
  await openNew(file);
  if (another && photo?.file === file) toast(`One photo at a time: this is “${photo.name}”.`);
}

// ---------------------------------------------------------------------------------------------- wiring

function key(event) {
  const { key, target } = event;
  const letter = key.toLowerCase();
  if (document.body.dataset.state !== "work") return;
  if (event.ctrlKey || event.metaKey) {
    const act = { z: event.shiftKey ? redo : undo, y: redo, s: savePicture, o: () => $("photo-file").click() }[letter];
    if (!act) return;
    event.preventDefault();
    return act();
  }
  if (event.altKey || (target instanceof HTMLInputElement && target.type !== "checkbox" && letter.length > 1)) return;
  if (key === "Delete" || key === "Backspace") return selected >= 0 && remove(selected);
  if (key === "Escape") return drag ? cancel() : select(-1);
  if (key === "[" || key === "]") {
    $("radius").value = Number($("radius").value) + (key === "]" ? 6 : -6);
    return $("radius").dispatchEvent(new Event("change"));
  }
  if (TOOLS[letter]) return chooseTool(TOOLS[letter]);
  if (TOGGLES[letter]) return $(TOGGLES[letter]).click();
  const number = Number(key);
  if (number >= 1 && number <= fields.length) chooseVersion(number - 1);
}

function wire() {
  const on = (id, name, act) => $(id).addEventListener(name, act);
  const chosen = (id, act) =>
    on(id, "change", () => {
      const [file] = $(id).files;
      $(id).value = "";
      if (file) act(file);
    });
  on("open", "click", () => $("photo-file").click());
  on("drop", "click", ({ target }) => target.closest("#example") || $("photo-file").click());
  on("example", "click", async () => open(new File([await (await fetch("example.jpg")).blob()], "example.jpg")));
  chosen("photo-file", openNew);
  chosen("edits-file", loadEdits);
  on("load", "click", () => $("edits-file").click());
  on("save", "click", savePicture);
  on("save-edits", "click", saveEdits);
  on("undo", "click", undo);
  on("redo", "click", redo);
  on("clear", "click", () => commit([]));
  for (const name of ["input", "change"]) {
    on("radius", name, () => {
      if (history.edits[selected]?.radius) alter({ radius: Number(radiusNow().toFixed(5)) }, name === "change");
      stage.draw();
    });
  }
  const showBrush = (position) => {
    stage.over = position;
    stage.draw();
  };
  on("radius", "input", () => showBrush([0.5, 0.5])); // how large it is
  for (const name of ["pointerup", "blur"]) on("radius", name, () => showBrush(null));
  on("exact", "change", () => {
    if (!history.edits[selected]?.color) return;
    const { exact, weight, ...edit } = history.edits[selected];
    const edited = $("exact").checked ? { ...edit, exact: true } : edit;
    commit(history.edits.map((each, i) => (i === selected ? edited : each)));
  });
  for (const id of Object.values(TOGGLES)) on(id, "change", () => toggled(id));
  on("split", "input", () => $("stage").style.setProperty("--split", `${$("split").value}%`));
  for (const name of ["focus", "blur"]) on("marks", name, hint);
  for (const button of document.querySelectorAll("[data-tool]")) {
    button.addEventListener("click", () => chooseTool(button.dataset.tool));
  }
  arrows($("tools"));
  arrows($("versions"));
  for (const name of ["pointerdown", "keydown"]) document.addEventListener(name, () => ($("toast").hidden = true), true);
  window.addEventListener("beforeunload", (event) => unsaved() && event.preventDefault());
  document.addEventListener("keydown", key);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    $("dropping").hidden = false;
  });
  document.addEventListener("dragleave", (event) => ($("dropping").hidden = event.relatedTarget === null));
  document.addEventListener("drop", dropped);
}

wire();
chooseTool("stroke");
showColours($("presets"), presets, useColour);
restore();
