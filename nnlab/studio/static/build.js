/** The build tab: forms for the sections of the text, made from the menus of the language. */

/** @import { Checked } from './types.js' */

import { ask } from './connection.js';
import { make } from './dom.js';
import { flow } from './plan.js';
import { whole } from './scale.js';

/** @typedef {{name: string, type: string, default: string, help: string}} Field */
/** @typedef {{name: string, help: string, more: string, least: any, fields: Field[]}} Kind */

const SECTIONS = ['data', 'model', 'loss', 'optimizer', 'schedule'];
/** Fields whose value is a kind of a menu. @type {Record<string, string>} */
const CHOICES = { activation: 'activation', norm: 'norm', init: 'init' };
const TRAIN = ['epochs', 'batch_size'];

export class Build {
  /**
   * @param {HTMLElement} box
   * @param {{text: () => string, edit: (text: string) => void, say: (words: string, bad?: boolean) => void}} calls
   */
  constructor(box, calls) {
    this.box = box;
    this.calls = calls;
    /** @type {Record<string, Kind[]> | null} */
    this.menus = null;
    /** @type {Checked | null} */
    this.found = null;
    /** @type {Set<string>} sections whose fields are open */
    this.open = new Set(['model', 'optimizer']);
  }

  /** @param {Checked | null} found of the text as it is */
  async load(found) {
    this.found = found;
    this.menus ??= await ask('/api/menus');
    this.draw();
  }

  /** @param {Checked} found */
  update(found) {
    this.found = found;
    this.draw();
  }

  /** @param {Record<string, any>} change */
  async edit(change) {
    const found = await ask('/api/edit', { body: JSON.stringify({ text: this.calls.text(), ...change }) });
    if (found?.text !== undefined) this.calls.edit(found.text);
    else this.calls.say(found?.why ?? 'That cannot be written into the text.', true);
  }

  draw() {
    const tree = this.found?.tree, menus = this.menus;
    if (!menus || this.box.hidden) return;
    if (!tree) {
      this.box.replaceChildren(make('p', { class: 'about', textContent: 'The text cannot be read as it is: see the YAML.' }));
      return;
    }
    const focus = document.activeElement;
    // Whoever types must not have the field taken from under the hands; what is chosen is drawn when it is left.
    if (focus instanceof HTMLInputElement && this.box.contains(focus) && focus.value !== focus.defaultValue) {
      focus.addEventListener('blur', () => this.draw(), { once: true });
      return;
    }
    const held = focus?.id, from = focus instanceof HTMLInputElement ? focus.selectionStart : null, to = focus instanceof HTMLInputElement ? focus.selectionEnd : null;
    this.box.replaceChildren(...SECTIONS.map((section) => this.section(section, tree[section], menus[section])), this.train(tree.train ?? {}), this.layers());
    const again = held && document.getElementById(held);
    if (again) again.focus();
    // What is selected is what the next key replaces.
    if (again instanceof HTMLInputElement) again.setSelectionRange(from, to);
  }

  /**
   * @param {string} section
   * @param {any} value as the text has it: a name, a mapping, or nothing
   * @param {Kind[]} kinds
   */
  section(section, value, kinds) {
    const name = typeof value === 'string' ? value : value?.kind ?? '', kind = kinds.find((each) => each.name === name);
    const select = make('select', { id: `build-${section}`, onchange: () => this.edit({ do: 'set', path: [section], value: kinds.find((each) => each.name === select.value)?.least ?? select.value }) });
    if (!kind) select.append(make('option', { value: name, textContent: name || 'auto' }));
    select.append(...kinds.map((each) => make('option', { value: each.name, textContent: each.name, title: each.help })));
    select.value = name;
    const fields = kind?.fields.filter((field) => field.name !== 'output') ?? [];
    const details = make('details', { open: this.open.has(section), ontoggle: () => this.open[details.open ? 'add' : 'delete'](section) }, make('summary', { textContent: `${fields.length} fields` }), ...fields.map((field) => this.field([section, field.name], field, typeof value === 'object' ? value[field.name] : undefined)));
    return make('div', { class: 'form' }, make('label', { for: `build-${section}`, textContent: section }), select, make('p', { class: 'about', textContent: kind?.help ?? '' }), ...(fields.length ? [details] : []));
  }

  /**
   * @param {(string | number)[]} path
   * @param {Field} field
   * @param {any} value
   */
  field(path, field, value) {
    const id = `build-${path.join('-')}`, menu = this.menus?.[CHOICES[field.name] ?? ''];
    const set = (/** @type {string} */ text) => this.edit(text.trim() === '' ? { do: 'remove', path } : { do: 'set', path, yaml: text });
    /** @type {HTMLInputElement | HTMLSelectElement} */
    let input;
    if (menu && (value === undefined || typeof value === 'string')) {
      input = make('select', { id, onchange: () => set(input.value) }, make('option', { value: '', textContent: field.default ? `${field.default} (default)` : '' }), ...menu.map((each) => make('option', { value: each.name, textContent: each.name, title: each.help })));
      // What is no kind, such as auto, stands there as it was written.
      if (value && !menu.some((each) => each.name === value)) input.append(make('option', { value, textContent: value }));
      input.value = value ?? '';
    } else {
      input = make('input', { id, defaultValue: value === undefined ? '' : flow(value), placeholder: field.default, spellcheck: false, onchange: () => set(input.value) });
    }
    return make('div', { class: 'field' }, make('label', { for: id, textContent: field.name, title: `${field.help}\n${field.type}` }), input);
  }

  /** @param {Record<string, any>} train */
  train(train) {
    const rows = TRAIN.map((name) => this.field(['train', name], { name, type: '', default: '', help: '' }, train[name]));
    return make('div', { class: 'form' }, make('p', { class: 'name', textContent: 'train' }), ...rows);
  }

  /** The network as it will be built; a written list of layers can be changed here. */
  layers() {
    const plans = this.found?.plans ?? [], written = Array.isArray(this.found?.tree?.model?.layers);
    const body = plans.map((plan) => {
      const [, section, number] = plan.path, own = written && section === 'layers' && typeof number === 'number';
      const count = this.found?.tree?.model?.layers?.length ?? 0;
      const act = (/** @type {string} */ text, /** @type {string} */ label, /** @type {boolean} */ off, /** @type {Record<string, any>} */ change) => make('button', { type: 'button', class: 'quiet', id: `build-${plan.name}-${label}`, textContent: text, 'aria-label': `${label} ${plan.name}`, disabled: off, onclick: () => this.edit({ path: ['model', 'layers'], ...change }) });
      const buttons = own ? [act('↑', 'Move up', number === 0, { do: 'move', at: number, to: Number(number) - 1 }), act('↓', 'Move down', number === count - 1, { do: 'move', at: number, to: Number(number) + 1 }), act('×', 'Remove', count === 1, { do: 'remove', path: ['model', 'layers', number] })] : [];
      return make('tr', {}, make('td', { textContent: plan.name }), make('td', { textContent: plan.output.join(' × ') }), make('td', { textContent: whole(plan.parameters) }), make('td', {}, ...buttons));
    });
    const head = make('tr', {}, ...['layer', 'out', 'weights', 'change'].map((text) => make('th', { textContent: text, scope: 'col' })));
    const box = make('div', { class: 'form' }, make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Layers' }, make('table', {}, make('thead', {}, head), make('tbody', {}, ...body))));
    if (written) {
      const add = make('select', { id: 'build-add', 'aria-label': 'Add a layer', onchange: () => this.edit({ do: 'insert', path: ['model', 'layers'], at: this.found?.tree?.model?.layers?.length ?? 0, value: this.menus?.layer.find((each) => each.name === add.value)?.least }) }, make('option', { value: '', textContent: 'Add a layer …' }), ...(this.menus?.layer ?? []).map((each) => make('option', { value: each.name, textContent: each.name, title: each.help })));
      box.append(add);
    }
    return box;
  }
}
