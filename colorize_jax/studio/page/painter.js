// A worker that turns fields into the pixels of one band of rows, so that the page stays free to follow the brush.

import { compose, prepare, rowsFor } from "./colour.js";
import { Lift } from "./lift.js";

const AB = 128; // network units to CIE ab
const LIFTED_STEP = 128; // of the server's int16
const THUMBNAIL = 168; // pixels of the longer side
const SLICE = 48; // rows that are painted before the next look at the messages

const channel = new MessageChannel();
channel.port1.start();

let photo = null;
let small = null;
let wanted = null; // the message whose picture is painted

function open(message) {
  const { lightness, guide, alpha, side, band } = message;
  const needed = rowsFor(band, lightness.height, guide.height);
  const lift = new Lift(guide.data, guide.width, guide.height, side, needed);
  photo = { ...lightness, alpha: alpha?.data, lift, band };
  small = thumbnailOf(guide);
}

/** Every n-th pixel's neighbourhood averaged. */
function thumbnailOf(guide) {
  const step = Math.max(1, Math.ceil(Math.max(guide.width, guide.height) / THUMBNAIL));
  const [width, height] = [guide.width, guide.height].map((side) => Math.max(1, Math.floor(side / step)));
  const data = new Uint8Array(width * height);
  for (let p = 0; p < data.length; p++) {
    const left = (p % width) * step;
    const top = Math.floor(p / width) * step;
    let sum = 0;
    for (let y = top; y < top + step; y++) {
      for (let x = left; x < left + step; x++) sum += guide.data[y * guide.width + x];
    }
    data[p] = Math.round(sum / step ** 2);
  }
  return { data, width, height };
}

/** Paints slice by slice, and gives up between two of them where a message that waited says so. */
async function paint(message) {
  wanted = message;
  const { opened, id, field, lifted, buffer } = message;
  const { data, alpha, width, height, lift, band } = photo;
  const pixels = new Uint32Array(buffer ?? new ArrayBuffer(4 * width * (band[1] - band[0])));
  const planes = lifted && fromInts(lifted);
  if (!lifted) lift.begin(field.map((v) => v * AB));
  for (let top = band[0]; top < band[1] && wanted === message; top += SLICE) {
    const slice = [top, Math.min(top + SLICE, band[1])];
    const [, stop] = rowsFor(slice, height, lift.height);
    const out = pixels.subarray((slice[0] - band[0]) * width, (slice[1] - band[0]) * width);
    compose(data, alpha, width, height, planes ?? lift.upTo(stop), out, slice);
    await turn();
  }
  const done = wanted === message ? "paint" : "gave up";
  self.postMessage({ done, opened, id, buffer: pixels.buffer }, [pixels.buffer]);
}

/** Lets messages in. */
function turn() {
  return new Promise((resolve) => {
    channel.port1.addEventListener("message", resolve, { once: true });
    channel.port2.postMessage(null);
  });
}

function fromInts({ data, width, height }) {
  const planes = Float32Array.from(data, (v) => v / LIFTED_STEP);
  return { a: planes.subarray(0, width * height), b: planes.subarray(width * height), width, height };
}

/** Thumbnails need no edges of colour: the field is spread linearly. */
function thumbnails({ opened, fields }) {
  const side = photo.lift.side;
  const pictures = fields.map((field) => {
    const planes = {
      a: field.filter((_, i) => i % 2 === 0).map((v) => v * AB),
      b: field.filter((_, i) => i % 2 === 1).map((v) => v * AB),
      width: side,
      height: side,
    };
    const pixels = new Uint32Array(small.width * small.height);
    compose(small.data, null, small.width, small.height, planes, pixels);
    return pixels.buffer;
  });
  self.postMessage({ done: "thumbnails", opened, pictures, width: small.width, height: small.height }, pictures);
}

function giveUp() {
  wanted = null;
}

prepare();
const TASKS = { open, paint, giveUp, thumbnails };
self.onmessage = ({ data }) => TASKS[data.task](data);
