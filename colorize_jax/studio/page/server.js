// What the page says to its server, and hears from it; the format stands in colorize_jax/studio/protocol.py.

/** @typedef {import("./lab.js").Pair} Pair */
/** @typedef {ReturnType<typeof import("./edits.js").documentOf>} Document */

/**
 * @template Data
 * @typedef {{ data: Data, shape: number[] }} Packed
 */
/** @typedef {Packed<Float32Array>} Floats */
/** @typedef {Packed<Uint8Array>} Bytes */

/**
 * @typedef {object} OpenedPhoto
 * @property {string} session
 * @property {Pair} size width and height, in pixels
 * @property {number[]} weights of the versions
 * @property {boolean} bordered whether it has a border, which takes no colour
 * @property {Bytes} lightness L* / 100 * 255
 * @property {Bytes} guide the same, of the size that colours are lifted to
 * @property {Bytes} [alpha]
 * @property {Floats} fields of each version
 */

/** @typedef {{ draw_ms: number, solve_ms: number }} Times */
/** @typedef {{ rows: Bytes }} Similarity of each cell to each other */
/**
 * @typedef {{ layers?: Floats, plane?: Bytes }} Layered where closed areas or locks have answers of their own
 * @typedef {{ type: "fields", id: number, version: number, fields: Floats, lifted?: Packed<Int16Array> }} Solved
 * @typedef {Solved & Layered & Times} FieldsAnswer
 * @typedef {{ type: "versions", id: number, fields: Floats }} VersionsAnswer
 * @typedef {{ type: "explained", id: number, suggested: Pair[], variance: Floats }} Explained
 * @typedef {{ type: "error", id: number | null, message: string }} Refused
 * @typedef {{ type: "window", id: number, pixels: Bytes, milliseconds: number }} WindowAnswer
 * @typedef {FieldsAnswer | VersionsAnswer | Explained | WindowAnswer | Refused} Answer
 */

/** @typedef {Record<string, Pair>} SentTones strength and saturation by version; the server's `tone.py` has them */
/** @typedef {{ kind: "picture" | "both" | "layer" | "masks", format: string }} Saved format: a suffix */
/** @typedef {{ version: number, document: Document, tones: SentTones }} Shown what a picture shows */

/**
 * @typedef {{ type: "edits", id: number } & Shown} EditsMessage
 * @typedef {{ type: "versions", id: number, document: Document, tones: SentTones }} VersionsMessage
 * @typedef {{ type: "explain", id: number, suggestions: number, document: Document }} ExplainMessage
 * @typedef {{ type: "window" | "finish", id: number, level: number, box: number[] } & Shown} WindowMessage
 * @typedef {EditsMessage | VersionsMessage | ExplainMessage | WindowMessage} Message
 */

/** @typedef {"open" | "broken" | "closed"} Line closed: the session is gone */

const CLOSED = 4404; // the session is not open any more
/** @type {Record<string, typeof Float32Array | typeof Int16Array | typeof Uint8Array>} */
const TYPES = { float32: Float32Array, int16: Int16Array, uint8: Uint8Array };
const [FIRST_WAIT, LONGEST_WAIT] = [300, 4000]; // milliseconds

/** What the server says is wrong. */
export class ServerError extends Error {
  /**
   * @param {string} message
   * @param {number} status
   */
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/**
 * @param {ArrayBuffer} buffer
 * @returns {any}
 */
function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  /** @type {Record<string, Packed<unknown>>} */
  const arrays = {};
  let start = 4 + length;
  for (const [name, type, shape] of /** @type {[string, string, number[]][]} */ (header.arrays)) {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = new TYPES[type](buffer, start, count);
    arrays[name] = { data, shape };
    start += Math.ceil(data.byteLength / 4) * 4;
  }
  return { ...header, ...arrays };
}

/**
 * @param {Response} response
 * @throws {ServerError} it tells a mistake
 */
export async function answerOf(response) {
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw new ServerError(told.message ?? `The server answered ${response.status}.`, response.status);
}

/** @param {Response} response */
const frameOf = async (response) => unpack(await (await answerOf(response)).arrayBuffer());

/** @type {(file: File) => Promise<OpenedPhoto>} */
export const openPhoto = async (file) => frameOf(await fetch("photos", { method: "POST", body: file }));
/** @type {(session: string) => Promise<OpenedPhoto>} */
export const findPhoto = async (session) => frameOf(await fetch(`photos/${session}`));
/** @type {(session: string) => Promise<Similarity>} */
export const similarityOf = async (session) => frameOf(await fetch(`photos/${session}/similarity`));

/**
 * @param {string} session
 * @param {Shown} shown
 * @param {Saved} saved
 */
export async function pictureOf(session, shown, { kind, format }) {
  const body = JSON.stringify({ type: "edits", id: 0, ...shown });
  const address = `photos/${session}/picture?kind=${kind}&format=${format}`;
  return (await answerOf(await fetch(address, { method: "POST", body }))).blob();
}

/** A conversation about one session: of each type one message is under way, and the newest waits. */
export class Conversation {
  /**
   * @param {string} session
   * @param {(answer: Answer) => void} hear
   * @param {(line: Line) => void} turn called when the connection has opened, broken or closed
   */
  constructor(session, hear, turn) {
    this.session = session;
    this.hear = hear;
    this.turn = turn;
    this.wait = FIRST_WAIT;
    this.ended = false;
    /** @type {Map<string, Message>} */
    this.waiting = new Map();
    /** @type {Map<string, Message>} */
    this.underWay = new Map();
    this.socket = this.#connect();
  }

  #connect() {
    const address = new URL(`photos/${this.session}/live`, window.location.href);
    address.protocol = "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = FIRST_WAIT;
      this.turn("open");
      // What was under way when the connection broke is asked again, unless something newer waits.
      for (const [type, message] of this.underWay) if (!this.waiting.has(type)) this.waiting.set(type, message);
      this.underWay.clear();
      this.#flush();
    };
    socket.onmessage = ({ data }) => this.#heard(typeof data === "string" ? JSON.parse(data) : unpack(data));
    socket.onclose = ({ code }) => this.#lost(code);
    return socket;
  }

  /** @param {number} code */
  #lost(code) {
    if (this.ended) return;
    if (code === CLOSED) return this.turn("closed");
    this.turn("broken");
    setTimeout(() => {
      if (!this.ended) this.socket = this.#connect();
    }, this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  /** @param {Message} message */
  send(message) {
    this.waiting.set(message.type, message);
    this.#flush();
  }

  #flush() {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    for (const [type, message] of this.waiting) {
      if (this.underWay.has(type)) continue;
      this.waiting.delete(type);
      this.underWay.set(type, message);
      this.socket.send(JSON.stringify(message));
    }
  }

  /** @param {Answer} answer */
  #heard(answer) {
    for (const [type, message] of this.underWay) if (message.id === answer.id) this.underWay.delete(type);
    this.#flush();
    this.hear(answer);
  }

  end() {
    this.ended = true;
    this.socket.close();
  }
}
