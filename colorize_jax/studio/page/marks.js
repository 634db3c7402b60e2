// What lies over the photo: strokes, the brush, suggestions, heat. Drawn on a canvas of device pixels.

import { penOf } from "./dom.js";
import { colorOf, pointsOf } from "./edits.js";

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {import("./edits.js").Edit} Edit */
/** @typedef {import("./state.js").Heat} Heat */
/** @typedef {ReturnType<typeof import("./state.js").overlayOf>} Overlay */
/** @typedef {CanvasRenderingContext2D} Pen */

/**
 * @typedef {object} Scale of the photo on the canvas
 * @property {[number, number]} size of the whole photo, in device pixels
 * @property {[number, number]} origin of the canvas on it
 * @property {number} unit device pixels of a CSS pixel
 * @property {number} thick device pixels of a radius of 1
 */

/** @type {[number, number, number][]} */
const HEAT = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const HEAT_OPACITY = 0.72;
const CROSS = [[1, 0], [-1, 0], [0, 1], [0, -1]];

/**
 * @param {Pen} pen
 * @param {Overlay} overlay
 * @param {Scale} scale
 */
export function drawOverlay(pen, overlay, scale) {
  const { size, origin, unit, thick } = scale;
  const { edits, selected, marksShown, sketch, heat, suggested, brush, color, center, cross } = overlay;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
  pen.setTransform(1, 0, 0, 1, -origin[0], -origin[1]);
  if (heat) drawHeat(pen, heat, size);
  edits.forEach((edit, index) => {
    if (marksShown || index === selected) drawMark(pen, edit, scale, index === selected);
  });
  if (sketch) drawSketch(pen, sketch, scale);
  suggested.forEach((position, index) => drawSuggested(pen, scaled(position, size), index + 1, unit));
  if (brush && center) drawRing(pen, scaled(center, size), Math.max(brush * thick, 2 * unit), color, unit);
  if (cross) drawCross(pen, scaled(cross, size), unit);
}

/**
 * @param {Pair} position
 * @param {Pair} size
 * @returns {Pair}
 */
const scaled = ([x, y], [width, height]) => [x * width, y * height];

/**
 * @param {Pen} pen
 * @param {number} unit
 * @param {number} width
 * @param {string} color
 */
function strokeTwice(pen, unit, width, color) {
  for (const [style, extra] of /** @type {[string, number][]} */ ([["#000a", 2], [color, 0]])) {
    [pen.strokeStyle, pen.lineWidth] = [style, (width + extra) * unit];
    pen.stroke();
  }
}

/**
 * @param {Pen} pen
 * @param {Pair[]} points
 * @param {boolean} closed
 */
function trace(pen, points, closed) {
  pen.beginPath();
  points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
  if (points.length === 1) pen.lineTo(points[0][0] + 0.01, points[0][1]);
  if (closed) pen.closePath();
}

/**
 * @param {Pen} pen
 * @param {Edit} edit
 * @param {Scale} scale
 * @param {boolean} selected
 */
function drawMark(pen, edit, scale, selected) {
  const { unit } = scale;
  const color = edit.kind === "eraser" ? "#fff8" : colorOf(edit);
  [pen.lineCap, pen.lineJoin] = ["round", "round"];
  pen.setLineDash(edit.kind === "eraser" || edit.kind === "lock" ? [4 * unit, 6 * unit] : []);
  const polygons = edit.regions ?? (edit.polygon ? [edit.polygon] : null);
  for (const polygon of polygons ?? []) {
    trace(pen, polygon.map((p) => scaled(p, scale.size)), true);
    if (selected) pen.setLineDash([6 * unit, 4 * unit]);
    strokeTwice(pen, unit, selected ? 3 : 2, color);
  }
  if (!polygons) drawPath(pen, edit, scale, selected, color);
  pen.setLineDash([]);
}

/**
 * @param {Pen} pen
 * @param {Edit} edit
 * @param {Scale} scale
 * @param {boolean} selected
 * @param {string} color
 */
function drawPath(pen, edit, { size, unit, thick }, selected, color) {
  const points = pointsOf(edit).map((p) => scaled(p, size));
  trace(pen, points, false);
  if (selected) {
    [pen.strokeStyle, pen.lineWidth] = ["#fff6", Math.max(2 * (edit.radius ?? 0) * thick, 16 * unit)];
    pen.stroke();
  }
  strokeTwice(pen, unit, points.length === 1 ? 8 : 3, color);
}

/**
 * @param {Pen} pen
 * @param {Edit} edit
 * @param {Scale} scale
 */
function drawSketch(pen, edit, { size, unit, thick }) {
  [pen.lineCap, pen.lineJoin] = ["round", "round"];
  trace(pen, pointsOf(edit).map((p) => scaled(p, size)), false);
  if (edit.polygon) return strokeTwice(pen, unit, 2, colorOf(edit));
  [pen.strokeStyle, pen.globalAlpha] = [edit.kind === "eraser" ? "#fff" : colorOf(edit), 0.45];
  pen.lineWidth = Math.max(2 * (edit.radius ?? 0) * thick, 3 * unit);
  pen.stroke();
  pen.globalAlpha = 1;
}

/**
 * @param {Pen} pen
 * @param {Pair} center
 * @param {number} number
 * @param {number} unit
 */
function drawSuggested(pen, [x, y], number, unit) {
  pen.beginPath();
  pen.arc(x, y, 11 * unit, 0, 2 * Math.PI);
  pen.fillStyle = "#0009";
  pen.fill();
  strokeTwice(pen, unit, 2, "#fff");
  [pen.fillStyle, pen.font] = ["#fff", `600 ${12 * unit}px system-ui`];
  [pen.textAlign, pen.textBaseline] = ["center", "middle"];
  pen.fillText(String(number), x, y);
}

/**
 * @param {Pen} pen
 * @param {Pair} center
 * @param {number} unit
 */
function drawCross(pen, [x, y], unit) {
  pen.beginPath();
  for (const [dx, dy] of CROSS) {
    pen.moveTo(x + 4 * dx * unit, y + 4 * dy * unit);
    pen.lineTo(x + 14 * dx * unit, y + 14 * dy * unit);
  }
  strokeTwice(pen, unit, 2, "#fff");
}

/**
 * @param {Pen} pen
 * @param {Pair} center
 * @param {number} radius
 * @param {string} color
 * @param {number} unit
 */
function drawRing(pen, [x, y], radius, color, unit) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  [pen.fillStyle, pen.globalAlpha] = [color, 0.6];
  pen.fill();
  pen.globalAlpha = 1;
  strokeTwice(pen, unit, 1, "#fff");
}

/**
 * @param {Pen} pen
 * @param {Heat} heat
 * @param {Pair} size
 */
function drawHeat(pen, { values, low, high }, [width, height]) {
  const side = Math.sqrt(values.length);
  const small = new OffscreenCanvas(side, side);
  const image = new ImageData(side, side);
  for (let i = 0; i < values.length; i++) {
    const share = (values[i] - low) / Math.max(high - low, 1e-12);
    const place = Math.max(0, Math.min(1, share)) * (HEAT.length - 1);
    const from = Math.min(Math.floor(place), HEAT.length - 2);
    const rgb = HEAT[from].map((v, c) => v + (place - from) * (HEAT[from + 1][c] - v));
    image.data.set([...rgb, 255], 4 * i);
  }
  penOf(small).putImageData(image, 0, 0);
  [pen.globalAlpha, pen.imageSmoothingQuality] = [HEAT_OPACITY, "high"];
  pen.drawImage(small, 0, 0, width, height);
  pen.globalAlpha = 1;
}
