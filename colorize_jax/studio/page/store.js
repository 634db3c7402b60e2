// One state, and the views that are drawn again where what they show has changed.

/**
 * @template State
 * @typedef {(state: Readonly<State>) => void} View
 */

/** @template {object} State */
export class Store {
  /** @type {State} */
  #state;
  /** @type {View<State>[]} */
  #views = [];

  /** @param {State} state */
  constructor(state) {
    this.#state = state;
  }

  /** @returns {Readonly<State>} */
  get state() {
    return this.#state;
  }

  /** @param {Partial<State>} changes */
  change = (changes) => {
    this.#state = { ...this.#state, ...changes };
    for (const draw of this.#views) draw(this.#state);
  };

  /** @param {View<State>[]} views drawn now, and after each change */
  show(views) {
    this.#views = views;
    this.change({});
  }
}

/**
 * A view of a part of the state.
 *
 * @template State
 * @template {readonly unknown[]} Values
 * @param {(state: Readonly<State>) => readonly [...Values]} of what it is drawn from
 * @param {(...values: NoInfer<Values>) => void} draw called at first, and when one of these is another
 * @returns {View<State>}
 */
export function view(of, draw) {
  /** @type {readonly unknown[] | null} */
  let drawn = null;
  return (state) => {
    const values = of(state);
    if (drawn && values.every((value, i) => Object.is(value, drawn?.[i]))) return;
    drawn = values;
    draw(...values);
  };
}
