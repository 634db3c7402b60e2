// The plane of a* and b* at one lightness: what is out of gamut there is gray and cannot be chosen.

import { chromaShare, css, inGamut, labToRgb } from "./lab.js";
import { penOf } from "./dom.js";

/** @typedef {import("./lab.js").Pair} Pair */

const REACH = 100; // of a* and b*, to each side
const STEP = 4; // of the arrow keys
/** @type {Record<string, Pair>} */
const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };
const RINGS = /** @type {[string, number][]} */ ([["#000", 4], ["#fff", 2]]);

export class Picker {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLElement} swatch
   * @param {(ab: Pair, final: boolean) => void} choose called while the user chooses; final: the choice is made
   */
  constructor(canvas, swatch, choose) {
    this.canvas = canvas;
    this.swatch = swatch;
    this.choose = choose;
    /** @type {Pair} */
    this.ab = [0, 0];
    this.lightness = 0;
    /** @type {{ shade: number, plane: ImageData } | null} */
    this.drawn = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#point(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#point(event);
    });
    canvas.addEventListener("pointerup", () => this.choose(this.ab, true));
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {PointerEvent} event */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const [across, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    this.choose(this.#kept(REACH * (2 * across - 1), REACH * (1 - 2 * down)), false);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.choose(this.#kept(this.ab[0] + step[0], this.ab[1] + step[1]), true);
  }

  /**
   * The nearest colour on the plane that the lightness has.
   *
   * @param {number} a
   * @param {number} b
   * @returns {Pair}
   */
  #kept(a, b) {
    const [keptA, keptB] = [a, b].map((v) => Math.max(-REACH, Math.min(REACH, v)));
    const share = chromaShare(this.lightness, keptA, keptB);
    return [keptA * share, keptB * share];
  }

  /**
   * @param {Pair} ab
   * @param {number} lightness
   */
  show(ab, lightness) {
    this.ab = ab;
    this.lightness = lightness;
    const pen = penOf(this.canvas);
    const shade = Math.round(lightness / 2);
    if (this.drawn?.shade !== shade) this.drawn = { shade, plane: planeAt(2 * shade, this.canvas.width) };
    pen.putImageData(this.drawn.plane, 0, 0);
    const share = chromaShare(lightness, ...ab);
    const half = this.canvas.width / 2;
    const [x, y] = [half + (share * ab[0] * half) / REACH, half - (share * ab[1] * half) / REACH];
    for (const [color, width] of RINGS) {
      pen.beginPath();
      pen.arc(x, y, 7, 0, 2 * Math.PI);
      [pen.strokeStyle, pen.lineWidth] = [color, width];
      pen.stroke();
    }
    this.swatch.style.background = css(lightness, ...ab);
  }
}

/**
 * @param {number} lightness
 * @param {number} size
 */
function planeAt(lightness, size) {
  const plane = new ImageData(size, size);
  for (let y = 0, p = 0; y < size; y++) {
    for (let x = 0; x < size; x++, p += 4) {
      const [a, b] = [(2 * REACH * (x + 0.5)) / size - REACH, REACH - (2 * REACH * (y + 0.5)) / size];
      const gray = (x + y) % 12 < 2 ? 92 : 80; // hatched, so that it is no colour to choose
      const rgb = inGamut(lightness, a, b) ? labToRgb(lightness, a, b) : [gray, gray, gray];
      plane.data.set([...rgb, 255], p);
    }
  }
  return plane;
}
