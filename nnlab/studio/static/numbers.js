/** The numbers of the top bar: each is a button that opens what it is. */

import { $, make } from './dom.js';

const OFTEN = 80, LATEST = 150;

export class Numbers {
  /**
   * @param {HTMLElement} box
   * @param {readonly (readonly [string, string, () => string])[]} kinds id, label, and what its definition is called
   * @param {(key: string) => void} define
   * @param {() => boolean} hurried whether there is more to come at once
   */
  constructor(box, kinds, define, hurried) {
    this.hurried = hurried;
    this.ids = kinds.map(([id]) => id);
    /** @type {Record<string, string>} */
    this.says = {};
    this.written = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.later = undefined;
    for (const [id, label, key] of kinds) {
      box.append(make('div', {}, make('dt', { id: `number-${id}-name`, textContent: label }), make('dd', {}, make('button', { type: 'button', id: `number-${id}`, textContent: '–', 'aria-describedby': `number-${id}-name`, onclick: () => define(key()) }))));
    }
    this.clear();
  }

  clear() {
    for (const id of this.ids) this.says[id] = '–';
    this.write();
  }

  /** Writes them, but not in every frame: the page is laid out anew each time, and nobody reads as fast. */
  show() {
    if (!this.hurried() || performance.now() - this.written >= OFTEN) this.write();
    else this.later ??= setTimeout(() => this.write(), LATEST);
  }

  write() {
    clearTimeout(this.later);
    this.later = undefined;
    this.written = performance.now();
    for (const id of this.ids) {
      const box = $(`number-${id}`), text = this.says[id];
      if (box.textContent !== text) box.textContent = text;
    }
  }
}
