// A worker that turns fields into the pixels of one band of rows, so that the page stays free to follow the brush.

import { compose, prepare, rowsFor } from "./lab.js";
import { Lift } from "./lift.js";

/** @typedef {import("./lab.js").AbPlanes} AbPlanes */
/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./lab.js").Plane} Plane */
/** @typedef {import("./painters.js").Lifted} Lifted */
/** @typedef {import("./painters.js").Task} Task */
/** @typedef {import("./painters.js").OpenTask} OpenTask */
/** @typedef {import("./painters.js").PaintTask} PaintTask */
/** @typedef {import("./painters.js").ThumbnailsTask} ThumbnailsTask */

/** @typedef {Plane & { alpha: Uint8Array | undefined, lift: Lift, band: Pair }} Opened */

const AB = 128; // network units to CIE ab
const LIFTED_STEP = 128; // of the server's int16
const THUMBNAIL = 168; // pixels of the longer side
const SLICE = 48; // rows that are painted before the next look at the messages

class Painter {
  #channel = new MessageChannel();
  /** @type {Opened | null} */
  #photo = null;
  /** @type {Plane | null} */
  #small = null;
  /** @type {PaintTask | null} whose picture is painted */
  #wanted = null;

  constructor() {
    this.#channel.port1.start();
  }

  /** @param {Task} task */
  do(task) {
    if (task.task === "open") this.#open(task);
    else if (task.task === "paint") this.#paint(task);
    else if (task.task === "thumbnails") this.#thumbnails(task);
    else this.#wanted = null;
  }

  /** @param {OpenTask} task */
  #open({ lightness, guide, alpha, side, band }) {
    const needed = rowsFor(band, lightness.height, guide.height);
    const lift = new Lift(guide.data, guide.width, guide.height, side, needed);
    this.#photo = { ...lightness, alpha: alpha?.data, lift, band };
    this.#small = thumbnailOf(lightness);
  }

  /**
   * Paints slice by slice, and gives up between two of them where a message that waited says so.
   *
   * @param {PaintTask} task
   */
  async #paint(task) {
    if (!this.#photo) return;
    this.#wanted = task;
    const { opened, id, field, layers, buffer } = task;
    const { width, band } = this.#photo;
    const pixels = new Uint32Array(buffer ?? new ArrayBuffer(4 * width * (band[1] - band[0])));
    const fields = layers?.fields ?? [field];
    for (let index = 0; index < fields.length && this.#wanted === task; index++) {
      if (index === 0 || layers?.plane.subarray(band[0] * width, band[1] * width).includes(index)) {
        await this.#paintLayer(task, this.#photo, fields[index], index, pixels);
      }
    }
    const done = this.#wanted === task ? "paint" : "gave up";
    self.postMessage({ done, opened, id, buffer: pixels.buffer }, { transfer: [pixels.buffer] });
  }

  /**
   * @param {PaintTask} task
   * @param {Opened} photo
   * @param {Float32Array} field
   * @param {number} index of the answer: the first is painted everywhere, the others where the plane says so
   * @param {Uint32Array} pixels of the band
   */
  async #paintLayer(task, { data, alpha, width, height, lift, band }, field, index, pixels) {
    const planes = task.lifted && fromInts(task.lifted, index);
    if (!planes) lift.begin(field.map((v) => v * AB));
    for (let top = band[0]; top < band[1] && this.#wanted === task; top += SLICE) {
      /** @type {Pair} */
      const slice = [top, Math.min(top + SLICE, band[1])];
      const [, stop] = rowsFor(slice, height, lift.height);
      const out = pixels.subarray((slice[0] - band[0]) * width, (slice[1] - band[0]) * width);
      const drawn = index ? new Uint32Array(out.length) : out;
      compose(data, alpha, width, height, planes ?? lift.upTo(stop), drawn, slice);
      const plane = task.layers?.plane.subarray(slice[0] * width, slice[1] * width);
      if (index && plane) plane.forEach((own, p) => own === index && (out[p] = drawn[p]));
      await this.#turn();
    }
  }

  /** Lets messages in. */
  #turn() {
    return new Promise((resolve) => {
      this.#channel.port1.addEventListener("message", resolve, { once: true });
      this.#channel.port2.postMessage(null);
    });
  }

  /**
   * Thumbnails need no edges of colour: the field is spread linearly.
   *
   * @param {ThumbnailsTask} task
   */
  #thumbnails({ opened, fields }) {
    if (!this.#photo || !this.#small) return;
    const { data, width, height } = this.#small;
    const { side } = this.#photo.lift;
    const pictures = fields.map((field) => {
      const pixels = new Uint32Array(width * height);
      compose(data, null, width, height, spread(field, side), pixels);
      return pixels.buffer;
    });
    self.postMessage({ done: "thumbnails", opened, pictures, width, height }, { transfer: pictures });
  }
}

/**
 * Every n-th pixel's neighbourhood averaged.
 *
 * @param {Plane} lightness
 * @returns {Plane}
 */
function thumbnailOf(lightness) {
  const step = Math.max(1, Math.ceil(Math.max(lightness.width, lightness.height) / THUMBNAIL));
  const [width, height] = [lightness.width, lightness.height].map((side) => Math.max(1, Math.floor(side / step)));
  const data = new Uint8Array(width * height);
  for (let p = 0; p < data.length; p++) {
    const left = (p % width) * step;
    const top = Math.floor(p / width) * step;
    let sum = 0;
    for (let y = top; y < top + step; y++) {
      for (let x = left; x < left + step; x++) sum += lightness.data[y * lightness.width + x];
    }
    data[p] = Math.round(sum / step ** 2);
  }
  return { data, width, height };
}

/**
 * @param {Lifted} lifted
 * @param {number} index of the answer
 * @returns {AbPlanes}
 */
function fromInts({ data, width, height }, index) {
  const own = data.subarray(2 * index * width * height, 2 * (index + 1) * width * height);
  const planes = Float32Array.from(own, (v) => v / LIFTED_STEP);
  return { a: planes.subarray(0, width * height), b: planes.subarray(width * height), width, height };
}

/**
 * @param {Float32Array} field
 * @param {number} side
 * @returns {AbPlanes}
 */
function spread(field, side) {
  const channel = (/** @type {number} */ c) => field.filter((_, i) => i % 2 === c).map((v) => v * AB);
  return { a: channel(0), b: channel(1), width: side, height: side };
}

prepare();
const painter = new Painter();
self.onmessage = ({ data }) => painter.do(data);
