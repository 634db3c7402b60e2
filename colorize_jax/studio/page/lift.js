// Joint bilateral upsampling with one back-projection, as colorize_jax/photos/upsample.py has it: the reasons stand
// there. Its weights depend on the lightness alone, so they are computed once a photo.

const REACH = 2;
const TAPS = 25;
const SIGMA_SPACE = 0.6; // cells
const SIGMA_RANGE = 12; // L*
const RANGE_FLOOR = 1e-4;

/** @typedef {import("./lab.js").Pair} Pair */

/**
 * How the pixels of one axis lie in the cells.
 *
 * @param {number} pixels
 * @param {number} cells
 */
function axisOf(pixels, cells) {
  const edges = Array.from({ length: cells + 1 }, (_, i) => Math.ceil((i * pixels) / cells - 0.5));
  const own = new Int32Array(pixels);
  for (let cell = 0; cell < cells; cell++) own.fill(cell, edges[cell], edges[cell + 1]);
  const spatial = new Float32Array(pixels * 5);
  for (let i = 0; i < pixels; i++) {
    const position = ((i + 0.5) * cells) / pixels - 0.5;
    for (let k = 0; k < 5; k++) {
      const distance = position - (own[i] + k - REACH);
      spatial[5 * i + k] = Math.exp(-(distance ** 2) / (2 * SIGMA_SPACE ** 2));
    }
  }
  return { edges, own, spatial };
}

/**
 * The 25 cells around each cell, row by row; beyond the border its cells repeat.
 *
 * @param {number} side
 */
function windowsOf(side) {
  const cells = new Int32Array(side * side * TAPS);
  const clamp = (/** @type {number} */ i) => Math.max(0, Math.min(side - 1, i));
  for (let cell = 0, k = 0; cell < side * side; cell++) {
    for (let dy = -REACH; dy <= REACH; dy++) {
      for (let dx = -REACH; dx <= REACH; dx++, k++) {
        cells[k] = clamp(Math.floor(cell / side) + dy) * side + clamp((cell % side) + dx);
      }
    }
  }
  return cells;
}

/**
 * Taps of Keys' cubic (a = -1/2) from `source` samples to `size` more; those beyond the border are left out.
 *
 * @param {number} size
 * @param {number} source
 */
function cubicOf(size, source) {
  const first = new Int32Array(size);
  const weights = new Float32Array(size * 4);
  for (let i = 0; i < size; i++) {
    const center = ((i + 0.5) * source) / size - 0.5;
    first[i] = Math.floor(center) - 1;
    let sum = 0;
    for (let k = 0; k < 4; k++) {
      const d = Math.abs(first[i] + k - center);
      const value = d < 1 ? (1.5 * d - 2.5) * d * d + 1 : d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
      const kept = first[i] + k >= 0 && first[i] + k < source ? value : 0;
      weights[4 * i + k] = kept;
      sum += kept;
    }
    for (let k = 0; k < 4; k++) weights[4 * i + k] /= sum;
  }
  return { first, weights };
}

export class Lift {
  /**
   * @param {Uint8Array} guide bytes, L* / 100 * 255, of width x height pixels, at least two a cell
   * @param {number} width
   * @param {number} height
   * @param {number} side cells of the field's
   * @param {Pair} band [first row, row after the last] of those that are lifted
   */
  constructor(guide, width, height, side, band) {
    this.width = width;
    this.height = height;
    this.side = side;
    this.band = band;
    this.columns = axisOf(width, side);
    this.rows = axisOf(height, side);
    this.windows = windowsOf(side);
    this.cubic = [cubicOf(width, side), cubicOf(height, side)];
    const pixels = (band[1] - band[0]) * width;
    this.a = new Float32Array(pixels);
    this.b = new Float32Array(pixels);
    this.count = new Float64Array(side * side); // pixels of a cell
    this.weights = new Float32Array(pixels * TAPS);
    this.mean = new Float64Array(side * side * TAPS); // of the weights over the pixels of a cell
    // Of the field that is lifted: what lies around each cell, and what the weights miss, across; rows done.
    this.near = new Float32Array(0);
    this.wide = new Float32Array(0);
    this.done = band[0];
    this.#weigh(Float32Array.from(guide, (byte) => byte / 2.55));
  }

  /** @param {Float32Array} lightness */
  #weigh(lightness) {
    const { width, height, side, rows, columns, windows, band } = this;
    const sums = new Float64Array(side * side);
    for (let p = 0; p < width * height; p++) {
      const cell = this.#cell(p);
      sums[cell] += lightness[p];
      this.count[cell]++;
    }
    const weights = new Float32Array(TAPS);
    // All pixels of the cells whose correction reaches into the band, which is two rows of cells further.
    const above = rows.edges[Math.max(0, rows.own[band[0]] - REACH)];
    const below = rows.edges[Math.min(side, rows.own[band[1] - 1] + REACH + 1)];
    for (let p = above * width; p < below * width; p++) {
      const cell = this.#cell(p);
      const x = 5 * (p % width);
      const y = 5 * Math.floor(p / width);
      let sum = 0;
      for (let k = 0; k < TAPS; k++) {
        const near = windows[cell * TAPS + k];
        const difference = lightness[p] - sums[near] / this.count[near];
        const alike = Math.exp(-(difference ** 2) / (2 * SIGMA_RANGE ** 2)) + RANGE_FLOOR;
        const weight = alike * columns.spatial[x + (k % 5)] * rows.spatial[y + Math.floor(k / 5)];
        weights[k] = weight;
        sum += weight;
      }
      for (let k = 0; k < TAPS; k++) {
        weights[k] /= sum;
        this.mean[cell * TAPS + k] += weights[k] / this.count[cell];
      }
      if (p >= band[0] * width && p < band[1] * width) this.weights.set(weights, (p - band[0] * width) * TAPS);
    }
  }

  /** @param {number} p */
  #cell(p) {
    return this.rows.own[Math.floor(p / this.width)] * this.side + this.columns.own[p % this.width];
  }

  /**
   * Takes a field to lift rows of.
   *
   * @param {Float32Array} field CIE ab cell by cell [a, b, a, b, ...]
   */
  begin(field) {
    const cells = this.side ** 2;
    const near = new Float32Array(2 * cells * TAPS);
    const missed = new Float32Array(2 * cells);
    for (let cell = 0; cell < cells; cell++) {
      for (let channel = 0; channel < 2; channel++) {
        let mean = 0;
        for (let k = cell * TAPS; k < (cell + 1) * TAPS; k++) {
          const value = field[2 * this.windows[k] + channel];
          near[2 * k + channel] = value;
          mean += this.mean[k] * value;
        }
        missed[2 * cell + channel] = field[2 * cell + channel] - mean;
      }
    }
    this.near = near;
    this.wide = this.#across(missed);
    this.done = this.band[0];
  }

  /**
   * The planes of the band, lifted up to a row; the next field overwrites them.
   *
   * @param {number} stop
   */
  upTo(stop) {
    this.#correct(this.done, stop);
    this.#add(this.done, stop);
    this.done = Math.max(this.done, stop);
    return { a: this.a, b: this.b, width: this.width, height: this.height, top: this.band[0] };
  }

  /** @param {Float32Array} missed */
  #across(missed) {
    const { width, side } = this;
    const [across] = this.cubic;
    const wide = new Float32Array(2 * width * side);
    for (let row = 0; row < side; row++) {
      for (let x = 0; x < width; x++) {
        for (let k = 0; k < 4; k++) {
          const weight = across.weights[4 * x + k];
          if (weight === 0) continue;
          const from = 2 * (row * side + across.first[x] + k);
          wide[2 * (row * width + x)] += weight * missed[from];
          wide[2 * (row * width + x) + 1] += weight * missed[from + 1];
        }
      }
    }
    return wide;
  }

  /**
   * @param {number} first
   * @param {number} stop
   */
  #correct(first, stop) {
    const { width, band, wide, a, b } = this;
    const [, down] = this.cubic;
    for (let y = first; y < stop; y++) {
      const start = (y - band[0]) * width;
      a.fill(0, start, start + width);
      b.fill(0, start, start + width);
      for (let k = 0; k < 4; k++) {
        const weight = down.weights[4 * y + k];
        if (weight === 0) continue;
        let from = 2 * (down.first[y] + k) * width;
        for (let p = start; p < start + width; p++, from += 2) {
          a[p] += weight * wide[from];
          b[p] += weight * wide[from + 1];
        }
      }
    }
  }

  /**
   * @param {number} first
   * @param {number} stop
   */
  #add(first, stop) {
    const { width, side, rows, columns, band, weights, near, a, b } = this;
    for (let y = first, p = (y - band[0]) * width, w = p * TAPS; y < stop; y++) {
      const row = rows.own[y] * side;
      for (let x = 0; x < width; x++, p++) {
        let k = 2 * TAPS * (row + columns.own[x]);
        let sumA = 0;
        let sumB = 0;
        for (const last = w + TAPS; w < last; w++, k += 2) {
          sumA += weights[w] * near[k];
          sumB += weights[w] * near[k + 1];
        }
        a[p] += sumA;
        b[p] += sumB;
      }
    }
  }
}
