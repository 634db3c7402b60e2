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

const fInverse = (f) => (f > 6 / 29 ? f * f * f : (f - 4 / 29) * (1 / SLOPE));
const cieF = (t) => (t > (6 / 29) ** 3 ? Math.cbrt(t) : SLOPE * t + 4 / 29);
const encode = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
const decode = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);

const BYTES = Uint8Array.from({ length: LEVELS + 1 }, (_, i) => Math.round(255 * encode(i / LEVELS)));

const within = (v) => v >= -TOLERANCE && v <= 1 + TOLERANCE;
const inside = (r, g, b) => within(r) && within(g) && within(b);

function linear(fy, a, b) {
  const x = fInverse(fy + a / 500);
  const y = fInverse(fy);
  const z = fInverse(fy - b / 200);
  return TO_RGB.map((row) => row[0] * x + row[1] * y + row[2] * z);
}

export function inGamut(L, a, b) {
  return inside(...linear((L + 16) / 116, a, b));
}

/** The share of a* and b* that the lightness leaves room for: 1 in gamut. */
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

/** Gamut-mapped sRGB, three bytes. */
export function labToRgb(L, a, b) {
  const share = chromaShare(L, a, b);
  return linear((L + 16) / 116, share * a, share * b).map((v) => BYTES[level(v)]);
}

export function rgbToLab(rgb) {
  const values = rgb.map((v) => decode(v / 255));
  const [x, y, z] = FROM_RGB.map((row) => cieF(row[0] * values[0] + row[1] * values[1] + row[2] * values[2]));
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

export function css(L, a, b) {
  return `rgb(${labToRgb(L, a, b).join(" ")})`;
}

/** a* and b* of a colour of the edits' format. */
export function abOf(color) {
  if (Array.isArray(color?.lab)) return color.lab.slice(1);
  if (Array.isArray(color?.rgb)) return rgbToLab(color.rgb).slice(1);
  const digits = String(color).slice(1);
  const step = digits.length === 3 ? 1 : 2;
  const channels = [0, 1, 2].map((i) => digits.slice(i * step, (i + 1) * step));
  return rgbToLab(channels.map((d) => parseInt(step === 1 ? d + d : d, 16))).slice(1);
}

function level(v) {
  return v <= 0 ? 0 : v >= 1 ? LEVELS : (v * LEVELS + 0.5) | 0;
}

// By the byte that carries L*: f(Y), Y, and what Y adds to red, green and blue.
const ROW = Array.from({ length: 256 }, (_, byte) => (byte / 2.55 + 16) / 116);
const FY = Float64Array.from(ROW);
const PART = TO_RGB.map((row) => Float64Array.from(ROW, (f) => row[1] * fInverse(f)));

/** Where a direction lies around gray, from 0 to 4: as good as an angle, and quicker. */
function directionOf(a, b) {
  const size = Math.abs(a) + Math.abs(b);
  if (b >= 0) return a >= 0 ? b / size : 1 - a / size;
  return a < 0 ? 2 - b / size : 3 + a / size;
}

const limits = new Array(256).fill(null); // by the byte that carries L*

/** Makes the tables of `compose`, which takes 0.1 s: before a stroke has to wait for them. */
export function prepare() {
  for (let byte = 0; byte < limits.length; byte++) limits[byte] ??= limitsAt(byte);
}

/** The largest |a*| + |b*| that this lightness has in each direction; the first again at the end. */
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

/** `chromaShare` out of gamut, from a table. */
function shareOf(byte, a, b) {
  const row = (limits[byte] ??= limitsAt(byte));
  const place = (directionOf(a, b) * DIRECTIONS) / 4;
  const low = Math.min(place | 0, DIRECTIONS - 1);
  const limit = row[low] + (place - low) * (row[low + 1] - row[low]);
  return Math.min(1, limit / (Math.abs(a) + Math.abs(b)));
}

/**
 * Colours on a lightness.
 *
 * @param lightness bytes, L* / 100 * 255, of width x height pixels
 * @param planes {a, b, width, height, top}: CIE ab at another size, spread linearly; its rows from `top` on, 0 by default
 * @param out a Uint32Array of RGBA, one for each pixel of the band
 * @param band [first row, row after the last] of those that are composed
 */
export function compose(lightness, alpha, width, height, planes, out, band = [0, height]) {
  const columns = taps(width, planes.width);
  const rows = taps(height, planes.height);
  const top = planes.top ?? 0;
  const [r0, g0, b0] = [0, 1, 2].map((i) => TO_RGB[i][0]);
  const [r2, g2, b2] = [0, 1, 2].map((i) => TO_RGB[i][2]);
  const [r1, g1, b1] = PART;
  const rowA = new Float32Array(planes.width);
  const rowB = new Float32Array(planes.width);
  for (let y = band[0], p = y * width, at = 0; y < band[1]; y++) {
    const above = (rows.low[y] - top) * planes.width;
    const below = (rows.high[y] - top) * planes.width;
    const v = rows.share[y];
    for (let i = 0; i < planes.width; i++) {
      rowA[i] = planes.a[above + i] + v * (planes.a[below + i] - planes.a[above + i]);
      rowB[i] = planes.b[above + i] + v * (planes.b[below + i] - planes.b[above + i]);
    }
    for (let x = 0; x < width; x++, p++, at++) {
      const low = columns.low[x];
      const high = columns.high[x];
      const u = columns.share[x];
      let a = rowA[low] + u * (rowA[high] - rowA[low]);
      let b = rowB[low] + u * (rowB[high] - rowB[low]);
      const byte = lightness[p];
      const fy = FY[byte];
      let X = fInverse(fy + a * 0.002);
      let Z = fInverse(fy - b * 0.005);
      let red = r0 * X + r2 * Z + r1[byte];
      let green = g0 * X + g2 * Z + g1[byte];
      let blue = b0 * X + b2 * Z + b1[byte];
      if (!inside(red, green, blue)) {
        const share = shareOf(byte, a, b);
        a *= share;
        b *= share;
        X = fInverse(fy + a * 0.002);
        Z = fInverse(fy - b * 0.005);
        red = r0 * X + r2 * Z + r1[byte];
        green = g0 * X + g2 * Z + g1[byte];
        blue = b0 * X + b2 * Z + b1[byte];
      }
      const opaque = alpha ? alpha[p] : 255;
      out[at] = (opaque << 24) | (BYTES[level(blue)] << 16) | (BYTES[level(green)] << 8) | BYTES[level(red)];
    }
  }
}

/** The rows of planes that a band of rows is composed of. */
export function rowsFor([first, stop], height, planesHeight) {
  const { low, high } = taps(height, planesHeight);
  return [low[first], high[stop - 1] + 1];
}

/** Linear interpolation of `source` samples to `size`, corners aligned. */
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
