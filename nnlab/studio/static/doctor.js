/** What the doctor finds: in words, with a button that writes the remedy into the text. */

import { $, make } from './dom.js';
import { short, whole } from './scale.js';

/** @typedef {{name: string, title: string, layer: string, level: string, meaning: string, measured: number | null, quantity: string, since: number, remedy: string[], advice: string}} Finding */

const HEALTHY = $('healthy').textContent;

/** Nothing was found yet. */
export function healthy() {
  $('findings').replaceChildren();
  $('healthy').textContent = HEALTHY;
  $('healthy').hidden = false;
}

/** The run is over. */
export function examined() {
  if (!$('findings').children.length) $('healthy').textContent = 'Nothing was found wrong with this run.';
}

/**
 * @param {Finding} event
 * @param {(changes: string[]) => void} anew trains with the remedy from the beginning
 * @param {(changes: string[]) => void} on goes on with it from now
 */
export function tell({ name, title, layer, level, meaning, measured, quantity, since, remedy, advice }, anew, on) {
  $('healthy').hidden = true;
  const words = [make('h4', { textContent: `${title}${layer ? ` in ${layer}` : ''}` }), make('p', { textContent: `${meaning}${measured === null ? '' : ` (${quantity}: ${short(measured)}, since update ${whole(since)})`}` })];
  if (remedy.length) {
    const goes = !remedy.some((change) => /^(model|data|seed)\b/.test(change));
    const button = (/** @type {string} */ textContent, /** @type {(changes: string[]) => void} */ act) => make('button', { type: 'button', textContent, onclick: () => act(remedy) });
    words.push(make('p', {}, 'Try ', ...remedy.flatMap((change, k) => [k ? ' and ' : '', make('code', { textContent: change })])));
    words.push(make('p', { class: 'buttons' }, button('Apply and train anew', anew), ...(goes ? [button('Apply and go on', on)] : [])));
  } else if (advice) words.push(make('p', { textContent: advice }));
  $('findings').append(make('li', { class: level, 'data-name': name }, ...words));
}
