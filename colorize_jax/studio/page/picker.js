// The plane of a* and b* at one lightness: what is out of gamut there is gray and cannot be chosen.

import { chromaShare, css, inGamut, labToRgb } from "./colour.js";

const REACH = 100; // of a* and b*, to each side
const STEP = 4; // of the arrow keys
const FEW = [20, 92]; // L* below and above which hardly any colour exists
const SHOWN = [25, 85]; // L* of the plane: darker and lighter ones have too few colours to choose from
const KEYS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, STEP], ArrowDown: [0, -STEP] };

export class Picker {
  /** @param change called with [a, b] when the user has chosen */
  constructor(canvas, swatch, note, change) {
    Object.assign(this, { canvas, swatch, note, change, lightness: 60, ab: [60, 42], drawn: null });
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#choose(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) this.#choose(event);
    });
    canvas.addEventListener("pointerup", () => this.change(this.ab, true));
    canvas.addEventListener("keydown", (event) => {
      const step = KEYS[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      this.#take(this.ab[0] + step[0], this.ab[1] + step[1]);
      this.change(this.ab, true);
    });
    this.show();
  }

  #choose(event) {
    const box = this.canvas.getBoundingClientRect();
    const place = (at, start, size) => (2 * (at - start)) / size - 1;
    this.#take(
      REACH * place(event.clientX, box.left, box.width),
      -REACH * place(event.clientY, box.top, box.height),
    );
    this.change(this.ab, false);
  }

  #take(a, b) {
    const keep = (v) => Math.max(-REACH, Math.min(REACH, v));
    [a, b] = [keep(a), keep(b)];
    const share = chromaShare(this.lightness, a, b);
    this.set([a * share, b * share]);
  }

  /** Shows a colour without telling anyone. */
  set(ab) {
    this.ab = ab.map((v) => Math.round(v * 10) / 10);
    this.show();
  }

  setLightness(lightness) {
    this.lightness = Math.max(SHOWN[0], Math.min(SHOWN[1], lightness));
    this.note.textContent = few(lightness);
    this.show();
  }

  show() {
    const context = this.canvas.getContext("2d");
    const shade = Math.round(this.lightness / 2);
    if (this.drawn?.shade !== shade) this.drawn = { shade, plane: planeAt(2 * shade, this.canvas.width) };
    context.putImageData(this.drawn.plane, 0, 0);
    const share = chromaShare(this.lightness, ...this.ab);
    const half = this.canvas.width / 2;
    const [x, y] = [half + (share * this.ab[0] * half) / REACH, half - (share * this.ab[1] * half) / REACH];
    for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
      context.beginPath();
      context.arc(x, y, 7, 0, 2 * Math.PI);
      [context.strokeStyle, context.lineWidth] = [colour, width];
      context.stroke();
    }
    this.swatch.style.background = css(this.lightness, ...this.ab);
  }
}

function few(lightness) {
  if (lightness < FEW[0]) return "Few colours are this dark.";
  return lightness > FEW[1] ? "Few colours are this bright." : "";
}

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
