// The document of edits, in fractions of the photo, with its history: arrays that are replaced, never changed.

const VERSION = 1;
const MOST_STROKE_POINTS = 1500;
const round = (v) => Math.round(v * 1e5) / 1e5;

export class History {
  /** @param edits of an earlier sitting: undo takes them back one by one */
  constructor(edits = []) {
    this.past = edits.map((_, i) => edits.slice(0, i));
    this.edits = edits;
    this.future = [];
  }

  commit(edits) {
    this.past.push(this.edits);
    this.edits = edits;
    this.future = [];
  }

  undo() {
    if (!this.past.length) return false;
    this.future.push(this.edits);
    this.edits = this.past.pop();
    return true;
  }

  redo() {
    if (!this.future.length) return false;
    this.past.push(this.edits);
    this.edits = this.future.pop();
    return true;
  }

  /** Takes back a change that the server refused, without a way to do it again. */
  drop() {
    this.edits = this.past.pop() ?? [];
  }
}

export function documentOf(edits) {
  return { version: VERSION, units: "fraction", edits };
}

const isPair = (p) => Array.isArray(p) && p.length === 2 && p.every(Number.isFinite);
const isPath = (path) => Array.isArray(path) && path.length > 0 && path.every(isPair);
const FORMS = {
  point: (edit) => isPair(edit.at) && edit.color,
  stroke: (edit) => isPath(edit.path) && edit.color,
  region: (edit) => isPath(edit.polygon) && edit.color,
  link: (edit) => Array.isArray(edit.regions) && edit.regions.every(isPath),
  eraser: (edit) => isPath(edit.path ?? edit.polygon),
};

/**
 * The edits of an uploaded document, in fractions, as far as the page itself must understand them. What else is wrong
 * with them, the server tells.
 *
 * @throws Error another format, or another photo
 */
export function editsOf(document, width, height) {
  if (document?.version !== VERSION || !Array.isArray(document.edits)) {
    throw new Error("This is not a file of colour edits (version 1).");
  }
  const wrong = document.edits.findIndex((edit) => !(Object.hasOwn(FORMS, edit?.kind) && FORMS[edit.kind](edit)));
  if (wrong >= 0) throw new Error(`Edit ${wrong + 1} of this file is not one that the studio knows.`);
  const [w, h] = document.size ?? [width, height];
  if (w !== width || h !== height) {
    throw new Error(`These edits belong to a photo of ${w} × ${h} pixels; this one has ${width} × ${height}.`);
  }
  if (document.units === "fraction") return document.edits;
  const place = ([x, y]) => [x / width, y / height];
  const radius = (r) => r / Math.min(width, height);
  return document.edits.map((edit) => mapped(edit, place, radius));
}

/** An edit whose points, and radius, are put through functions. */
export function mapped(edit, place, radius = (r) => r) {
  const changed = { ...edit };
  if ("at" in edit) changed.at = place(edit.at);
  for (const name of ["path", "polygon"]) if (name in edit) changed[name] = edit[name].map(place);
  if ("regions" in edit) changed.regions = edit.regions.map((polygon) => polygon.map(place));
  if ("radius" in edit) changed.radius = radius(edit.radius);
  return changed;
}

export function pointsOf(edit) {
  return edit.at ? [edit.at] : (edit.path ?? edit.polygon ?? edit.regions.flat());
}

/** An edit moved by a fraction of the photo, as far as it stays on it. */
export function moved(edit, dx, dy) {
  const points = pointsOf(edit);
  const span = (i) => [Math.min(...points.map((p) => p[i])), Math.max(...points.map((p) => p[i]))];
  const [[left, right], [top, bottom]] = [span(0), span(1)];
  const x = Math.max(-left, Math.min(1 - right, dx));
  const y = Math.max(-top, Math.min(1 - bottom, dy));
  const keep = (v) => Math.max(0, Math.min(1, round(v)));
  return mapped(edit, (p) => [keep(p[0] + x), keep(p[1] + y)]);
}

/** A path with fewer points (Ramer, Douglas and Peucker), none of it further off than `tolerance`; rounded. */
export function simplified(points, tolerance) {
  const kept = reduced(points, tolerance).map((p) => p.map(round));
  return kept.length > MOST_STROKE_POINTS ? simplified(kept, 2 * tolerance) : kept;
}

function reduced(points, tolerance) {
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const open = [[0, points.length - 1]];
  while (open.length) {
    const [first, last] = open.pop();
    let furthest = -1;
    let most = tolerance;
    for (let i = first + 1; i < last; i++) {
      const distance = distanceToSegment(points[i], points[first], points[last]);
      if (distance > most) [furthest, most] = [i, distance];
    }
    if (furthest < 0) continue;
    keep[furthest] = 1;
    open.push([first, furthest], [furthest, last]);
  }
  return points.filter((_, i) => keep[i]);
}

export function distanceToSegment(p, from, to) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const along = dx * dx + dy * dy;
  const raw = along ? ((p[0] - from[0]) * dx + (p[1] - from[1]) * dy) / along : 0;
  const share = Math.max(0, Math.min(1, raw));
  return Math.hypot(p[0] - from[0] - share * dx, p[1] - from[1] - share * dy);
}

export function insidePolygon(p, polygon) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > p[1] !== yj > p[1] && p[0] < ((xj - xi) * (p[1] - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}
