// The photo with what lies over it, and the pointer and keys on it. Positions are fractions of the photo.

import { compose, rgbToLab } from "./lab.js";
import { canvasOf, penOf } from "./dom.js";
import { distanceToSegment, insidePolygon, pointsOf } from "./edits.js";
import { drawOverlay } from "./marks.js";
import { WHOLE } from "./zoom.js";

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
 * @property {(cross: Pair, near: number) => void} stamp Enter at the cross
 * @property {(arrow: Pair) => boolean} nudge whether the arrow key is used up
 * @property {(factor: number, at: Pair) => void} zoom
 * @property {(step: Pair) => void} pan in fractions of the photo
 * @property {(at: Pair) => void} twice a double click
 */

const [WHEEL, PINCH] = [0.002, 0.01]; // of the logarithm of the zoom, to a CSS pixel of the wheel
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
   * @param {() => Overlay} overlay called for what to draw
   */
  constructor(root, listen, overlay) {
    this.root = root;
    this.listen = listen;
    this.overlay = overlay;
    /** @type {Pair} */
    this.size = [1, 1];
    /** @type {number | null} the pointer that is pressed */
    this.pointer = null;
    /** @type {number | null} the frame that was asked for */
    this.frame = null;
    this.gray = canvasOf("gray");
    this.picture = canvasOf("picture");
    this.marks = canvasOf("marks");
    this.detail = canvasOf("detail");
    /** @type {import("./zoom.js").View} */
    this.view = WHOLE;
    /** @type {Map<number, Pair>} where fingers are, in CSS pixels of the window */
    this.fingers = new Map();
    /** @type {Pair | null} where the middle button, which moves the photo, was last */
    this.held = null;
    this.#listenToPointer();
    this.#listenToZoom();
    this.#listenToKeys();
    const seen = new ResizeObserver(() => this.look(this.view));
    for (const each of [root, this.space]) seen.observe(each);
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

  /** What the photo is seen through. */
  get space() {
    return /** @type {HTMLElement} */ (this.root.parentElement);
  }

  /** Device pixels of the photo's width where all of it is seen. */
  get fitted() {
    return (this.root.clientWidth / this.view.zoom) * window.devicePixelRatio;
  }

  /**
   * The shares of the photo that are seen across and down.
   *
   * @param {number} zoom
   * @returns {Pair}
   */
  shares(zoom) {
    const { clientWidth: width, clientHeight: height } = this.root;
    const grown = zoom / this.view.zoom;
    return [
      Math.min(1, this.space.clientWidth / (width * grown)),
      Math.min(1, this.space.clientHeight / (height * grown)),
    ];
  }

  /** @param {import("./zoom.js").View} view */
  look(view) {
    this.view = view;
    const { style } = this.root;
    style.setProperty("--zoom", String(view.zoom));
    const [left, top] = view.center.map((v) => `${(0.5 - v) * 100}%`);
    style.setProperty("translate", `${left} ${top}`);
    lay(this.marks, this.seen);
    this.draw();
  }

  /** What is seen: left, top, right and bottom, in fractions of the photo. */
  get seen() {
    const [across, down] = this.shares(this.view.zoom);
    const [x, y] = this.view.center;
    return [x - across / 2, y - down / 2, x + across / 2, y + down / 2];
  }

  /**
   * Shows a part at the screen's own resolution, or none.
   *
   * @param {import("./state.js").Detail | null} detail
   */
  showDetail(detail) {
    this.detail.hidden = detail === null;
    if (!detail) return;
    const [width, height] = detail.size;
    [this.detail.width, this.detail.height] = [width, height];
    penOf(this.detail).putImageData(new ImageData(new Uint8ClampedArray(detail.pixels), width, height), 0, 0);
    lay(this.detail, detail.box);
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
    return this.#place([event.clientX, event.clientY]);
  }

  /**
   * @param {Pair} point in CSS pixels of the window
   * @returns {Pair}
   */
  #place([x, y]) {
    const box = this.root.getBoundingClientRect();
    return [within((x - box.left) / box.width), within((y - box.top) / box.height)];
  }

  #listenToPointer() {
    const { marks, listen } = this;
    marks.addEventListener("pointerdown", (event) => this.#press(event));
    marks.addEventListener("pointermove", (event) => {
      if (this.#pinch(event)) return;
      listen.hover(this.#position(event));
      if (event.pointerId !== this.pointer) return;
      const events = event.getCoalescedEvents?.() ?? [];
      listen.drag((events.length ? events : [event]).map((each) => this.#position(each)));
    });
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) {
      marks.addEventListener(name, (event) => {
        this.fingers.delete(event.pointerId);
        this.held = null;
      });
    }
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

  #listenToZoom() {
    const { marks, listen } = this;
    this.space.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const { clientWidth: width, clientHeight: height } = this.root;
        if (event.shiftKey) return listen.pan([(event.deltaX || event.deltaY) / width, 0]);
        if (event.deltaX) return listen.pan([event.deltaX / width, event.deltaY / height]);
        const quick = event.ctrlKey ? PINCH : WHEEL; // a pinch on a touchpad comes as Ctrl and the wheel
        listen.zoom(Math.exp(-event.deltaY * quick), this.#place([event.clientX, event.clientY]));
      },
      { passive: false },
    );
    marks.addEventListener("dblclick", (event) => listen.twice(this.#place([event.clientX, event.clientY])));
  }

  /**
   * Two fingers, or the middle button, move the photo, and two fingers zoom it.
   *
   * @param {PointerEvent} event
   * @returns {boolean} whether they do
   */
  #pinch({ pointerId, clientX, clientY }) {
    const { clientWidth: width, clientHeight: height } = this.root;
    if (this.held) {
      this.listen.pan([(this.held[0] - clientX) / width, (this.held[1] - clientY) / height]);
      this.held = [clientX, clientY];
      return true;
    }
    if (this.fingers.size < 2 || !this.fingers.has(pointerId)) return false;
    const before = [...this.fingers.values()];
    this.fingers.set(pointerId, [clientX, clientY]);
    const after = [...this.fingers.values()];
    const [from, to] = [before, after].map(([a, b]) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
    const [near, far] = [before, after].map(([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]));
    this.listen.pan([(from[0] - to[0]) / width, (from[1] - to[1]) / height]);
    this.listen.zoom(far / Math.max(1, near), this.#place([to[0], to[1]]));
    return true;
  }

  /**
   * A second finger takes back what the first has begun.
   *
   * @param {PointerEvent} event
   * @returns {boolean} whether the press moves the photo
   */
  #grasp({ pointerId, pointerType, button, clientX, clientY }) {
    if (button === 1) {
      this.held = [clientX, clientY];
      this.marks.setPointerCapture(pointerId);
      return true;
    }
    if (pointerType !== "touch") return false;
    this.fingers.set(pointerId, [clientX, clientY]);
    if (this.fingers.size < 2) return false;
    this.pointer = null;
    this.listen.cancel();
    return true;
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (this.#grasp(event)) return event.preventDefault();
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
    const { cross } = this.overlay();
    if (arrow) {
      event.preventDefault();
      if (!this.listen.nudge(arrow)) this.#step(cross ?? MIDDLE, arrow, event.shiftKey); // none after a press
    } else if ((event.key === "Enter" || event.key === " ") && cross) {
      event.preventDefault();
      this.listen.stamp(cross, NEAR);
    }
  }

  /**
   * @param {Pair} cross
   * @param {Pair} arrow
   * @param {boolean} short
   */
  #step([x, y], arrow, short) {
    const step = (KEY_STEP * Math.max(...this.size)) / (short ? 5 : 1) / this.view.zoom;
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

  /**
   * Whether two positions are as near as a mark is to be hit.
   *
   * @param {Pair} one
   * @param {Pair} other
   * @param {number} near CSS pixels
   */
  isNear(one, other, near) {
    return this.hitSuggested([one], other, near) === 0;
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
    const [left, top, right, bottom] = this.seen.map((share, i) => Math.round(share * size[i % 2]));
    const [width, height] = [Math.max(1, right - left), Math.max(1, bottom - top)];
    const { marks } = this;
    if (marks.width !== width || marks.height !== height) [marks.width, marks.height] = [width, height];
    const thick = (this.shorter * size[0]) / this.size[0];
    drawOverlay(penOf(marks), this.overlay(), { size, origin: [left, top], unit, thick });
  }
}

/**
 * Lays a canvas over a part of the photo.
 *
 * @param {HTMLElement} canvas
 * @param {number[]} box left, top, right and bottom, in fractions of the photo
 */
function lay(canvas, [left, top, right, bottom]) {
  const places = { left, top, width: right - left, height: bottom - top };
  for (const [name, share] of Object.entries(places)) canvas.style.setProperty(name, `${100 * share}%`);
}

/** @param {number} share */
const within = (share) => Math.max(0, Math.min(1, share));
