/** One example worked through: tables of what each unit computes, and the formula with its numbers put in. */

/** @import { Example, Pass } from './types.js' */

import { make } from './dom.js';
import { short } from './scale.js';

const MOST = 12;

export class WorkedExample {
  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} buttons
   * @param {{send: (message: any) => void, define: (key: string) => void}} calls
   */
  constructor(box, buttons, calls) {
    this.box = box;
    this.calls = calls;
    this.buttons = buttons;
    this.chosen = { layer: 0, unit: 0 };
    this.shown = '';
    this.drawn = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.later = undefined;
    this.empty = [...box.childNodes];
    /** @type {Example | null} */
    this.example = null;
    this.proof = make('div', {});
    this.prove = make('button', { type: 'button', class: 'quiet', textContent: 'Prove the gradient', onclick: () => calls.send({ do: 'prove' }) });
    this.leave = make('button', { type: 'button', class: 'quiet', textContent: 'Leave the example', onclick: () => calls.send({ do: 'example', number: null }) });
  }

  clear() {
    this.example = null;
    this.shown = '';
    this.buttons.replaceChildren();
    this.box.replaceChildren(...this.empty);
  }

  /** @param {Example | undefined} example */
  update(example) {
    if (!example) {
      if (this.example) this.clear();
      return;
    }
    // While it trains four times a second is as fast as anybody reads.
    const now = performance.now(), key = `${example.split} ${example.number}`;
    if (key !== this.shown) {
      this.proof.replaceChildren();
      this.chosen = { layer: (example.layers?.length ?? 1) - 1, unit: 0 };
    } else if (now - this.drawn < 250) {
      clearTimeout(this.later);
      this.later = setTimeout(() => this.update(example), 260);
      return;
    }
    this.shown = key;
    this.drawn = now;
    this.example = example;
    this.draw();
  }

  draw() {
    const example = this.example;
    if (!example) return;
    this.buttons.replaceChildren(...(example.refusal ? [] : [this.prove]), this.leave);
    const head = make('p', {}, make('strong', { textContent: `${example.split} example ${example.number}` }), `, target ${Array.isArray(example.target) ? example.target.map((value) => short(value)).join(', ') : example.target}`);
    if (!example.layers) {
      this.box.replaceChildren(head, make('p', { class: 'about', textContent: `Its activations and gradients are drawn in the network. The four equations: ${example.refusal}` }));
      return;
    }
    head.append(', loss ', this.number(short(example.loss, 5), `loss:${example.kind}`));
    const focus = /** @type {HTMLElement | null} */ (document.activeElement), held = focus?.dataset.place;
    const tables = make('div', { class: 'layers', tabIndex: 0, role: 'group', 'aria-label': 'Layers' }, this.inputs(example), ...example.layers.map((pass, layer) => this.table(pass, layer)));
    const scrolled = this.box.querySelector('.layers')?.scrollLeft ?? 0;
    this.box.replaceChildren(head, tables, this.formula(example.layers, example), this.proof);
    tables.scrollLeft = scrolled;
    if (held) /** @type {HTMLElement | null} */ (this.box.querySelector(`[data-place="${held}"]`))?.focus();
  }

  /**
   * @param {string} text
   * @param {string} key
   */
  number(text, key) {
    return make('button', { type: 'button', class: 'quiet', textContent: text, title: 'What is that?', onclick: () => this.calls.define(key) });
  }

  /** @param {Example} example */
  inputs(example) {
    const rows = (example.x ?? []).slice(0, MOST).map((value, k) => make('tr', {}, make('td', { textContent: `x${k + 1}` }), make('td', { textContent: short(value, 4) })));
    const more = (example.x?.length ?? 0) - MOST;
    if (more > 0) rows.push(make('tr', {}, make('td', { colSpan: 2, textContent: `and ${more} more` })));
    return make('div', {}, make('table', {}, make('caption', { textContent: 'inputs' }), make('tbody', {}, ...rows)));
  }

  /**
   * @param {Pass} pass
   * @param {number} layer
   */
  table(pass, layer) {
    const head = make('tr', {}, ...['unit', 'z', 'a', 'δ'].map((text) => make('th', { textContent: text, scope: 'col' })));
    const rows = pass.z.slice(0, MOST).map((z, unit) => {
      const here = this.chosen.layer === layer && this.chosen.unit === unit;
      const pick = make('button', { type: 'button', textContent: String(unit + 1), 'aria-label': `${pass.name} ${unit + 1}: show its formula`, 'aria-pressed': String(here), 'data-place': `${layer}-${unit}`, onclick: () => this.choose(layer, unit) });
      return make('tr', { class: here ? 'chosen' : '' }, make('td', {}, pick), ...[z, pass.a[unit], pass.delta[unit]].map((value) => make('td', { textContent: short(value, 4) })));
    });
    if (pass.z.length > MOST) rows.push(make('tr', {}, make('td', { colSpan: 4, textContent: `and ${pass.z.length - MOST} more` })));
    return make('div', {}, make('table', {}, make('caption', { textContent: `${pass.name} (${pass.activation})` }), make('thead', {}, head), make('tbody', {}, ...rows)));
  }

  /**
   * @param {number} layer
   * @param {number} unit
   */
  choose(layer, unit) {
    this.chosen = { layer, unit };
    this.draw();
  }

  /**
   * The chosen unit's z, a and delta, and the gradient of its weights, with the numbers in their places.
   * @param {Pass[]} layers
   * @param {Example} example
   */
  formula(layers, example) {
    const { layer, unit } = this.chosen, pass = layers[Math.min(layer, layers.length - 1)], next = layers[layer + 1];
    const lines = [];
    if (pass.weight) {
      lines.push(`z = W·a + b = ${sum(pass.weight[unit], pass.inputs)}${pass.bias ? ` + ${signed(pass.bias[unit])}` : ''} = ${short(pass.z[unit], 5)}`);
    } else lines.push(`z = ${short(pass.z[unit], 5)}`);
    lines.push(`a = ${pass.activation}(z) = ${short(pass.a[unit], 5)}`);
    if (!next) lines.push(`δ = ∂C/∂a · f′(z) = ${short(pass.delta[unit], 5)}    BP1, of ${example.kind}`);
    else if (next.weight) lines.push(`δ = (Σ w·δ behind) · f′(z) = (${sum(next.weight.map((row) => row[unit]), next.delta)}) · f′(z) = ${short(pass.delta[unit], 5)}    BP2`);
    else lines.push(`δ = ${short(pass.delta[unit], 5)}    BP2`);
    if (pass.weight) {
      lines.push(`∂C/∂w = δ · a before = ${pass.inputs.slice(0, 4).map((a) => `${short(pass.delta[unit])}·${signed(a)} = ${short(pass.delta[unit] * a, 4)}`).join(';  ')}${pass.inputs.length > 4 ? '; …' : ''}    BP3`);
      if (pass.bias) lines.push(`∂C/∂b = δ = ${short(pass.delta[unit], 5)}    BP4`);
    }
    return make('pre', { class: 'formula', 'aria-label': `${pass.name} ${unit + 1}`, textContent: [`${pass.name}, unit ${unit + 1}`, ...lines].join('\n') });
  }

  /** @param {{rows: {name: string, size: number, autograd: number, differences: number}[], worst: number, agrees: boolean}} found */
  proved({ rows, worst, agrees }) {
    const head = make('tr', {}, ...['parameter', 'largest entry', 'against autograd', 'against differences'].map((text) => make('th', { textContent: text, scope: 'col' })));
    const body = rows.map((row) => make('tr', {}, make('td', { textContent: row.name }), ...[row.size, row.autograd, row.differences].map((value) => make('td', { textContent: short(value, 2) }))));
    this.proof.replaceChildren(make('p', { class: 'about', textContent: `The four equations, autograd and finite differences ${agrees ? 'agree' : 'DISAGREE'}: largest relative error ${short(worst, 2)}.` }), make('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Proof' }, make('table', {}, make('thead', {}, head), make('tbody', {}, ...body))));
  }
}

/**
 * @param {number[]} ws
 * @param {number[]} as
 */
function sum(ws, as) {
  const shown = ws.slice(0, 4).map((w, k) => `${signed(w)}·${signed(as[k])}`).join(' + ');
  return ws.length > 4 ? `${shown} + … (${ws.length} terms)` : shown;
}

/** @param {number} value */
function signed(value) {
  return value < 0 ? `(${short(value)})` : short(value);
}
