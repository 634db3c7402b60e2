// The user study: pairs of pictures, a vote on each. The server knows what they are; the page, only who votes.
// Modules that are not here are the studio's, which the study's server serves as well.

import { buttonOf, part } from "./dom.js";
import { answerOf, ServerError } from "./server.js";
import { Store, view } from "./store.js";

/** @typedef {"left" | "right"} Side */
/** @typedef {{ total: number, open: number[] }} Progress pairs of the rater; numbers of those without a vote */
/** @typedef {{ pairs: number }} Terms how many pairs a rater is asked */

/**
 * @typedef {object} State
 * @property {"loading" | "welcome" | "vote" | "thanks"} screen
 * @property {number} pairs that a rater is asked
 * @property {string | null} rater an id
 * @property {boolean} beginning
 * @property {number} total
 * @property {readonly number[]} open
 * @property {{ number: number, images: Promise<HTMLImageElement[]> } | null} ahead the next pair
 * @property {readonly HTMLImageElement[]} images of the pair that is shown
 * @property {number} place of the pair that is shown, from 1
 * @property {number | null} since when both pictures were shown; null while no vote is taken
 * @property {Side | null} chosen
 * @property {string | null} toast
 * @property {number | undefined} hiding the timer of the toast
 */

/** @typedef {Store<State>} Study */

const STORED = "colorize-study"; // the rater's id, so that a reload goes on where it was
const SHOW_CHOICE = 250; // milliseconds, in which the second click of a double click is not taken for a vote
const TOAST = 7000;
const SECONDS_A_PAIR = 5;
/** @type {readonly Side[]} */
const SIDES = ["left", "right"];
/** @type {Record<string, Side>} */
const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right" };
/** @type {Record<string, Side>} */
const STACKED_KEYS = { ArrowUp: "left", ArrowDown: "right" };
const STACKED = window.matchMedia("(max-width: 760px) and (orientation: portrait)");

class Unreached extends Error {}

/**
 * @param {string} path
 * @param {object} [body]
 */
async function ask(path, body) {
  const request = fetch(path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
  const answer = await request.catch(() => {
    throw new Unreached("The study does not answer. Start it again, then reload this page.");
  });
  return answerOf(answer);
}

/** @type {(path: string, body?: object) => Promise<any>} */
const asked = async (path, body) => (await ask(path, body)).json();

/** @param {Study} study */
async function welcome({ change }) {
  /** @type {Terms} */
  const { pairs } = await asked("study");
  change({ pairs, screen: "welcome" });
  part("begin").focus();
}

/** @param {Study} study */
async function begin(study) {
  study.change({ beginning: true }); // one click, one rater
  try {
    /** @type {Progress & { rater: string }} */
    const { rater, ...progress } = await asked("raters", {});
    sessionStorage.setItem(STORED, rater);
    study.change({ rater });
    await goOn(study, progress);
  } finally {
    study.change({ beginning: false });
  }
}

/** @param {Study} study */
async function resume(study) {
  try {
    await goOn(study, await asked(`raters/${study.state.rater}`));
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
    await forget(study);
  }
}

/** @param {Study} study */
async function forget(study) {
  sessionStorage.removeItem(STORED);
  study.change({ ahead: null });
  await welcome(study);
}

/**
 * @param {Study} study
 * @param {Progress} progress
 */
async function goOn(study, { total, open }) {
  study.change({ total, open });
  await show(study);
}

/**
 * @param {unknown} error
 * @param {number} status
 */
const hasStatus = (error, status) => error instanceof ServerError && error.status === status;

/** @param {string} path */
async function picture(path) {
  const image = new Image();
  image.alt = "";
  image.draggable = false;
  image.src = URL.createObjectURL(await (await ask(path)).blob());
  await image.decode().finally(() => URL.revokeObjectURL(image.src));
  image.style.setProperty("--shape", String(image.naturalWidth / image.naturalHeight));
  return image;
}

/**
 * The two pictures of a pair, which may have been asked for ahead.
 *
 * @param {Study} study
 * @param {number} number
 */
function pictures({ state, change }, number) {
  if (state.ahead?.number === number) return state.ahead.images;
  const images = Promise.all(SIDES.map((side) => picture(`raters/${state.rater}/pairs/${number}/${side}`)));
  images.catch(() => {}); // told when it is their turn
  change({ ahead: { number, images } });
  return images;
}

/**
 * The pictures of the first pair without a vote; null where there is none. A pair that cannot be had is left out.
 *
 * @param {Study} study
 */
async function nextPictures(study) {
  while (study.state.open.length) {
    try {
      return await pictures(study, study.state.open[0]);
    } catch (error) {
      if (error instanceof Unreached) throw error;
      study.change({ ahead: null, open: study.state.open.slice(1) });
      toast(study, `A pair is left out: ${messageOf(error)}`);
    }
  }
  return null;
}

const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
const pause = (/** @type {number} */ milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** @param {Study} study */
async function show(study) {
  const images = await nextPictures(study);
  const { open, total } = study.state;
  if (!images) return study.change({ screen: "thanks" });
  study.change({ screen: "vote", images, place: total - open.length + 1 });
  await painted();
  study.change({ since: performance.now() });
  if (open.length > 1) pictures(study, open[1]);
}

/**
 * @param {Study} study
 * @param {Side} side
 */
async function vote(study, side) {
  const { since, rater, open } = study.state;
  if (since === null) return;
  study.change({ since: null, chosen: side });
  const milliseconds = Math.round(performance.now() - since);
  try {
    const sent = ask(`raters/${rater}/votes`, { pair: open[0], choice: side, milliseconds });
    await Promise.all([sent, pause(SHOW_CHOICE)]);
  } catch (error) {
    if (!hasStatus(error, 409)) {
      study.change({ since }); // the vote can be tried again
      throw error;
    } // 409: voted on in another tab
  } finally {
    study.change({ chosen: null });
  }
  buttonOf(side).blur(); // no frame around one of the next two
  study.change({ open: open.slice(1) });
  await show(study);
}

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * @param {Study} study
 * @param {string} message
 */
function toast({ state, change }, message) {
  clearTimeout(state.hiding);
  change({ toast: message, hiding: setTimeout(() => change({ toast: null }), TOAST) });
}

/**
 * Runs an action; what goes wrong is told.
 *
 * @param {Study} study
 * @param {(study: Study) => Promise<void>} action
 */
async function attempt(study, action) {
  try {
    await action(study);
  } catch (error) {
    toast(study, messageOf(error));
  }
}

/** @returns {import("./store.js").View<State>[]} */
function views() {
  const bar = part("bar", HTMLProgressElement);
  return [
    view((state) => [state.screen], (screen) => void (document.body.dataset.state = screen)),
    view((state) => [state.pairs], (pairs) => {
      const minutes = Math.ceil((pairs * SECONDS_A_PAIR) / 60);
      part("count").textContent = `${pairs} pairs of pictures`;
      part("minutes").textContent = minutes > 1 ? `${minutes} minutes` : "a minute";
    }),
    view((state) => [state.beginning], (beginning) => void (buttonOf("begin").disabled = beginning)),
    view((state) => [state.images], (images) => images.forEach((image, i) => part(SIDES[i]).replaceChildren(image))),
    view((state) => [state.total, state.place], (total, place) => {
      bar.max = total;
      bar.value = place - 1;
      part("place").textContent = `${place} of ${total}`;
    }),
    view((state) => [state.chosen], (chosen) => {
      for (const side of SIDES) part(side).classList.toggle("chosen", side === chosen);
    }),
    view((state) => [state.toast], (message) => {
      part("toast").hidden = message === null;
      part("toast").textContent = message;
    }),
  ];
}

/**
 * @param {Study} study
 * @param {KeyboardEvent} event
 */
function runKey(study, event) {
  const side = KEYS[event.key] ?? (STACKED.matches ? STACKED_KEYS[event.key] : undefined);
  if (!side || study.state.screen !== "vote") return;
  if (event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  attempt(study, (asking) => vote(asking, side));
}

/** @returns {State} */
function stateAtFirst() {
  return {
    screen: "loading",
    pairs: 0,
    rater: sessionStorage.getItem(STORED),
    beginning: false,
    total: 0,
    open: [],
    ahead: null,
    images: [],
    place: 1,
    since: null,
    chosen: null,
    toast: null,
    hiding: undefined,
  };
}

/** @type {Study} */
const study = new Store(stateAtFirst());
study.show(views());
for (const side of SIDES) part(side).addEventListener("click", () => attempt(study, (asking) => vote(asking, side)));
part("begin").addEventListener("click", () => attempt(study, begin));
part("another").addEventListener("click", () => attempt(study, forget));
document.addEventListener("keydown", (event) => runKey(study, event));
attempt(study, study.state.rater ? resume : welcome);
