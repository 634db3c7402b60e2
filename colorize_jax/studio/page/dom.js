// Parts of the page, by their ids.

/**
 * @template {HTMLElement} [Part=HTMLElement]
 * @param {string} id
 * @param {new () => Part} [kind]
 * @returns {Part}
 * @throws {Error} the page has no such part
 */
export function part(id, kind) {
  const found = document.getElementById(id);
  if (found instanceof (kind ?? HTMLElement)) return /** @type {Part} */ (found);
  throw new Error(`The page has no ${kind?.name ?? "part"} #${id}.`);
}

/** @param {string} id */
export const inputOf = (id) => part(id, HTMLInputElement);
/** @param {string} id */
export const buttonOf = (id) => part(id, HTMLButtonElement);
/** @param {string} id */
export const dialogOf = (id) => part(id, HTMLDialogElement);
/** @param {string} id */
export const canvasOf = (id) => part(id, HTMLCanvasElement);

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {CanvasRenderingContext2DSettings} [settings]
 */
export function penOf(canvas, settings) {
  const pen = canvas.getContext("2d", settings);
  if (!pen) throw new Error("This browser has no memory left to draw in.");
  return /** @type {CanvasRenderingContext2D} */ (pen);
}
