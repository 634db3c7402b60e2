// Work that this browser keeps: photos with their edits, for after a closed tab or a server that began anew.

/** @typedef {import("./edits.js").Edits} Edits */

/**
 * @typedef {object} Project
 * @property {string} id
 * @property {string} name
 * @property {Edits} edits
 * @property {number} version
 * @property {import("./state.js").Tones} [tones]
 * @property {import("./state.js").Series} [series]
 * @property {number} changed milliseconds since 1970
 */

const NAME = "colorize-studio";
const [WORK, PHOTOS] = ["work", "photos"]; // apart, since a photo is large and never changes

export const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (v) => v.toString(36)).join("-");

/**
 * @template Result
 * @param {IDBRequest<Result>} request
 * @returns {Promise<Result>}
 */
function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function database() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    for (const name of [WORK, PHOTOS]) request.result.createObjectStore(name);
  };
  return done(request);
}

const opened = database();
opened.catch(() => undefined); // whoever asks hears of it

/**
 * @template Result
 * @param {string} name
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<Result>} act
 */
async function ask(name, mode, act) {
  return done(act((await opened).transaction(name, mode).objectStore(name)));
}

/** @type {(project: Project) => Promise<unknown>} */
export const keepWork = (project) => ask(WORK, "readwrite", (store) => store.put(project, project.id));
/** @type {(id: string, file: File) => Promise<unknown>} */
export const keepPhoto = (id, file) => ask(PHOTOS, "readwrite", (store) => store.put(file, id));
/** @type {(id: string) => Promise<File | undefined>} */
export const photoOf = (id) => ask(PHOTOS, "readonly", (store) => store.get(id));

/** @returns {Promise<Project[]>} the newest first */
export async function projects() {
  const found = await ask(WORK, "readonly", (store) => store.getAll());
  return found.sort((a, b) => b.changed - a.changed);
}

/** @param {string} id */
export async function forget(id) {
  for (const name of [WORK, PHOTOS]) await ask(name, "readwrite", (store) => store.delete(id));
}
