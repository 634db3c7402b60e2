// The photo with what lies over it, and the pointer and keys on it. Positions are fractions of the photo.

import { compose, css, rgbToLab } from "./colour.js";
import { distanceToSegment, insidePolygon, pointsOf } from "./edits.js";

const NEAR = 13; // CSS pixels within which a mark is hit
const TOUCH_NEAR = 22;
const KEY_STEP = 1 / 48; // of the photo's longer side, for a step of the cross
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const HEAT_OPACITY = 0.72;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Stage {
  /**
   * @param listen {press, drag, release, cancel, hover, leave, nudge}: called with positions (`release` with the time, too)
   * @param look called for what to draw: {edits, selected, marksShown, sketch, heat, suggested, brush, colour}
   */
  constructor(root, listen, look) {
    Object.assign(this, { root, listen, look, size: [1, 1], cross: null, pointer: null, over: null });
    [this.gray, this.picture, this.marks] = ["gray", "picture", "marks"].map((id) => root.querySelector(`#${id}`));
    this.#listenToPointer();
    this.marks.addEventListener("keydown", (event) => this.#key(event));
    this.marks.addEventListener("focus", () => this.marks.matches(":focus-visible") && this.#setCross([0.5, 0.5]));
    this.marks.addEventListener("blur", () => this.#setCross(null));
    new ResizeObserver(() => this.draw()).observe(root);
  }

  open(size, lightness, alpha) {
    this.size = size;
    this.lightness = lightness;
    this.root.parentElement.style.setProperty("--shape", size[0] / size[1]);
    for (const canvas of [this.gray, this.picture]) [canvas.width, canvas.height] = [lightness.width, lightness.height];
    const pixels = new Uint32Array(lightness.width * lightness.height);
    const plain = { a: new Float32Array(1), b: new Float32Array(1), width: 1, height: 1 };
    compose(lightness.data, alpha?.data, lightness.width, lightness.height, plain, pixels);
    this.#put(this.gray, pixels.buffer, 0);
    this.draw();
  }

  /** Shows whole rows of pixels, of which the first is `top`. */
  show(buffer, top) {
    this.#put(this.picture, buffer, top);
  }

  #put(canvas, buffer, top) {
    const image = new ImageData(new Uint8ClampedArray(buffer), canvas.width);
    canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, top);
  }

  lightnessAt([x, y]) {
    const { data, width, height } = this.lightness;
    const [column, row] = [pixelOf(x, width), pixelOf(y, height)];
    return data[row * width + column] / 2.55;
  }

  /** CIE ab of what is shown. */
  colourAt([x, y]) {
    const place = [pixelOf(x, this.picture.width), pixelOf(y, this.picture.height), 1, 1];
    const [r, g, b] = this.picture.getContext("2d", { willReadFrequently: true }).getImageData(...place).data;
    return rgbToLab([r, g, b]).slice(1);
  }

  /** CSS pixels of one pixel of the photo. */
  get zoom() {
    return this.root.clientWidth / this.size[0];
  }

  get shorter() {
    return Math.min(...this.size);
  }

  #position(event) {
    const box = this.marks.getBoundingClientRect();
    const keep = (v) => Math.max(0, Math.min(1, v));
    return [keep((event.clientX - box.left) / box.width), keep((event.clientY - box.top) / box.height)];
  }

  #listenToPointer() {
    const on = (name, act) => this.marks.addEventListener(name, act);
    on("pointerdown", (event) => {
      if (this.pointer !== null || event.button !== 0) return;
      this.pointer = event.pointerId;
      this.marks.setPointerCapture(event.pointerId);
      this.marks.focus({ preventScroll: true });
      this.#setCross(null);
      this.#hover(event);
      this.listen.press([this.#position(event)], event.pointerType === "touch" ? TOUCH_NEAR : NEAR);
    });
    on("pointermove", (event) => {
      this.#hover(event);
      if (event.pointerId !== this.pointer) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.listen.drag((events.length ? events : [event]).map((each) => this.#position(each)));
    });
    on("pointerup", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.pointer = null;
      this.listen.release(this.#position(event), performance.now());
    });
    on("pointercancel", (event) => {
      if (event.pointerId !== this.pointer) return;
      this.pointer = null;
      this.listen.cancel();
    });
    on("pointerleave", () => {
      this.over = null;
      this.listen.leave();
      this.draw();
    });
  }

  #hover(event) {
    this.over = this.#position(event);
    this.listen.hover(this.over);
    this.draw();
  }

  #setCross(cross) {
    this.cross = cross;
    if (cross) this.listen.hover(cross);
    this.draw();
  }

  #key(event) {
    const arrow = ARROWS[event.key];
    if (arrow && this.listen.nudge(arrow)) return event.preventDefault();
    if (arrow) {
      event.preventDefault();
      const [x, y] = this.cross ?? [0.5, 0.5]; // no cross after the pointer was used
      const step = (KEY_STEP * Math.max(...this.size)) / (event.shiftKey ? 5 : 1);
      const keep = (v) => Math.max(0, Math.min(1, v));
      this.#setCross([keep(x + (arrow[0] * step) / this.size[0]), keep(y + (arrow[1] * step) / this.size[1])]);
    } else if ((event.key === "Enter" || event.key === " ") && this.cross) {
      event.preventDefault();
      const start = performance.now();
      this.listen.press([this.cross], NEAR);
      this.listen.release(this.cross, start);
    }
  }

  /** The index of the topmost edit at a position, or -1. */
  hit(edits, position, near) {
    const [width, height] = this.size;
    const place = ([x, y]) => [x * width, y * height];
    const at = place(position);
    for (let index = edits.length - 1; index >= 0; index--) {
      const edit = edits[index];
      const points = pointsOf(edit).map(place);
      const polygons = edit.regions?.map((p) => p.map(place)) ?? (edit.polygon ? [points] : []);
      const reach = Math.max((edit.radius ?? 0) * this.shorter, near / this.zoom);
      const path = edit.polygon || edit.regions ? [] : points;
      const closest = path.map((p, i) => distanceToSegment(at, path[Math.max(0, i - 1)], p));
      if (Math.min(...closest) <= reach || polygons.some((p) => insidePolygon(at, p))) return index;
    }
    return -1;
  }

  /** The index of the suggestion at a position, or -1. */
  hitSuggested(suggested, position, near) {
    const [width, height] = [this.root.clientWidth, this.root.clientHeight];
    return suggested.findIndex(
      ([x, y]) => Math.hypot((x - position[0]) * width, (y - position[1]) * height) <= near,
    );
  }

  /** Asks for a drawing with the next frame. */
  draw() {
    this.asked ??= requestAnimationFrame(() => {
      this.asked = null;
      this.#drawNow();
    });
  }

  #drawNow() {
    const ratio = window.devicePixelRatio;
    const size = [this.root.clientWidth, this.root.clientHeight].map((side) => Math.max(1, Math.round(side * ratio)));
    if (this.marks.width !== size[0] || this.marks.height !== size[1]) [this.marks.width, this.marks.height] = size;
    const shown = this.look();
    const pen = this.marks.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, ...size);
    if (shown.heat) drawHeat(pen, shown.heat, size);
    const scaled = ([x, y]) => [x * size[0], y * size[1]];
    const unit = ratio;
    const thick = (this.shorter * size[0]) / this.size[0]; // pixels of a radius of 1
    shown.edits.forEach((edit, index) => {
      const selected = index === shown.selected;
      if (shown.marksShown || selected) drawMark(pen, edit, scaled, thick, unit, selected);
    });
    if (shown.sketch) drawSketch(pen, shown.sketch, scaled, thick, unit);
    shown.suggested.forEach((position, index) => drawSuggested(pen, scaled(position), index + 1, unit));
    const centre = this.cross ?? this.over;
    if (shown.brush && centre) drawRing(pen, scaled(centre), Math.max(shown.brush * thick, 2 * unit), shown.colour, unit);
    if (this.cross) drawCross(pen, scaled(this.cross), unit);
  }
}

const pixelOf = (share, size) => Math.min(size - 1, Math.floor(share * size));

/** A colour of the edits' format at a lightness where it can be told apart. */
export function shownColour(ab) {
  return ab ? css(65, ...ab) : "#999";
}

function twice(pen, unit, width, colour, draw) {
  for (const [style, extra] of [["#000a", 2], [colour, 0]]) {
    [pen.strokeStyle, pen.lineWidth] = [style, (width + extra) * unit];
    draw();
  }
}

function trace(pen, points, closed) {
  pen.beginPath();
  points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  if (points.length === 1) pen.lineTo(points[0][0] + 0.01, points[0][1]);
  if (closed) pen.closePath();
}

function drawMark(pen, edit, scaled, thick, unit, selected) {
  [pen.lineCap, pen.lineJoin] = ["round", "round"];
  const colour = edit.kind === "eraser" ? "#fff8" : edit.shown;
  pen.setLineDash(edit.kind === "eraser" ? [4 * unit, 6 * unit] : []);
  const polygons = edit.regions ?? (edit.polygon ? [edit.polygon] : null);
  for (const polygon of polygons ?? []) {
    trace(pen, polygon.map(scaled), true);
    if (selected) pen.setLineDash([6 * unit, 4 * unit]);
    twice(pen, unit, selected ? 3 : 2, colour, () => pen.stroke());
  }
  if (!polygons) {
    const points = pointsOf(edit).map(scaled);
    if (selected) {
      trace(pen, points, false);
      [pen.strokeStyle, pen.lineWidth] = ["#fff6", Math.max(2 * edit.radius * thick || 0, 16 * unit)];
      pen.stroke();
    }
    trace(pen, points, false);
    twice(pen, unit, points.length === 1 ? 8 : 3, colour, () => pen.stroke());
  }
  pen.setLineDash([]);
}

function drawSketch(pen, edit, scaled, thick, unit) {
  [pen.lineCap, pen.lineJoin] = ["round", "round"];
  const points = pointsOf(edit).map(scaled);
  trace(pen, points, false);
  if (edit.kind === "region") return twice(pen, unit, 2, edit.shown, () => pen.stroke());
  [pen.strokeStyle, pen.globalAlpha] = [edit.kind === "eraser" ? "#fff" : edit.shown, 0.45];
  pen.lineWidth = Math.max(2 * edit.radius * thick, 3 * unit);
  pen.stroke();
  pen.globalAlpha = 1;
}

function drawSuggested(pen, [x, y], number, unit) {
  pen.beginPath();
  pen.arc(x, y, 11 * unit, 0, 2 * Math.PI);
  pen.fillStyle = "#0009";
  pen.fill();
  twice(pen, unit, 2, "#fff", () => pen.stroke());
  [pen.fillStyle, pen.font, pen.textAlign, pen.textBaseline] = ["#fff", `600 ${12 * unit}px system-ui`, "center", "middle"];
  pen.fillText(String(number), x, y);
}

function drawCross(pen, [x, y], unit) {
  pen.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    pen.moveTo(x + 4 * dx * unit, y + 4 * dy * unit);
    pen.lineTo(x + 14 * dx * unit, y + 14 * dy * unit);
  }
  twice(pen, unit, 2, "#fff", () => pen.stroke());
}

function drawRing(pen, [x, y], radius, colour, unit) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  [pen.fillStyle, pen.globalAlpha] = [colour, 0.6];
  pen.fill();
  pen.globalAlpha = 1;
  twice(pen, unit, 1, "#fff", () => pen.stroke());
}

function drawHeat(pen, { values, low, high }, [width, height]) {
  const side = Math.sqrt(values.length);
  const small = new OffscreenCanvas(side, side);
  const image = new ImageData(side, side);
  values.forEach((value, i) => {
    const place = Math.max(0, Math.min(1, (value - low) / Math.max(high - low, 1e-12))) * (HEAT.length - 1);
    const from = Math.min(Math.floor(place), HEAT.length - 2);
    const rgb = HEAT[from].map((v, c) => v + (place - from) * (HEAT[from + 1][c] - v));
    image.data.set([...rgb, 255], 4 * i);
  });
  small.getContext("2d").putImageData(image, 0, 0);
  [pen.globalAlpha, pen.imageSmoothingQuality] = [HEAT_OPACITY, "high"];
  pen.drawImage(small, 0, 0, width, height);
  pen.globalAlpha = 1;
}
