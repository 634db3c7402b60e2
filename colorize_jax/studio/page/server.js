// What the page says to its server, and hears from it; the format stands in colorize_jax/studio/protocol.py.

const CLOSED = 4404; // the session is not open any more
const TYPES = { float32: Float32Array, int16: Int16Array, uint8: Uint8Array };
const [FIRST_WAIT, LONGEST_WAIT] = [300, 4000]; // milliseconds

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let start = 4 + length;
  for (const [name, type, shape] of header.arrays) {
    const count = shape.reduce((a, b) => a * b, 1);
    const data = new TYPES[type](buffer, start, count);
    arrays[name] = { data, shape };
    start += Math.ceil(data.byteLength / 4) * 4;
  }
  return { ...header, ...arrays };
}

async function answerOf(response) {
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  throw Object.assign(new Error(told.message ?? `The server answered ${response.status}.`), {
    status: response.status,
  });
}

const frameOf = async (response) => unpack(await (await answerOf(response)).arrayBuffer());

export const openPhoto = async (file) => frameOf(await fetch("photos", { method: "POST", body: file }));
export const findPhoto = async (session) => frameOf(await fetch(`photos/${session}`));
export const similarityOf = async (session) => frameOf(await fetch(`photos/${session}/similarity`));

export async function pictureOf(session, version, document) {
  const body = JSON.stringify({ type: "edits", id: 0, version, document });
  return (await answerOf(await fetch(`photos/${session}/picture`, { method: "POST", body }))).blob();
}

/** A conversation about one session: of each type one message is under way, and the newest waits. */
export class Live {
  /** @param hear called with each answer; @param lost with 'closed' for a session that is gone, else with the state */
  constructor(session, hear, lost) {
    Object.assign(this, { session, hear, lost, wait: FIRST_WAIT, ended: false });
    this.waiting = new Map();
    this.underWay = new Map();
    this.#connect();
  }

  #connect() {
    const address = new URL(`photos/${this.session}/live`, window.location.href);
    address.protocol = "ws:";
    this.socket = new WebSocket(address);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.wait = FIRST_WAIT;
      this.lost("open");
      // What was under way when the connection broke is asked again, unless something newer waits.
      for (const [type, message] of this.underWay) if (!this.waiting.has(type)) this.waiting.set(type, message);
      this.underWay.clear();
      this.#flush();
    };
    this.socket.onmessage = ({ data }) => this.#heard(typeof data === "string" ? JSON.parse(data) : unpack(data));
    this.socket.onclose = ({ code }) => {
      if (this.ended) return;
      if (code === CLOSED) return this.lost("closed");
      this.lost("broken");
      setTimeout(() => this.ended || this.#connect(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    };
  }

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
