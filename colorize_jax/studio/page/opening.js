// Opening a photo, again after a reload, and again after the server has closed it.

import { historyOf } from "./edits.js";
import { forget, keepPhoto, keepWork, newId, photoOf, projects } from "./projects.js";
import { eachOf, hear, paint, send } from "./preview.js";
import { Conversation, findPhoto, openPhoto } from "./server.js";
import { told, UNREACHED } from "./showing.js";
import { seriesOf, unsaved, untouched } from "./state.js";

/** @typedef {import("./server.js").Line} Line */
/** @typedef {import("./server.js").OpenedPhoto} OpenedPhoto */
/** @typedef {import("./state.js").Studio} Studio */
/** @typedef {import("./state.js").Work} Work */

const STORED = "colorize-studio";

/** @param {File} file */
const nameOf = (file) => (file.name ?? "photo").replace(/\.[^.]*$/, "") || "photo";

/**
 * Opens what the user brought, unless it is no photo, or strokes would be lost that the user wants to keep.
 *
 * @param {Studio} studio
 * @param {File} file
 */
export async function openNew(studio, file) {
  const { photo, orphaned } = studio.state;
  const name = nameOf(file);
  if (file.type && !file.type.startsWith("image/")) return studio.change({ toast: `“${file.name}” is not a photo.` });
  if (unsaved(studio.state)) {
    const question = `The colours of “${photo?.name}” are not saved. Open “${name}” all the same?`;
    if (!window.confirm(question)) return;
  }
  const again = orphaned?.name === name ? orphaned : null;
  await open(studio, file, again ? { ...again, name } : { name, edits: [], version: 0 });
  if (again && studio.state.photo?.file === file) studio.change({ orphaned: null });
}

/**
 * Keeps several photos in this browser, each as work of its own, and opens the first.
 *
 * @param {Studio} studio
 * @param {readonly File[]} files
 */
export async function openSeries(studio, files) {
  const id = newId();
  const works = files.map((file, place) => ({
    id: newId(), name: nameOf(file), edits: [], version: 0, series: { id, place }, changed: Date.now() - place,
  }));
  try {
    for (const [place, work] of works.entries()) {
      await keepPhoto(work.id, files[place]);
      await keepWork(work);
    }
  } catch {
    return studio.change({ toast: "This browser keeps no photos: open them one at a time." });
  }
  await listProjects(studio);
  await openKept(studio, { ...works[0], project: works[0].id });
}

/**
 * Gives these edits, version and tone to other photos of the series, too, which keep the edits that they have.
 *
 * @param {Studio} studio
 * @param {boolean} all or the next one alone, which is opened
 */
export async function handOn(studio, all) {
  const { photo, history, version, tones } = studio.state;
  const series = seriesOf(studio.state);
  const place = series.findIndex(({ id }) => id === photo?.project);
  const others = all ? series.filter((_, i) => i !== place) : series.slice(place + 1, place + 2);
  const changed = others.map((work) => {
    const has = new Set(work.edits.map((edit) => JSON.stringify(edit)));
    const added = history.edits.filter((edit) => !has.has(JSON.stringify(edit)));
    return { ...work, edits: [...work.edits, ...added], version, tones, changed: Date.now() };
  });
  for (const work of changed) await keepWork(work);
  await listProjects(studio);
  if (all) studio.change({ toast: `On ${changed.length} other photos, too.` });
  else if (changed.length) await openKept(studio, { ...changed[0], project: changed[0].id });
}

/** @param {Studio} studio */
export async function openExample(studio) {
  const file = new File([await (await fetch("example.jpg")).blob()], "example.jpg");
  await open(studio, file, { name: nameOf(file), edits: [], version: 0 });
}

/**
 * @param {Studio} studio
 * @param {File} file
 * @param {Work} work to go on with
 */
async function open(studio, file, work) {
  const before = studio.state.screen;
  const address = URL.createObjectURL(file);
  studio.change({ screen: "start", opening: address });
  try {
    begin(studio, await openPhoto(file), work, file);
  } catch (error) {
    studio.change({ screen: before, toast: told(error) });
  } finally {
    studio.change({ opening: null });
    URL.revokeObjectURL(address);
  }
}

/**
 * @param {Studio} studio
 * @param {OpenedPhoto} opened
 * @param {Work} work
 * @param {File} [file]
 */
function begin(studio, opened, { project = newId(), name, edits, version, tones = {}, series }, file) {
  const { session, size, weights, bordered } = opened;
  const [lightness, guide] = [planeOf(opened.lightness), planeOf(opened.guide)];
  const alpha = opened.alpha ? planeOf(opened.alpha) : null;
  const fields = eachOf(opened.fields);
  studio.state.live?.end();
  studio.change({
    ...untouched,
    screen: "work",
    photo: { session, project, name, series, file, size, weights, lightness, guide, alpha },
    live: null,
    history: historyOf(edits),
    kept: null,
    fields,
    version: Math.min(version, fields.length - 1),
    tones,
  });
  studio.painters.open({ lightness, guide, alpha, side: opened.fields.shape[1] });
  paint(studio);
  studio.painters.thumbnails(fields);
  const live = new Conversation(
    session,
    (answer) => hear(studio, answer),
    (line) => turned(studio, line),
  );
  studio.change({ live });
  // Of a border the answer tells which pixels are gray.
  if (edits.length || bordered || Object.keys(tones).length) send(studio, true);
}

/** @param {{ data: Uint8Array, shape: number[] }} packed */
const planeOf = ({ data, shape }) => ({ data, width: shape[1], height: shape[0] });

/**
 * Opens what was open before a reload.
 *
 * @param {Studio} studio
 */
export async function restore(studio) {
  /** @type {(Work & { session: string }) | null} */
  const stored = JSON.parse(sessionStorage.getItem(STORED) ?? "null");
  if (!stored) return;
  try {
    begin(studio, await findPhoto(stored.session), stored);
  } catch {
    await openKept(studio, stored);
  }
}

/**
 * Opens a photo again that this browser keeps.
 *
 * @param {Studio} studio
 * @param {Work} work
 */
async function openKept(studio, work) {
  const file = work.project && (await photoOf(work.project).catch(() => undefined));
  if (!file) return orphan(studio, work);
  await open(studio, file, work);
  studio.change({ photoKept: work.project });
}

/**
 * @param {Studio} studio
 * @param {Work} project
 */
export async function openProject(studio, project) {
  await openKept(studio, project);
}

/**
 * Opens another photo of the series with the work that is kept by now.
 *
 * @param {Studio} studio
 * @param {Work} listed
 */
export async function openListed(studio, listed) {
  await listProjects(studio);
  const now = studio.state.projects.find(({ id }) => id === listed.project);
  await openKept(studio, now ? { ...now, project: now.id } : listed);
}

/** @param {Studio} studio */
export async function listProjects({ change }) {
  change({ projects: await projects().catch(() => []) }); // a browser that keeps nothing has none
}

/**
 * @param {Studio} studio
 * @param {string} id
 */
export async function forgetProject(studio, id) {
  await forget(id);
  await listProjects(studio);
}

/**
 * Keeps the work: over a reload, and from its first edit on in this browser.
 *
 * @param {Studio} studio
 */
export async function store({ state, change }) {
  const { photo, history, version, tones, photoKept } = state;
  if (!photo) return;
  const { session, project, name, series, file } = photo;
  const work = { project, name, edits: history.edits, version, tones, series };
  try {
    sessionStorage.setItem(STORED, JSON.stringify({ session, ...work }));
  } catch {
    sessionStorage.removeItem(STORED); // larger than a browser stores: a reload begins anew
  }
  const untold = !history.edits.length && !Object.keys(tones).length;
  if (photoKept !== project && (!file || untold)) return;
  try {
    if (photoKept !== project && file) await keepPhoto(project, file);
    await keepWork({ ...work, id: project, changed: Date.now() });
    change({ photoKept: project });
  } catch {
    change({ toast: "This browser keeps nothing of your work: save it before you close the page." });
  }
}

/**
 * @param {Studio} studio
 * @param {string} name
 */
export function rename({ state, change }, name) {
  if (state.photo && name.trim()) change({ photo: { ...state.photo, name: name.trim() } });
}

/**
 * Leaves the photo, whose work is kept, for the others.
 *
 * @param {Studio} studio
 */
export function leave(studio) {
  studio.state.live?.end();
  sessionStorage.removeItem(STORED);
  studio.change({ ...untouched, screen: "start", photo: null, live: null, history: historyOf([]), kept: null });
}

/**
 * The connection to the server has opened, broken or closed.
 *
 * @param {Studio} studio
 * @param {Line} line
 */
function turned(studio, line) {
  const { toast } = studio.state;
  if (line === "broken") studio.change({ toast: `${UNREACHED} Your strokes stay here.` });
  if (line === "open" && toast?.startsWith(UNREACHED)) studio.change({ toast: null });
  if (line === "closed") lost(studio);
}

/**
 * The server has closed the photo: the page opens it again where it has the file.
 *
 * @param {Studio} studio
 */
export async function lost(studio) {
  const { live, photo, history, version, tones } = studio.state;
  live?.end();
  if (!photo) return;
  const { project, name, series } = photo;
  const work = { project, name, series, edits: history.edits, version, tones };
  if (photo.file) await open(studio, photo.file, work);
  else await openKept(studio, work);
}

/**
 * The page cannot open the photo again by itself.
 *
 * @param {Studio} studio
 * @param {Work} work
 */
function orphan(studio, work) {
  sessionStorage.removeItem(STORED);
  const keeping = work.edits.length ? ": your strokes are kept" : "";
  studio.change({
    screen: "start",
    kept: studio.state.history.edits,
    orphaned: work,
    toast: `“${work.name}” is not open any more. Open it again${keeping}.`,
  });
}
