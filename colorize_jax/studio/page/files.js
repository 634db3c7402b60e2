// What the user saves, loads and drops.

import { commit } from "./editing.js";
import { documentOf, editsOf } from "./edits.js";
import { lost, openNew, openSeries } from "./opening.js";
import { pictureOf, ServerError } from "./server.js";
import { told } from "./showing.js";
import { shownOf } from "./state.js";

/** @typedef {import("./state.js").Studio} Studio */

/**
 * @param {Blob} blob
 * @param {string} name
 */
function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * What the server is asked for, and how the file's name ends.
 *
 * @param {string} format as the list of them has it
 * @param {boolean} clear whether the photo has opacity, which a JPEG does not keep
 * @returns {import("./server.js").Saved & { ending: string }}
 */
function savedAs(format, clear) {
  const suffix = clear ? "png" : "jpg";
  if (format === "both") return { kind: "both", format: suffix, ending: `before_and_after.${suffix}` };
  if (format === "layer") return { kind: "layer", format: "png", ending: "colours.png" };
  if (format === "masks") return { kind: "masks", format: "png", ending: "masks.zip" };
  return { kind: "picture", format, ending: `coloured.${format}` };
}

/** @param {Studio} studio */
export async function savePicture(studio) {
  const { photo, history, saving, format, kept } = studio.state;
  if (!photo || saving) return;
  studio.change({ saving: true });
  try {
    const saved = savedAs(format, photo.alpha !== null);
    const name = `${photo.name}_${saved.ending}`;
    download(await pictureOf(photo.session, shownOf(studio.state, history.edits), saved), name);
    studio.change({ kept: saved.kind === "masks" ? kept : history.edits, toast: `Saved: ${name}` });
  } catch (error) {
    if (error instanceof ServerError && error.status === 404) lost(studio);
    else studio.change({ toast: told(error) });
  } finally {
    studio.change({ saving: false });
  }
}

/** @param {Studio} studio */
export function saveEdits({ state, change }) {
  const { edits } = state.history;
  const text = JSON.stringify(documentOf(edits), null, 1);
  download(new Blob([text], { type: "application/json" }), `${state.photo?.name}_edits.json`);
  change({ kept: edits });
}

/**
 * @param {Studio} studio
 * @param {File} file
 */
export async function loadEdits(studio, file) {
  const [width, height] = studio.state.photo?.size ?? [0, 0];
  try {
    commit(studio, editsOf(JSON.parse(await file.text()), width, height));
    studio.change({ kept: studio.state.history.edits });
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    studio.change({ toast: error instanceof SyntaxError ? `“${file.name}” is not a file of strokes.` : message });
  }
}

/** @param {File} file */
const isEdits = (file) => file.name.endsWith(".json") || file.type === "application/json";

/** @param {File} file */
const isPhoto = (file) => file.type.startsWith("image/");

/**
 * Opens one photo, or several as a series, by their names.
 *
 * @param {Studio} studio
 * @param {readonly File[]} files
 */
export async function openAll(studio, files) {
  const photos = files.filter(isPhoto).sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
  if (photos.length > 1) await openSeries(studio, photos);
  else await openNew(studio, photos[0] ?? files[0]);
}

/**
 * @param {Studio} studio
 * @param {DataTransfer | null} data
 */
export async function drop(studio, data) {
  studio.change({ dropping: false, toast: null });
  const files = data ? await filesOf(data) : [];
  if (!files.length) {
    return studio.change({ toast: "That was not a file. Drag a photo from a folder, or use the button." });
  }
  if (isEdits(files[0]) && studio.state.screen === "work") return loadEdits(studio, files[0]);
  await openAll(studio, files);
}

/**
 * What was dropped, and what lies in its folders.
 *
 * @param {DataTransfer} data
 * @returns {Promise<File[]>}
 */
async function filesOf({ items, files }) {
  const entries = Array.from(items, (item) => item.webkitGetAsEntry?.() ?? null); // later there are none any more
  if (!entries.some((entry) => entry?.isDirectory)) return [...files];
  return (await Promise.all(entries.map((entry) => (entry ? filesIn(entry) : [])))).flat();
}

/**
 * @param {FileSystemEntry} entry
 * @returns {Promise<File[]>}
 */
async function filesIn(entry) {
  if (entry.isFile) {
    const { file } = /** @type {FileSystemFileEntry} */ (entry);
    return [await new Promise((resolve, reject) => file.call(entry, resolve, reject))];
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  /** @type {() => Promise<FileSystemEntry[]>} a hundred at a time, until there are none */
  const more = () => new Promise((resolve, reject) => reader.readEntries(resolve, reject));
  const found = [];
  for (let some = await more(); some.length; some = await more()) found.push(...some);
  return (await Promise.all(found.map(filesIn))).flat();
}
