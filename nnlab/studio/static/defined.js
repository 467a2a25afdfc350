/** What a number is: every one on the page is a button that opens this. */

import { ask } from './connection.js';
import { $, make } from './dom.js';

/**
 * Opens what a number is.
 * @param {string} key
 */
export async function define(key) {
  const found = await ask(`/api/definition?key=${encodeURIComponent(key)}`);
  if (!found) return;
  $('definition-title').textContent = found.title;
  /** @type {HTMLElement[]} */
  const parts = [make('p', { textContent: found.text })];
  if (found.formula) parts.push(make('pre', { textContent: found.formula }));
  if (found.unit) parts.push(make('p', { class: 'about', textContent: `Unit: ${found.unit}` }));
  if (found.source) parts.push(make('p', { class: 'about', textContent: `Source: ${found.source}` }));
  $('definition-body').replaceChildren(...parts);
  /** @type {HTMLDialogElement} */ ($('definition')).showModal();
}

/**
 * Keys of a picture, each a button.
 * @param {string} id
 * @param {[string, string, string][]} keys class, words, what opens its meaning
 */
export function legend(id, keys) {
  $(id).replaceChildren(...keys.map(([kind, text, key]) => make('button', { type: 'button', class: `quiet key ${kind}`, textContent: text, onclick: () => define(key) })));
}
