// What the page knows, and what follows from it alone. Commands change it, through `Studio.change`; views show it.

import { documentOf, extended, historyOf, shownColor } from "./edits.js";
import { WHOLE } from "./zoom.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./lab.js").Plane} Plane */
/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {import("./edits.js").Edits} Edits */
/** @typedef {import("./edits.js").History} History */
/** @typedef {import("./edits.js").Kind} Kind */
/** @typedef {import("./painters.js").Layers} Layers */
/** @typedef {import("./painters.js").Lifted} Lifted */
/** @typedef {import("./server.js").Conversation} Conversation */
/** @typedef {import("./server.js").Explained} Explained */
/** @typedef {import("./server.js").Similarity} Similarity */
/** @typedef {import("./server.js").Times} Times */
/** @typedef {import("./edits.js").Reach} Reach */
/** @typedef {"stroke" | "point" | "region" | "lock" | "eraser" | "select" | "pick"} Tool */
/** @typedef {"compare" | "show-marks" | "attention" | "uncertainty" | "suggest"} Toggle */
/** @typedef {{ name: string, ab: Pair, shown: string }} Swatch a colour to choose, with its CSS */
/** @typedef {{ kind: "draw" | "corners" } | { kind: "move", from: Pair }} Drag corners: those of the keyboard */
/** @typedef {{ strength: number, saturation: number }} Tone percent, as the sliders have it; all of both by default */
/** @typedef {Readonly<Record<number, Tone>>} Tones of the versions that do not have the default */
/**
 * Work of the user on a photo; series: of photos that were opened together, and its place among them.
 *
 * @typedef {{ id: string, place: number }} Series
 * @typedef {{ project?: string, name: string, edits: Edits, version: number, tones?: Tones, series?: Series }} Work
 */
/** @typedef {{ values: ArrayLike<number>, low: number, high: number }} Heat of a square of cells, row by row */

/**
 * @typedef {object} Photo
 * @property {string} session
 * @property {string} project its id in `projects.js`
 * @property {string} name
 * @property {Series} [series]
 * @property {File} [file] where it was opened on this page
 * @property {Pair} size width and height, in pixels
 * @property {number[]} weights of the versions
 * @property {Plane} lightness
 * @property {Plane} guide
 * @property {Plane | null} alpha
 */

/**
 * @typedef {object} Sent the newest message of edits
 * @property {number} id
 * @property {string} text
 * @property {boolean} committed
 * @property {boolean} refused
 * @property {Times | null} times of its answer
 */

/**
 * @typedef {object} Controls what the page's own inputs say at first
 * @property {number} radius 1 to 100, as the slider of the brush's size
 * @property {boolean} exact
 * @property {boolean} closed whether nothing leaves an area
 * @property {Reach} reach
 * @property {number} strength of the brush, as its slider has it: 0 to 100
 * @property {number} split percent, where before ends and after begins
 * @property {string} format what is saved: a picture's suffix, or "both", "layer" or "masks"
 * @property {Record<Toggle, boolean>} toggles
 */

/**
 * @typedef {object} Held
 * @property {"start" | "work"} screen
 * @property {string | null} opening the address of the photo that is being opened
 * @property {boolean} dropping whether a file is held over the page
 * @property {boolean} helping whether the list of keys is open
 * @property {string | null} toast
 * @property {string} said what the keys have done, for who cannot see it
 * @property {Photo | null} photo
 * @property {Conversation | null} live
 * @property {History} history
 * @property {Edits | null} changing edits while the pointer moves, before they are committed
 * @property {Edit | null} sketch the edit being drawn
 * @property {Drag | null} drag
 * @property {number} selected the index of an edit, or -1
 * @property {Edits | null} kept the edits that were saved last, as a picture or as strokes
 * @property {Work | null} orphaned whose photo the server has closed, for when it is opened again
 * @property {readonly import("./projects.js").Project[]} projects that this browser keeps, the newest first
 * @property {string | null} photoKept the project whose photo is kept
 * @property {boolean} saving
 * @property {number} version
 * @property {Tones} tones
 * @property {readonly Float32Array[]} fields of each version: the chosen one's under the newest edits, the others'
 *   under those before the last pause
 * @property {Lifted | null} lifted of the chosen version, where exact edits need the server's own
 * @property {Layers | null} layers of the chosen version, where closed areas or locks have answers of their own
 * @property {import("./zoom.js").View} view
 * @property {Detail | null} detail of the chosen version under the newest edits
 * @property {{ id: number, box: number[] } | null} detailAsked the newest that was asked for
 * @property {number | undefined} resting the timer of the detail
 * @property {number | undefined} finishing the timer of the refined one
 * @property {Tool} tool
 * @property {Pair} ab of the brush
 * @property {number} lightness L* under the pointer
 * @property {readonly Swatch[]} recent
 * @property {Pair} place of the last press: its lightness counts while the pointer is not on the photo
 * @property {Pair | null} over where the pointer is
 * @property {Pair | null} cross that the arrow keys move
 * @property {Explained | null} explained
 * @property {Similarity | null} similarity
 * @property {number} nextId
 * @property {Sent | null} lastSent
 * @property {{ id: number, start: number } | null} release what the time from the mouse's release is measured for
 * @property {number} shownId of the newest answer
 * @property {number} paintedId of the answer that the picture shows
 * @property {boolean} busy whether the picture is still to follow
 * @property {number | undefined} idle the timer of what is not urgent
 */

/**
 * @typedef {object} Detail a part of the photo at the screen's own resolution
 * @property {Uint8Array} pixels RGBA
 * @property {Pair} size of the part, in its pixels
 * @property {number[]} box left, top, right and bottom, in fractions of the photo
 */

/** @typedef {Controls & Held} State */

/**
 * @typedef {object} Studio what commands act on
 * @property {Readonly<State>} state
 * @property {(changes: Partial<State>) => void} change
 * @property {import("./stage.js").Stage} stage
 * @property {import("./painters.js").Painters} painters
 */

const PLANE = [25, 85]; // L* of the colours to choose from: darker and lighter there are too few
const MOST_RECENT = 12;
const [SMALLEST, LARGEST] = [1, 100]; // of the slider
/** @type {readonly Tool[]} */
const BRUSHES = ["stroke", "point", "eraser"];
/** @type {readonly ("suggest" | "attention" | "uncertainty")[]} */
const EXPLAINED = ["suggest", "attention", "uncertainty"];
const HINTS = {
  first: "Pick a version below. Then choose a colour and <b>paint</b>: it spreads by itself.",
  stroke: "A short stroke is enough for a large thing. Wrong? <b>Undo</b>.",
  point: "Click where the colour belongs.",
  region: "Draw around an area to fill it with the colour.",
  lock: "Draw around what is to stay as it is now.",
  eraser: "Wipe over strokes to take their colour away there.",
  select: "Drag a stroke to move it, or click it to change it.",
  selected: "Choose another colour, drag it, or press <b>Delete</b>.",
  pick: "Click on a colour in the picture to paint with it.",
  attention: "Point at something: what is bright looks alike to the model, and shares its colour.",
  uncertainty: "Bright: your strokes do not say the colour there yet.",
  suggest: "Click a number to put a point of colour there; then choose its colour.",
  keys: "Arrow keys move the cross, <b>Enter</b> paints there.",
  corners: "<b>Enter</b> puts a corner; on the first one, or twice, it closes the area. <b>Esc</b> gives it up.",
};

/** Of a photo that was opened just now. */
export const untouched = {
  changing: null,
  sketch: null,
  drag: null,
  selected: -1,
  lifted: null,
  layers: null,
  view: WHOLE,
  detail: null,
  detailAsked: null,
  explained: null,
  similarity: null,
  lastSent: null,
  release: null,
  shownId: 0,
  paintedId: 0,
};

/**
 * @param {Controls} controls
 * @returns {State}
 */
export function stateAtFirst(controls) {
  return {
    ...controls,
    ...untouched,
    screen: "start",
    opening: null,
    dropping: false,
    helping: false,
    said: "",
    toast: null,
    photo: null,
    live: null,
    history: historyOf([]),
    kept: null,
    orphaned: null,
    projects: [],
    photoKept: null,
    saving: false,
    version: 0,
    tones: {},
    fields: [],
    tool: "stroke",
    ab: [60, 42],
    lightness: 60,
    recent: [],
    place: [0.5, 0.5],
    over: null,
    cross: null,
    nextId: 1,
    busy: false,
    idle: undefined,
    resting: undefined,
    finishing: undefined,
  };
}

/** @param {Readonly<State>} state */
export const currentEdits = ({ changing, history }) => changing ?? history.edits;

/** @type {Tone} */
export const PLAIN = { strength: 100, saturation: 100 };

/**
 * Of the shown version.
 *
 * @param {Readonly<State>} state
 */
export const toneOf = ({ tones, version }) => tones[version] ?? PLAIN;

/**
 * What a picture of the chosen version shows, as the server is told it.
 *
 * @param {Readonly<State>} state
 * @param {Edits} edits
 * @returns {import("./server.js").Shown}
 */
export const shownOf = ({ version, tones }, edits) => ({
  version,
  document: documentOf(edits),
  tones: sentTones(tones),
});

/**
 * @param {Tones} tones
 * @returns {import("./server.js").SentTones}
 */
export const sentTones = (tones) =>
  Object.fromEntries(
    Object.entries(tones).map(([version, { strength, saturation }]) => [version, [strength / 100, saturation / 100]]),
  );

/**
 * Tones, with that of one version made another.
 *
 * @param {Tones} tones
 * @param {number} version
 * @param {Tone} tone
 * @returns {Tones}
 */
export function withTone(tones, version, tone) {
  const others = Object.entries(tones).filter(([each]) => Number(each) !== version);
  const plain = tone.strength === PLAIN.strength && tone.saturation === PLAIN.saturation;
  return Object.fromEntries(plain ? others : [...others, [version, tone]]);
}

/**
 * The photos that were opened together with this one, in order, itself among them.
 *
 * @param {Readonly<State>} state
 */
export function seriesOf({ projects, photo }) {
  const own = projects.filter(({ series }) => series && series.id === photo?.series?.id);
  return own.sort((a, b) => (a.series?.place ?? 0) - (b.series?.place ?? 0));
}

/** @param {Readonly<State>} state */
export const unsaved = ({ photo, history, kept }) =>
  photo !== null && history.edits.length > 0 && history.edits !== kept;

/**
 * Another history; an edit that it does not have is not selected any more.
 *
 * @param {Readonly<State>} state
 * @param {History} history
 */
export function withHistory({ selected }, history) {
  return { history, changing: null, selected: selected < history.edits.length ? selected : -1 };
}

/**
 * In shorter sides of the photo.
 *
 * @param {Readonly<State>} state
 */
export const radiusOf = ({ radius }) => Number((0.002 + 0.1 * (radius / 100) ** 2).toFixed(5));

/**
 * Where the slider stands for a radius in shorter sides of the photo.
 *
 * @param {number} radius
 */
export const sliderOf = (radius) => inSlider(Math.round(100 * Math.sqrt(Math.max(0, radius - 0.002) / 0.1)));

/** @param {number} value */
export const inSlider = (value) => Math.max(SMALLEST, Math.min(LARGEST, value));

/**
 * As the buttons and the plane of colours have it, to a tenth.
 *
 * @param {Pair} ab
 * @returns {Pair}
 */
export const rounded = ([a, b]) => [Math.round(a * 10) / 10, Math.round(b * 10) / 10];

/** @param {Readonly<State>} state */
export const planeLightness = ({ lightness }) => Math.max(PLANE[0], Math.min(PLANE[1], lightness));

/**
 * Of the brush, in the edits' format.
 *
 * @param {Readonly<State>} state
 * @returns {{ lab: [number, number, number] }}
 */
export const brushColor = (state) => ({ lab: [Math.round(planeLightness(state)), ...state.ab] });

/**
 * The colours that were chosen last, and one more.
 *
 * @param {readonly Swatch[]} recent
 * @param {Pair} ab
 */
export function remembered(recent, ab) {
  const name = `Recent colour, a ${Math.round(ab[0])}, b ${Math.round(ab[1])}`;
  return [{ name, ab, shown: shownColor(ab) }, ...recent.filter((each) => each.name !== name)].slice(0, MOST_RECENT);
}

/**
 * What the brush begins at a position.
 *
 * @param {Readonly<State>} state
 * @param {Pair} position
 * @returns {Edit}
 */
export function begun(state, position) {
  const radius = radiusOf(state);
  const colored = (/** @type {Kind} */ kind) => ({ color: brushColor(state), ...traitsOf(kind, state) });
  if (state.tool === "point") return { kind: "point", at: position, radius, ...colored("point") };
  if (state.tool === "region") return { kind: "region", polygon: [position], ...colored("region") };
  if (state.tool === "lock") return { kind: "lock", polygon: [position] };
  if (state.tool === "eraser") return { kind: "eraser", path: [position], radius };
  return { kind: "stroke", path: [position], radius, ...colored("stroke") };
}

/**
 * @param {Readonly<State>} state
 * @returns {readonly Pair[]}
 */
export const suggestedNow = ({ toggles, explained }) => (toggles.suggest && explained ? explained.suggested : []);

/**
 * What the strength's slider stands for: 1 in its middle, a hundredth and a hundred at its ends.
 *
 * @param {number} slider
 */
export const strengthOf = (slider) => Number((100 ** ((slider - 50) / 50)).toPrecision(3));

/** @param {number} strength */
export const strengthSlider = (strength) => Math.round(50 + 25 * Math.log10(strength));

/**
 * What of an edit its controls say; what is the default is left out.
 *
 * @param {Kind} kind
 * @param {{ exact: boolean, closed: boolean, reach: Reach, strength: number }} controls
 * @returns {Partial<Edit>}
 */
export function traitsOf(kind, { exact, closed, reach, strength }) {
  const amount = strengthOf(strength);
  return {
    ...(exact ? { exact } : amount === 1 ? {} : { strength: amount }),
    ...(closed && kind === "region" ? { closed } : reach === "alike" ? {} : { reach }),
  };
}

/**
 * L* of the photo.
 *
 * @param {Plane} lightness
 * @param {Pair} position
 */
export function lightnessAt({ data, width, height }, [x, y]) {
  const [column, row] = [Math.floor(x * width), Math.floor(y * height)];
  return data[Math.min(height - 1, row) * width + Math.min(width - 1, column)] / 2.55;
}

/** @param {Readonly<State>} state */
export function overlayOf(state) {
  const { toggles, selected, sketch, drag, tool, ab, cross, over } = state;
  return {
    edits: currentEdits(state),
    selected,
    marksShown: toggles["show-marks"],
    sketch: drag?.kind === "corners" && sketch && cross ? extended(sketch, [cross]) : sketch,
    heat: heatOf(state),
    suggested: suggestedNow(state),
    brush: BRUSHES.includes(tool) ? radiusOf(state) : 0,
    color: tool === "eraser" ? "#fff6" : shownColor(ab),
    center: cross ?? over,
    cross,
  };
}

/**
 * What the pointer's place is alike to, or where the strokes do not say the colour yet.
 *
 * @param {Readonly<State>} state
 * @returns {Heat | null}
 */
function heatOf({ toggles, similarity, explained, cross, over }) {
  const at = cross ?? over;
  if (toggles.attention && similarity && at) {
    const rows = similarity.rows.data;
    const side = Math.sqrt(Math.sqrt(rows.length));
    const [column, row] = at.map((v) => Math.min(side - 1, Math.floor(v * side)));
    const cell = row * side + column;
    return { values: rows.subarray(cell * side ** 2, (cell + 1) * side ** 2), low: 0, high: 255 };
  }
  if (!toggles.uncertainty || !explained) return null;
  const values = explained.variance.data;
  return { values, low: Math.min(...values), high: Math.max(...values) };
}

/**
 * HTML of what can be done now.
 *
 * @param {Readonly<State>} state
 */
export function hintOf({ tool, history, selected, toggles, cross }) {
  if (cross && BRUSHES.includes(tool)) return HINTS.keys;
  if (cross && (tool === "region" || tool === "lock")) return HINTS.corners;
  const explained = EXPLAINED.find((name) => toggles[name]);
  if (explained && selected < 0) return HINTS[explained];
  if (tool === "stroke" && !history.edits.length) return HINTS.first;
  return HINTS[tool === "select" && selected >= 0 ? "selected" : tool];
}
