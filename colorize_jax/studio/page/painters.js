// The workers that paint: each one band of the picture's rows, so that two cores need half of the time.

const MOST = 4;

export class Painters {
  /**
   * @param show called with the bands of a picture, [{buffer, top}], and the id that it was asked with
   * @param showThumbnails called with {pictures, width, height}
   */
  constructor(show, showThumbnails) {
    Object.assign(this, { show, showThumbnails, opened: 0, asked: null });
    const count = Math.max(1, Math.min(MOST, navigator.hardwareConcurrency));
    this.workers = Array.from({ length: count }, () => new Worker("painter.js", { type: "module" }));
    this.workers.forEach((worker, i) => (worker.onmessage = ({ data }) => this.#done(i, data)));
  }

  /** A photo: {lightness, guide, alpha} as planes, and the side of its fields. */
  open(photo) {
    const { height } = photo.lightness;
    const edges = Array.from({ length: this.workers.length + 1 }, (_, i) => Math.round((i * height) / this.workers.length));
    this.opened++;
    this.bands = this.workers.map((_, i) => ({ band: [edges[i], edges[i + 1]], buffer: null, busy: false }));
    this.asked = null;
    this.#tell((i) => ({ task: "open", ...photo, band: this.bands[i].band }));
  }

  /** Asks for a picture; while one is painted, the newest waits. */
  paint(id, field, lifted) {
    this.asked = { id, field, lifted };
    if (!this.busy) this.#begin();
  }

  /** Gives up the picture that is painted where another waits: for the last one, which is not to be waited for. */
  hurry() {
    if (this.asked && this.busy) this.#tell(() => ({ task: "giveUp" }));
  }

  thumbnails(fields) {
    this.workers[0].postMessage({ task: "thumbnails", opened: this.opened, fields });
  }

  get busy() {
    return this.bands.some((band) => band.busy);
  }

  #begin() {
    const asked = this.asked;
    this.asked = null;
    this.#tell((i) => {
      const { buffer } = this.bands[i];
      Object.assign(this.bands[i], { buffer: null, busy: true });
      return { task: "paint", ...asked, buffer };
    });
  }

  #tell(messageOf) {
    this.workers.forEach((worker, i) => {
      const message = { opened: this.opened, ...messageOf(i) };
      worker.postMessage(message, message.buffer ? [message.buffer] : []);
    });
  }

  #done(index, { done, opened, id, ...result }) {
    if (opened !== this.opened) return; // of a photo that is not open any more
    if (done === "thumbnails") return this.showThumbnails(result);
    Object.assign(this.bands[index], { buffer: result.buffer, busy: false, painted: done === "paint" });
    if (this.busy) return;
    // Shown together, so that no edge runs through the picture.
    if (this.bands.every(({ painted }) => painted)) {
      this.show(this.bands.map(({ band, buffer }) => ({ buffer, top: band[0] })), id);
    }
    if (this.asked) this.#begin();
  }
}
