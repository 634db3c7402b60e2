// The workers that paint: each one band of the picture's rows, so that two cores need half of the time.

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./lab.js").Plane} Plane */
/** @typedef {{ data: Int16Array, width: number, height: number }} Lifted CIE ab from the server: first a*, then b* */
/**
 * Answers of their own for closed areas and locks.
 *
 * @typedef {{ fields: readonly Float32Array[], plane: Uint8Array }} Layers plane: the answer of each pixel
 */
/** @typedef {{ id: number, field: Float32Array, lifted: Lifted | null, layers: Layers | null }} Asked */
/** @typedef {{ lightness: Plane, guide: Plane, alpha: Plane | null, side: number }} Opened side: of the fields */
/** @typedef {{ band: Pair, buffer: ArrayBuffer | null, busy: boolean, painted: boolean }} Band */
/** @typedef {{ buffer: ArrayBuffer, top: number }} Strip whole rows of pixels, of which the first is `top` */
/** @typedef {{ pictures: ArrayBuffer[], width: number, height: number }} Thumbnails */

/**
 * @typedef {{ task: "open", opened: number, band: Pair } & Opened} OpenTask
 * @typedef {{ task: "paint", opened: number, buffer: ArrayBuffer | null } & Asked} PaintTask
 * @typedef {{ task: "giveUp", opened: number }} GiveUpTask
 * @typedef {{ task: "thumbnails", opened: number, fields: readonly Float32Array[] }} ThumbnailsTask
 * @typedef {OpenTask | PaintTask | GiveUpTask | ThumbnailsTask} Task what a worker is told
 */

/**
 * @typedef {{ done: "paint" | "gave up", opened: number, id: number, buffer: ArrayBuffer }} Painted
 * @typedef {{ done: "thumbnails", opened: number } & Thumbnails} ThumbnailsMade
 * @typedef {Painted | ThumbnailsMade} Done what it answers
 */

const MOST = 4;

export class Painters {
  /**
   * @param {(strips: Strip[], id: number) => void} show called with a picture, and the id that it was asked with
   * @param {(thumbnails: Thumbnails) => void} showThumbnails
   */
  constructor(show, showThumbnails) {
    this.show = show;
    this.showThumbnails = showThumbnails;
    this.opened = 0;
    /** @type {Asked | null} */
    this.asked = null;
    /** @type {Band[]} */
    this.bands = [];
    const count = Math.max(1, Math.min(MOST, navigator.hardwareConcurrency));
    this.workers = Array.from({ length: count }, () => new Worker("painter.js", { type: "module" }));
    this.workers.forEach((worker, i) => (worker.onmessage = ({ data }) => this.#done(i, data)));
  }

  /** @param {Opened} photo */
  open(photo) {
    const { height } = photo.lightness;
    const count = this.workers.length;
    const edges = Array.from({ length: count + 1 }, (_, i) => Math.round((i * height) / count));
    this.opened++;
    this.bands = this.workers.map((_, i) => ({
      band: [edges[i], edges[i + 1]],
      buffer: null,
      busy: false,
      painted: false,
    }));
    this.asked = null;
    this.#tell((i) => ({ task: "open", opened: this.opened, ...photo, band: this.bands[i].band }));
  }

  /**
   * Asks for a picture; while one is painted, the newest waits.
   *
   * @param {number} id
   * @param {Float32Array} field
   * @param {Lifted | null} lifted of each answer, one after the other
   * @param {Layers | null} layers
   */
  paint(id, field, lifted, layers) {
    this.asked = { id, field, lifted, layers };
    if (!this.busy) this.#begin(this.asked);
  }

  /** Gives up the picture that is painted where another waits: for the last one, which is not to be waited for. */
  hurry() {
    if (this.asked && this.busy) this.#tell(() => ({ task: "giveUp", opened: this.opened }));
  }

  /** @param {readonly Float32Array[]} fields */
  thumbnails(fields) {
    const opened = this.opened;
    this.#tell((i) => (i === 0 ? { task: "thumbnails", opened, fields } : null));
  }

  get busy() {
    return this.bands.some((band) => band.busy);
  }

  /** @param {Asked} asked */
  #begin(asked) {
    this.asked = null;
    this.#tell((i) => {
      const { buffer } = this.bands[i];
      Object.assign(this.bands[i], { buffer: null, busy: true });
      return { task: "paint", opened: this.opened, ...asked, buffer };
    });
  }

  /** @param {(worker: number) => Task | null} taskOf */
  #tell(taskOf) {
    this.workers.forEach((worker, i) => {
      const task = taskOf(i);
      if (task) worker.postMessage(task, "buffer" in task && task.buffer ? [task.buffer] : []);
    });
  }

  /**
   * @param {number} index
   * @param {Done} done
   */
  #done(index, done) {
    if (done.opened !== this.opened) return; // of a photo that is not open any more
    if (done.done === "thumbnails") return this.showThumbnails(done);
    Object.assign(this.bands[index], { buffer: done.buffer, busy: false, painted: done.done === "paint" });
    if (this.busy) return;
    // Shown together, so that no edge runs through the picture.
    const ready = this.bands.filter(({ painted }) => painted);
    const strips = ready.flatMap(({ band, buffer }) => (buffer ? [{ buffer, top: band[0] }] : []));
    if (strips.length === this.bands.length) this.show(strips, done.id);
    if (this.asked) this.#begin(this.asked);
  }
}
