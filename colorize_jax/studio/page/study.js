// The user study: pairs of pictures, a vote on each. The server knows what they are; the page, only who votes.

const STORED = "colorize-study"; // the rater's id, so that a reload goes on where it was
const SHOW_CHOICE = 250; // milliseconds, in which the second click of a double click is not taken for a vote
const TOAST = 7000;
const SECONDS_A_PAIR = 5;
const SIDES = ["left", "right"];
const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right" };
const STACKED_KEYS = { ArrowUp: "left", ArrowDown: "right" };

const $ = (id) => document.getElementById(id);
const stacked = window.matchMedia("(max-width: 760px) and (orientation: portrait)");

let rater = sessionStorage.getItem(STORED);
let total = 0;
let open = []; // numbers of the pairs without a vote
let ahead = null; // {number, images}: a promise of the next pair's pictures
let since = null; // when both pictures were shown; null while no vote is taken

async function ask(path, body) {
  const request = fetch(path, body === undefined ? {} : { method: "POST", body: JSON.stringify(body) });
  const answer = await request.catch(() => {
    throw Object.assign(new Error("The study does not answer. Start it again, then reload this page."), { silent: true });
  });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(told.message ?? `The server answered ${answer.status}.`), { status: answer.status });
}

const asked = async (path, body) => (await ask(path, body)).json();

// ------------------------------------------------------------------------------------------- the rater

async function welcome() {
  const { pairs } = await asked("study");
  const minutes = Math.ceil((pairs * SECONDS_A_PAIR) / 60);
  $("count").textContent = `${pairs} pairs of pictures`;
  $("minutes").textContent = minutes > 1 ? `${minutes} minutes` : "a minute";
  document.body.dataset.state = "welcome";
  $("begin").focus();
}

async function begin() {
  $("begin").disabled = true; // one click, one rater
  try {
    const answer = await asked("raters", {});
    rater = answer.rater;
    sessionStorage.setItem(STORED, rater);
    await goOn(answer);
  } finally {
    $("begin").disabled = false;
  }
}

async function resume() {
  try {
    await goOn(await asked(`raters/${rater}`));
  } catch (error) {
    if (error.status !== 404) throw error;
    await forget();
  }
}

async function forget() {
  sessionStorage.removeItem(STORED);
  ahead = null;
  await welcome();
}

async function goOn(answer) {
  ({ total, open } = answer);
  await show();
}

// ------------------------------------------------------------------------------------------- pairs

async function picture(number, side) {
  const image = new Image();
  image.alt = "";
  image.draggable = false;
  image.src = URL.createObjectURL(await (await ask(`raters/${rater}/pairs/${number}/${side}`)).blob());
  await image.decode().finally(() => URL.revokeObjectURL(image.src));
  image.style.setProperty("--shape", image.naturalWidth / image.naturalHeight);
  return image;
}

function pictures(number) {
  if (ahead?.number !== number) {
    ahead = { number, images: Promise.all(SIDES.map((side) => picture(number, side))) };
    ahead.images.catch(() => {}); // told when it is their turn
  }
  return ahead.images;
}

const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function show() {
  while (open.length) {
    try {
      const images = await pictures(open[0]);
      SIDES.forEach((side, i) => $(side).replaceChildren(images[i]));
      break;
    } catch (error) {
      if (error.silent) throw error;
      ahead = null;
      open.shift();
      toast(`A pair is left out: ${error.message}`);
    }
  }
  document.body.dataset.state = open.length ? "vote" : "thanks";
  if (!open.length) return;
  $("bar").max = total;
  $("bar").value = total - open.length;
  $("place").textContent = `${total - open.length + 1} of ${total}`;
  await painted();
  since = performance.now();
  if (open.length > 1) pictures(open[1]);
}

async function vote(side) {
  if (since === null) return;
  const shown = since;
  since = null;
  $(side).classList.add("chosen");
  const milliseconds = Math.round(performance.now() - shown);
  try {
    const sent = ask(`raters/${rater}/votes`, { pair: open[0], choice: side, milliseconds });
    await Promise.all([sent, pause(SHOW_CHOICE)]);
  } catch (error) {
    if (error.status !== 409) {
      since = shown; // the vote can be tried again
      throw error;
    } // 409: voted on in another tab
  } finally {
    $(side).classList.remove("chosen");
  }
  document.activeElement.blur(); // no frame around one of the next two
  open.shift();
  await show();
}

// ------------------------------------------------------------------------------------------- events

let hiding = null;

function toast(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => ($("toast").hidden = true), TOAST);
}

/** Runs an action; what goes wrong is told. */
async function tried(action, ...values) {
  try {
    await action(...values);
  } catch (error) {
    toast(error.message);
  }
}

for (const side of SIDES) $(side).addEventListener("click", () => tried(vote, side));
$("begin").addEventListener("click", () => tried(begin));
$("another").addEventListener("click", () => tried(forget));
document.addEventListener("keydown", (event) => {
  const side = KEYS[event.key] ?? (stacked.matches ? STACKED_KEYS[event.key] : undefined);
  if (!side || document.body.dataset.state !== "vote") return;
  if (event.repeat || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  tried(vote, side);
});
tried(rater ? resume : welcome);
