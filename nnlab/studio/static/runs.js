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
      const found = behind.value && (await past(behind.value.slice(4)));
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

/** Curves of a run that stand behind those at hand, and what both reached, in numbers. */
export class Behind {
  /**
   * @param {import('./chart.js').Chart[]} charts
   * @param {() => void} draw
   * @param {() => {name: string, rows: Reading[], score: string | null, step: number}} now the run at hand
   */
  constructor(charts, draw, now) {
    this.charts = charts;
    this.draw = draw;
    this.now = now;
    /** What the run behind is called here, and as a run; empty for none. */
    this.name = this.run = '';
    /** @type {Past | null} what it reached */
    this.there = null;
    /** @type {Past | null} what the run at hand reached, once it is over */
    this.here = null;
  }

  get shown() {
    return Boolean(this.name);
  }

  /** Keeps the curves at hand behind those of the next run. @param {string} name */
  pin(name = this.now().name || 'a run before') {
    for (const chart of this.charts) chart.pin();
    this.show(name, this.now().name);
  }

  /**
   * @param {string} name of what stands there; none for nothing
   * @param {string} run
   * @param {Past | null} there what it reached, where that is known
   */
  show(name, run = '', there = null) {
    this.name = name;
    this.run = run;
    this.there = there;
    $('pin').textContent = name ? 'Forget the run behind' : 'Keep this run behind';
    $('pinned-key').textContent = name;
    $('pinned-key').hidden = !name;
    this.tell();
    this.draw();
  }

  forget() {
    for (const chart of this.charts) chart.pinned = {};
    this.show('');
  }

  /** Another run has begun: the one behind is over, and what it reached can be asked. */
  async begin() {
    const { run } = this;
    this.here = null;
    if (run && !this.there && run !== this.now().name) {
      const found = await past(run);
      if (this.run === run) this.there = found;
    }
    this.tell();
  }

  /** The run at hand is over. */
  async over() {
    const { name } = this.now(), found = this.there && name && name !== this.run ? await past(name) : null;
    if (this.now().name === name) this.here = found;
    this.tell();
  }

  /** Writes the table. */
  tell() {
    const { rows, score, step } = this.now();
    $('compared').replaceChildren(...(this.there ? compared(this.name, this.there, this.here, rows, score, step) : []));
  }
}

/** What a run reached. @param {string} name @returns {Promise<Past | null>} */
const past = (name) => ask(`/api/curves?run=${encodeURIComponent(name)}`);

/**
 * What the run at hand and a past one reached: the best of each, of one that still trains the last.
 * @param {string} name
 * @param {Past} there
 * @param {Past | null} here
 * @param {Reading[]} rows of the run at hand
 * @param {string | null} score
 * @param {number} step
 * @returns {HTMLElement[]}
 */
function compared(name, there, here, rows, score, step) {
  const last = (/** @type {string} */ key) => ['validation', 'train'].map((split) => rows.findLast((row) => row.split === split && row.values[key] !== undefined)?.values[key]).find((value) => value !== undefined);
  const cell = (/** @type {number | null | undefined} */ value) => make('td', { textContent: value === undefined || value === null ? '–' : short(value, 4) });
  const line = (/** @type {string} */ label, /** @type {number | null | undefined} */ one, /** @type {number | null | undefined} */ other) => make('tr', {}, make('th', { scope: 'row', textContent: label }), cell(one), cell(other));
  const head = make('tr', {}, make('td'), ...[`this run, ${here ? 'best' : 'last'}`, `${name}, best`].map((textContent) => make('th', { scope: 'col', textContent })));
  return [make('thead', {}, head), make('tbody', {}, line('loss', here ? here.loss : last('loss'), there.loss), ...(score ? [line(score, here ? here.scores[score] : last(score), there.scores[score])] : []), line('updates', here ? here.updates : step, there.updates))];
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
