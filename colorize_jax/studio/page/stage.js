// The photo with what lies over it, and the pointer and keys on it. Positions are fractions of the photo.

import { compose, rgbToLab } from "./lab.js";
import { canvasOf, penOf } from "./dom.js";
import { distanceToSegment, insidePolygon, pointsOf } from "./edits.js";
import { drawOverlay } from "./marks.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./lab.js").Plane} Plane */
/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {import("./marks.js").Overlay} Overlay */

/**
 * @typedef {object} Listeners of the pointer, and of the keys that do the same
 * @property {(position: Pair, near: number) => void} press near: CSS pixels within which a mark is hit
 * @property {(positions: Pair[]) => void} drag
 * @property {(position: Pair, start: number) => void} release start: the time
 * @property {() => void} cancel
 * @property {(position: Pair) => void} hover
 * @property {() => void} leave
 * @property {(position: Pair | null) => void} cross
 * @property {(arrow: Pair) => boolean} nudge whether the arrow key is used up
 */

const NEAR = 13;
const TOUCH_NEAR = 22;
const KEY_STEP = 1 / 48; // of the photo's longer side, for a step of the cross
/** @type {Pair} */
const MIDDLE = [0.5, 0.5];
/** @type {Record<string, Pair>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Stage {
  /**
   * @param {HTMLElement} root
   * @param {Listeners} listen
   * @param {() => Overlay} look called for what to draw
   */
  constructor(root, listen, look) {
    this.root = root;
    this.listen = listen;
    this.look = look;
    /** @type {Pair} */
    this.size = [1, 1];
    /** @type {number | null} the pointer that is pressed */
    this.pointer = null;
    /** @type {number | null} the frame that was asked for */
    this.frame = null;
    this.gray = canvasOf("gray");
    this.picture = canvasOf("picture");
    this.marks = canvasOf("marks");
    this.#listenToPointer();
    this.#listenToKeys();
    new ResizeObserver(() => this.draw()).observe(root);
  }

  /**
   * @param {Pair} size of the photo, in pixels
   * @param {Plane} lightness
   * @param {Plane | null} alpha
   */
  open(size, lightness, alpha) {
    this.size = size;
    this.root.parentElement?.style.setProperty("--shape", String(size[0] / size[1]));
    for (const canvas of [this.gray, this.picture]) [canvas.width, canvas.height] = [lightness.width, lightness.height];
    const pixels = new Uint32Array(lightness.width * lightness.height);
    const plain = { a: new Float32Array(1), b: new Float32Array(1), width: 1, height: 1 };
    compose(lightness.data, alpha?.data, lightness.width, lightness.height, plain, pixels);
    this.#put(this.gray, pixels.buffer, 0);
    this.draw();
  }

  /**
   * Shows whole rows of pixels, of which the first is `top`.
   *
   * @param {ArrayBuffer} buffer
   * @param {number} top
   */
  show(buffer, top) {
    this.#put(this.picture, buffer, top);
  }

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {ArrayBuffer} buffer
   * @param {number} top
   */
  #put(canvas, buffer, top) {
    const image = new ImageData(new Uint8ClampedArray(buffer), canvas.width);
    penOf(canvas, { willReadFrequently: true }).putImageData(image, 0, top);
  }

  /**
   * CIE ab of what is shown.
   *
   * @param {Pair} position
   * @returns {Pair}
   */
  colorAt([x, y]) {
    const { width, height } = this.picture;
    const [column, row] = [Math.min(width - 1, Math.floor(x * width)), Math.min(height - 1, Math.floor(y * height))];
    const [r, g, b] = penOf(this.picture, { willReadFrequently: true }).getImageData(column, row, 1, 1).data;
    const [, ...ab] = rgbToLab([r, g, b]);
    return ab;
  }

  /** CSS pixels of one pixel of the photo. */
  get zoom() {
    return this.root.clientWidth / this.size[0];
  }

  get shorter() {
    return Math.min(...this.size);
  }

  /**
   * @param {PointerEvent} event
   * @returns {Pair}
   */
  #position(event) {
    const box = this.marks.getBoundingClientRect();
    return [within((event.clientX - box.left) / box.width), within((event.clientY - box.top) / box.height)];
  }

  #listenToPointer() {
    const { marks, listen } = this;
    marks.addEventListener("pointerdown", (event) => this.#press(event));
    marks.addEventListener("pointermove", (event) => {
      listen.hover(this.#position(event));
      if (event.pointerId !== this.pointer) return;
      const events = event.getCoalescedEvents?.() ?? [];
      listen.drag((events.length ? events : [event]).map((each) => this.#position(each)));
    });
    marks.addEventListener("pointerup", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.pointer = null;
      listen.release(this.#position(event), performance.now());
    });
    marks.addEventListener("pointercancel", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.pointer = null;
      listen.cancel();
    });
    marks.addEventListener("pointerleave", () => listen.leave());
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (this.pointer !== null || event.button !== 0) return;
    this.pointer = event.pointerId;
    this.marks.setPointerCapture(event.pointerId);
    this.marks.focus({ preventScroll: true });
    this.listen.cross(null);
    this.listen.hover(this.#position(event));
    this.listen.press(this.#position(event), event.pointerType === "touch" ? TOUCH_NEAR : NEAR);
  }

  #listenToKeys() {
    const { marks, listen } = this;
    marks.addEventListener("keydown", (event) => this.#key(event));
    marks.addEventListener("focus", () => marks.matches(":focus-visible") && listen.cross(MIDDLE));
    marks.addEventListener("blur", () => listen.cross(null));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const arrow = ARROWS[event.key];
    const { cross } = this.look();
    if (arrow) {
      event.preventDefault();
      if (!this.listen.nudge(arrow)) this.#step(cross ?? MIDDLE, arrow, event.shiftKey); // none after a press
    } else if ((event.key === "Enter" || event.key === " ") && cross) {
      event.preventDefault();
      const start = performance.now();
      this.listen.press(cross, NEAR);
      this.listen.release(cross, start);
    }
  }

  /**
   * @param {Pair} cross
   * @param {Pair} arrow
   * @param {boolean} short
   */
  #step([x, y], arrow, short) {
    const step = (KEY_STEP * Math.max(...this.size)) / (short ? 5 : 1);
    this.listen.cross([within(x + (arrow[0] * step) / this.size[0]), within(y + (arrow[1] * step) / this.size[1])]);
  }

  /**
   * The index of the topmost edit at a position, or -1.
   *
   * @param {readonly Edit[]} edits
   * @param {Pair} position
   * @param {number} near CSS pixels
   */
  hit(edits, position, near) {
    const [width, height] = this.size;
    const place = (/** @type {Pair} */ [x, y]) => /** @type {Pair} */ ([x * width, y * height]);
    const at = place(position);
    return edits.findLastIndex((edit) => {
      const points = pointsOf(edit).map(place);
      const polygons = edit.regions?.map((p) => p.map(place)) ?? (edit.polygon ? [points] : []);
      const reach = Math.max((edit.radius ?? 0) * this.shorter, near / this.zoom);
      const path = edit.polygon || edit.regions ? [] : points;
      const closest = path.map((p, i) => distanceToSegment(at, path[Math.max(0, i - 1)], p));
      return Math.min(...closest) <= reach || polygons.some((p) => insidePolygon(at, p));
    });
  }

  /**
   * The index of the suggestion at a position, or -1.
   *
   * @param {readonly Pair[]} suggested
   * @param {Pair} position
   * @param {number} near CSS pixels
   */
  hitSuggested(suggested, position, near) {
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    return suggested.findIndex(
      ([x, y]) => Math.hypot((x - position[0]) * width, (y - position[1]) * height) <= near,
    );
  }

  /** Asks for a drawing with the next frame. */
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#drawNow();
    });
  }

  #drawNow() {
    const unit = window.devicePixelRatio;
    const inDevice = (/** @type {number} */ side) => Math.max(1, Math.round(side * unit));
    /** @type {Pair} */
    const size = [inDevice(this.root.clientWidth), inDevice(this.root.clientHeight)];
    if (this.marks.width !== size[0] || this.marks.height !== size[1]) [this.marks.width, this.marks.height] = size;
    const thick = (this.shorter * size[0]) / this.size[0];
    drawOverlay(penOf(this.marks), this.look(), { size, unit, thick });
  }
}

/** @param {number} share */
const within = (share) => Math.max(0, Math.min(1, share));
