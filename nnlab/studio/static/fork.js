/** Going on with a change, from now or from a kept checkpoint, as a run of its own. */

/** @import { Checked, Column, Frame } from './types.js' */

import { ask } from './connection.js';
import { $, make } from './dom.js';
import { flow } from './plan.js';
import { short, whole } from './scale.js';

/** @typedef {{do: string, step: string | number, changes?: string[], edits?: object[], playing: boolean}} Wish */

/** What is typed in: its label, and the path in the text. */
const NUMBERS = [['rate', 'optimizer.lr'], ['batch size', 'train.batch_size'], ['l2', 'regularize.l2'], ['dropout', 'model.dropout']];
const MENUS = [['optimizer', 'optimizer'], ['loss', 'loss']];

export class Fork {
  /**
   * @param {HTMLElement} box
   * @param {(wish: Wish) => void} begin
   */
  constructor(box, begin) {
    this.begin = begin;
    this.fields = Object.fromEntries(NUMBERS.map(([label, path]) => [path, make('input', { id: `fork-${path}`, inputMode: 'decimal', spellcheck: false, autocomplete: 'off', 'aria-label': label })]));
    this.choices = Object.fromEntries(MENUS.map(([label, path]) => [path, make('select', { id: `fork-${path}`, 'aria-label': label, onfocus: () => this.load() }, make('option', { value: '' }))]));
    this.from = make('select', { id: 'fork-from', 'aria-label': 'from', onfocus: () => this.moments() });
    this.options([]);
    const row = (/** @type {string} */ label, /** @type {HTMLElement} */ field) => make('div', { class: 'field' }, make('label', { for: field.id, textContent: label }), field);
    box.append(
      ...MENUS.map(([label, path]) => row(label, this.choices[path])),
      ...NUMBERS.map(([label, path]) => row(label, this.fields[path])),
      row('from', this.from),
      make('p', { class: 'buttons' }, make('button', { type: 'button', id: 'fork', textContent: 'Go on with it', onclick: () => this.go() })),
    );
  }

  /** @param {Checked} found */
  update({ tree }) {
    for (const [, path] of NUMBERS) {
      const value = path.split('.').reduce((/** @type {any} */ at, key) => at?.[key], tree);
      this.fields[path].placeholder = value === undefined ? 'as it is' : flow(value);
    }
    for (const [, path] of MENUS) this.choices[path].options[0].textContent = `${tree?.[path]?.kind ?? tree?.[path] ?? 'auto'} (as it is)`;
  }

  async load() {
    if (this.menus) return;
    this.menus = await ask('/api/menus');
    for (const [, path] of MENUS) this.choices[path].append(...(this.menus?.[path] ?? []).map((/** @type {any} */ kind) => make('option', { value: flow(kind.least), textContent: kind.name, title: kind.help })));
  }

  async moments() {
    this.options((await ask('/api/checkpoints')) ?? []);
  }

  /** @param {{step: number, epoch: number, names: string[]}[]} found */
  options(found) {
    const chosen = this.from.value || 'last', named = (/** @type {string} */ name) => found.find((each) => each.names.includes(name));
    const words = (/** @type {string} */ text, /** @type {string} */ name) => `${text}${named(name) ? ` (update ${whole(named(name)?.step ?? 0)})` : ''}`;
    const kept = found.filter((each) => !each.names.length);
    this.from.replaceChildren(make('option', { value: 'last', textContent: 'now' }), make('option', { value: 'best', textContent: words('its best', 'best') }), make('option', { value: 'init', textContent: words('its beginning', 'init') }), ...kept.map((each) => make('option', { value: String(each.step), textContent: `update ${whole(each.step)} (epoch ${short(each.epoch, 3)})` })));
    this.from.value = [...this.from.options].some((option) => option.value === chosen) ? chosen : 'last';
  }

  go() {
    const changes = [...Object.entries(this.choices), ...Object.entries(this.fields)].filter(([, field]) => field.value.trim()).map(([path, field]) => `${path}=${field.value.trim()}`);
    const step = /^\d+$/.test(this.from.value) ? Number(this.from.value) : this.from.value;
    this.begin({ do: 'fork', step, changes, playing: true });
  }

  /** What was changed stands in the text now. */
  clear() {
    for (const field of [...Object.values(this.choices), ...Object.values(this.fields)]) field.value = '';
    this.from.value = 'last';
  }
}

/**
 * Opens the weights that come into a unit: one of them can be written anew.
 * @param {{columns: Column[], frame: Frame | null, name: (column: number, unit: number) => string}} seen
 * @param {number} column
 * @param {number} unit
 * @param {number | null} input that is meant first; null for the bias
 * @param {(edit: {parameter: string, at: number[], value: number}) => void} write
 * @returns {boolean} whether they are single numbers
 */
export function editWeight({ columns, frame, name }, column, unit, input, write) {
  const { parameter, kind } = columns[column], w = frame?.arrays[`w${column}`], b = frame?.arrays[`b${column}`]?.data;
  if (!w || kind !== 'linear' || columns[column - 1].each !== 1) return false;
  const wide = w.shape[1];
  const values = [...Array.from({ length: wide }, (_, k) => w.data[unit * wide + k]), ...(b ? [b[unit]] : [])];
  const which = make('select', { id: 'edit-which', onchange: () => { value.value = short(values[which.selectedIndex], 5); } }, ...values.map((_, k) => make('option', { textContent: k < wide ? `weight from ${name(column - 1, k)}` : 'bias' })));
  const value = make('input', { id: 'edit-value', inputMode: 'decimal', autocomplete: 'off' });
  which.selectedIndex = input ?? values.length - 1;
  value.value = short(values[which.selectedIndex], 5);
  const dialog = /** @type {HTMLDialogElement} */ ($('definition'));
  $('definition-title').textContent = `Into ${name(column, unit)}`;
  const apply = () => {
    const number = Number(value.value.replace('−', '-')), at = which.selectedIndex;
    if (!value.value.trim() || !Number.isFinite(number)) return;
    dialog.close();
    write(at < wide ? { parameter, at: [unit, at], value: number } : { parameter: parameter.replace(/weight$/, 'bias'), at: [unit], value: number });
  };
  value.onkeydown = (event) => { if (event.key === 'Enter') { event.preventDefault(); apply(); } };
  $('definition-body').replaceChildren(
    make('p', { textContent: 'Write a number anew, and go on from here with it: that is a run of its own, this one stays as it is.' }),
    make('div', { class: 'form' }, make('label', { for: 'edit-which', textContent: 'which' }), which, make('label', { for: 'edit-value', textContent: 'value' }), value, make('p', { class: 'buttons' }, make('button', { type: 'button', id: 'edit-apply', textContent: 'Go on with it', onclick: apply }))),
  );
  dialog.showModal();
  value.select();
  return true;
}
