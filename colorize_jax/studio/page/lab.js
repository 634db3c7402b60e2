// CIE Lab (D65) and sRGB at fixed lightness and hue, as colorize_jax/color.py has it: the reasons stand there.

// Rows: X, Y and Z relative to the white point, to linear sRGB and back.
const TO_RGB = [
  [3.0803990906794643, -1.537383177570094, -0.5430159131093711],
  [-0.9212233588602765, 1.8759675015077202, 0.04525585735255629],
  [0.052873938970364465, -0.2039769588889765, 1.1511030199186119],
];
const FROM_RGB = [
  [0.4338873455660398, 0.37622400913749887, 0.18988864529646146],
  [0.21263900587151027, 0.715168678767756, 0.07219231536073371],
  [0.017750040070973232, 0.10944762085523847, 0.8728023390737883],
];
const SLOPE = (29 / 6) ** 2 / 3;
const TOLERANCE = 1e-4; // of the gamut, in linear light
const BISECTIONS = 8; // of the chroma: to 1/256 of it
const LEVELS = 65535;
const DIRECTIONS = 512; // of a* and b*, all around gray
const FURTHEST = 300; // |a*| + |b*| beyond every colour of sRGB
const LIMIT_BISECTIONS = 12;

/** @typedef {[number, number]} Pair a* and b* of CIE Lab; or x and y, in fractions of the photo */
/** @typedef {[number, number, number]} Triple */
/** @typedef {string | { lab: Triple } | { rgb: Triple }} Color of the edits' format */
/** @typedef {{ data: Uint8Array, width: number, height: number }} Plane a byte for each pixel */

/**
 * @typedef {object} AbPlanes CIE a* and b* of a picture, or of a band of its rows
 * @property {ArrayLike<number>} a
 * @property {ArrayLike<number>} b
 * @property {number} width
 * @property {number} height of the whole picture
 * @property {number} [top] the first row of the band; 0 by default
 */

/**
 * @typedef {object} Taps where each sample lies between two others
 * @property {Int32Array} low
 * @property {Int32Array} high
 * @property {Float32Array} share of the way from low to high
 */

/** @typedef {(value: number) => number} Curve */

/** @type {Curve} */
const fInverse = (f) => (f > 6 / 29 ? f * f * f : (f - 4 / 29) * (1 / SLOPE));
/** @type {Curve} */
const cieF = (t) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : SLOPE * t + 4 / 29);
/** @type {Curve} */
const encode = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
/** @type {Curve} */
const decode = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

const BYTES = Uint8Array.from({ length: LEVELS + 1 }, (_, i) => Math.round(255 * encode(i / LEVELS)));

/** @param {number} v */
const within = (v) => v >= -TOLERANCE && v <= 1 + TOLERANCE;
/** @type {(r: number, g: number, b: number) => boolean} */
const inside = (r, g, b) => within(r) && within(g) && within(b);

/**
 * Linear sRGB.
 *
 * @param {number} fy f(Y)
 * @param {number} a
 * @param {number} b
 * @returns {Triple}
 */
function linear(fy, a, b) {
  const x = fInverse(fy + a / 500);
  const y = fInverse(fy);
  const z = fInverse(fy - b / 200);
  return triple((i) => TO_RGB[i][0] * x + TO_RGB[i][1] * y + TO_RGB[i][2] * z);
}

/** @type {(of: (channel: number) => number) => Triple} */
const triple = (of) => [of(0), of(1), of(2)];

/**
 * @param {number} L
 * @param {number} a
 * @param {number} b
 */
export function inGamut(L, a, b) {
  return inside(...linear((L + 16) / 116, a, b));
}

/**
 * The share of a* and b* that the lightness leaves room for: 1 in gamut.
 *
 * @param {number} L
 * @param {number} a
 * @param {number} b
 */
export function chromaShare(L, a, b) {
  if (inGamut(L, a, b)) return 1;
  let low = 0;
  let high = 1;
  for (let step = 0; step < BISECTIONS; step++) {
    const middle = (low + high) / 2;
    if (inGamut(L, middle * a, middle * b)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Gamut-mapped sRGB, three bytes.
 *
 * @param {number} L
 * @param {number} a
 * @param {number} b
 * @returns {Triple}
 */
export function labToRgb(L, a, b) {
  const share = chromaShare(L, a, b);
  const values = linear((L + 16) / 116, share * a, share * b);
  return triple((i) => BYTES[level(values[i])]);
}

/**
 * @param {Triple} rgb bytes
 * @returns {Triple}
 */
export function rgbToLab(rgb) {
  const values = rgb.map((v) => decode(v / 255));
  const [x, y, z] = FROM_RGB.map((row) => cieF(row[0] * values[0] + row[1] * values[1] + row[2] * values[2]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/**
 * @param {number} L
 * @param {number} a
 * @param {number} b
 */
export function css(L, a, b) {
  return `rgb(${labToRgb(L, a, b).join(" ")})`;
}

/**
 * a* and b* of a colour of the edits' format.
 *
 * @param {Color} color
 * @returns {Pair}
 */
export function abOf(color) {
  const [, a, b] = labOf(color);
  return [a, b];
}

/**
 * @param {Color} color
 * @returns {Triple}
 */
function labOf(color) {
  /** @type {{ lab?: unknown, rgb?: unknown }} */
  const { lab, rgb } = Object(color); // a file may hold anything; what is wrong with it, the server tells
  if (Array.isArray(lab)) return /** @type {Triple} */ (lab);
  if (Array.isArray(rgb)) return rgbToLab(/** @type {Triple} */ (rgb));
  const digits = String(color).slice(1);
  const step = digits.length === 3 ? 1 : 2;
  const channel = (/** @type {number} */ i) => digits.slice(i * step, (i + 1) * step).repeat(3 - step);
  return rgbToLab(triple((i) => parseInt(channel(i), 16)));
}

/** @param {number} v */
function level(v) {
  return v <= 0 ? 0 : v >= 1 ? LEVELS : (v * LEVELS + 0.5) | 0;
}

// By the byte that carries L*: f(Y), Y, and what Y adds to red, green and blue.
const ROW = Array.from({ length: 256 }, (_, byte) => (byte / 2.55 + 16) / 116);
const FY = Float64Array.from(ROW);
const PART = TO_RGB.map((row) => Float64Array.from(ROW, (f) => row[1] * fInverse(f)));

/**
 * Where a direction lies around gray, from 0 to 4: as good as an angle, and quicker.
 *
 * @param {number} a
 * @param {number} b
 */
function directionOf(a, b) {
  const size = Math.abs(a) + Math.abs(b);
  if (b >= 0) return a >= 0 ? b / size : 1 - a / size;
  return a < 0 ? 2 - b / size : 3 + a / size;
}

/** @type {(Float32Array | null)[]} by the byte that carries L* */
const limits = new Array(256).fill(null);

/** Makes the tables of `compose`, which takes 0.1 s: before a stroke has to wait for them. */
export function prepare() {
  for (let byte = 0; byte < limits.length; byte++) limits[byte] ??= limitsAt(byte);
}

/**
 * The largest |a*| + |b*| that this lightness has in each direction; the first again at the end.
 *
 * @param {number} byte
 */
function limitsAt(byte) {
  const row = new Float32Array(DIRECTIONS + 1);
  for (let i = 0; i <= DIRECTIONS; i++) {
    const place = (4 * i) / DIRECTIONS;
    const a = place < 2 ? 1 - place : place - 3;
    const b = place < 1 ? place : place < 3 ? 2 - place : place - 4;
    let least = 0;
    let most = FURTHEST;
    for (let step = 0; step < LIMIT_BISECTIONS; step++) {
      const middle = (least + most) / 2;
      if (inGamut(byte / 2.55, middle * a, middle * b)) least = middle;
      else most = middle;
    }
    row[i] = least;
  }
  return row;
}

/**
 * `chromaShare` out of gamut, from a table.
 *
 * @param {number} byte
 * @param {number} a
 * @param {number} b
 */
function shareOf(byte, a, b) {
  const row = (limits[byte] ??= limitsAt(byte));
  const place = (directionOf(a, b) * DIRECTIONS) / 4;
  const low = Math.min(place | 0, DIRECTIONS - 1);
  const limit = row[low] + (place - low) * (row[low + 1] - row[low]);
  return Math.min(1, limit / (Math.abs(a) + Math.abs(b)));
}

const [[R_X, , R_Z], [G_X, , G_Z], [B_X, , B_Z]] = TO_RGB;
const [R_Y, G_Y, B_Y] = PART;

/**
 * Colours on a lightness.
 *
 * @param {Uint8Array} lightness bytes, L* / 100 * 255, of width x height pixels
 * @param {Uint8Array | null | undefined} alpha bytes; opaque without
 * @param {number} width
 * @param {number} height
 * @param {AbPlanes} planes of any size, spread linearly
 * @param {Uint32Array} out RGBA, one for each pixel of the band
 * @param {Pair} band [first row, row after the last] of those that are composed
 */
export function compose(lightness, alpha, width, height, planes, out, band = [0, height]) {
  const columns = taps(width, planes.width);
  const rows = taps(height, planes.height);
  const top = planes.top ?? 0;
  const rowA = new Float32Array(planes.width);
  const rowB = new Float32Array(planes.width);
  for (let y = band[0]; y < band[1]; y++) {
    const above = (rows.low[y] - top) * planes.width;
    const below = (rows.high[y] - top) * planes.width;
    const v = rows.share[y];
    for (let i = 0; i < planes.width; i++) {
      rowA[i] = planes.a[above + i] + v * (planes.a[below + i] - planes.a[above + i]);
      rowB[i] = planes.b[above + i] + v * (planes.b[below + i] - planes.b[above + i]);
    }
    composeRow(lightness, alpha, y * width, columns, rowA, rowB, out, (y - band[0]) * width);
  }
}

/**
 * One row of `compose`.
 *
 * @param {Uint8Array} lightness
 * @param {Uint8Array | null | undefined} alpha
 * @param {number} first of the row's pixels in lightness and alpha
 * @param {Taps} columns
 * @param {Float32Array} rowA
 * @param {Float32Array} rowB
 * @param {Uint32Array} out
 * @param {number} at of the row's pixels in out, the first
 */
function composeRow(lightness, alpha, first, columns, rowA, rowB, out, at) {
  const { low, high, share: between } = columns;
  for (let x = 0, p = first; x < low.length; x++, p++, at++) {
    const u = between[x];
    let a = rowA[low[x]] + u * (rowA[high[x]] - rowA[low[x]]);
    let b = rowB[low[x]] + u * (rowB[high[x]] - rowB[low[x]]);
    const byte = lightness[p];
    const fy = FY[byte];
    let X = fInverse(fy + a * 0.002);
    let Z = fInverse(fy - b * 0.005);
    let red = R_X * X + R_Z * Z + R_Y[byte];
    let green = G_X * X + G_Z * Z + G_Y[byte];
    let blue = B_X * X + B_Z * Z + B_Y[byte];
    if (!inside(red, green, blue)) {
      const share = shareOf(byte, a, b);
      a *= share;
      b *= share;
      X = fInverse(fy + a * 0.002);
      Z = fInverse(fy - b * 0.005);
      red = R_X * X + R_Z * Z + R_Y[byte];
      green = G_X * X + G_Z * Z + G_Y[byte];
      blue = B_X * X + B_Z * Z + B_Y[byte];
    }
    const opaque = alpha ? alpha[p] : 255;
    out[at] = (opaque << 24) | (BYTES[level(blue)] << 16) | (BYTES[level(green)] << 8) | BYTES[level(red)];
  }
}

/**
 * The rows of planes that a band of rows is composed of.
 *
 * @param {Pair} band
 * @param {number} height
 * @param {number} planesHeight
 * @returns {Pair}
 */
export function rowsFor([first, stop], height, planesHeight) {
  const { low, high } = taps(height, planesHeight);
  return [low[first], high[stop - 1] + 1];
}

/**
 * Linear interpolation of `source` samples to `size`, corners aligned.
 *
 * @param {number} size
 * @param {number} source
 * @returns {Taps}
 */
function taps(size, source) {
  const low = new Int32Array(size);
  const high = new Int32Array(size);
  const share = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const place = Math.max(0, Math.min(source - 1, ((i + 0.5) * source) / size - 0.5));
    low[i] = Math.floor(place);
    high[i] = Math.min(source - 1, low[i] + 1);
    share[i] = place - low[i];
  }
  return { low, high, share };
}
