/** Runs that are over: opened, or laid behind the curves of the one at hand. */

/** @import { Reading } from './types.js' */

import { ask } from './connection.js';
import { $, make } from './dom.js';
import { short } from './scale.js';

/** @typedef {{name: string, loss: number | null, scores: Record<string, number>, updates: number, readings: Reading[]}} Past */

export class PastRuns {
  /**
   * @param {HTMLSelectElement} open
   * @param {HTMLSelectElement} behind
   * @param {() => string} hand which run is at hand: it is not laid behind itself
   * @param {(found: Past) => void} lay behind the curves
   */
  constructor(open, behind, hand, lay) {
    this.menus = [open, behind];
    this.hand = hand;
    open.onfocus = behind.onfocus = () => this.list();
    behind.onchange = async () => {
      const found = behind.value && (await ask(`/api/curves?run=${encodeURIComponent(behind.value.slice(4))}`));
      behind.value = '';
      if (found) lay(found);
    };
  }

  /** The runs that there are now, in both menus. */
  async list() {
    const found = /** @type {{name: string, status: string, loss: number | null}[]} */ ((await ask('/api/runs')) ?? []);
    for (const menu of this.menus) {
      const value = menu.value;
      menu.querySelector('optgroup')?.remove();
      const listed = menu === this.menus[1] ? found.filter(({ name }) => name !== this.hand()) : found;
      if (listed.length) menu.append(make('optgroup', { label: 'Runs' }, ...listed.map(({ name, status, loss }) => make('option', { value: `run:${name}`, textContent: `${name} (${status === 'completed' ? `loss ${short(loss, 3)}` : status})` }))));
      menu.value = value;
    }
  }
}

/** Curves of a run that stand behind those at hand. */
export class Behind {
  /**
   * @param {import('./chart.js').Chart[]} charts
   * @param {() => void} draw
   */
  constructor(charts, draw) {
    this.charts = charts;
    this.draw = draw;
    this.shown = false;
  }

  /** Keeps the curves at hand behind those of the next run. @param {string} name */
  pin(name) {
    for (const chart of this.charts) chart.pin();
    this.show(name);
  }

  /** @param {string} name of what stands there; none for nothing */
  show(name) {
    this.shown = Boolean(name);
    $('pin').textContent = name ? 'Forget the run behind' : 'Keep this run behind';
    $('pinned-key').textContent = name;
    $('pinned-key').hidden = !name;
    $('compared').replaceChildren();
    this.draw();
  }

  forget() {
    for (const chart of this.charts) chart.pinned = {};
    this.show('');
  }
}

/**
 * What the run at hand and a past one differ in, in numbers.
 * @param {Past} other
 * @param {Reading[]} rows of the run at hand
 * @param {string | null} score
 * @param {number} step
 * @returns {HTMLElement[]}
 */
export function compared(other, rows, score, step) {
  const last = (/** @type {string} */ key) => ['validation', 'train'].map((split) => rows.findLast((row) => row.split === split && row.values[key] !== undefined)?.values[key]).find((value) => value !== undefined);
  const cell = (/** @type {number | null | undefined} */ value) => make('td', { textContent: value === undefined || value === null ? '–' : short(value, 4) });
  const line = (/** @type {string} */ label, /** @type {number | null | undefined} */ here, /** @type {number | null | undefined} */ there) => make('tr', {}, make('th', { scope: 'row', textContent: label }), cell(here), cell(there));
  const head = make('tr', {}, make('td'), ...['this run, last', `${other.name}, best`].map((textContent) => make('th', { scope: 'col', textContent })));
  return [make('thead', {}, head), make('tbody', {}, line('loss', last('loss'), other.loss), ...(score ? [line(score, last(score), other.scores[score])] : []), line('updates', step, other.updates))];
}

/**
 * The table behind the curves: the newest readings first.
 * @param {Reading[]} rows
 * @param {string | null} score
 * @param {(key: string) => void} define
 * @returns {HTMLElement[]}
 */
export function readingsTable(rows, score, define) {
  const keys = [...new Set(['loss', score ?? 'loss', 'grad_norm/total', 'learning_rate'])];
  const head = make('tr', {}, ...['epoch', 'split'].map((text) => make('th', { textContent: text, scope: 'col' })), ...keys.map((key) => make('th', { scope: 'col' }, make('button', { type: 'button', class: 'quiet', textContent: key, onclick: () => define(key) }))));
  const body = rows.slice(-400).reverse().map((row) => make('tr', {}, make('td', { textContent: short(row.epoch, 4) }), make('td', { textContent: row.split === 'train' ? 'training' : row.split }), ...keys.map((key) => make('td', { textContent: key in row.values ? short(row.values[key], 4) : '' }))));
  return [make('thead', {}, head), make('tbody', {}, ...body)];
}
