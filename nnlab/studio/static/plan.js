/** What a text says, in words and columns, before anything of it is built. */

/** @import { Checked, Column, Plan } from './types.js' */

import { whole } from './scale.js';

/**
 * A value as YAML has it within one line.
 * @param {any} value
 * @returns {string}
 */
export function flow(value) {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (value && typeof value === 'object') return `{${Object.entries(value).map(([key, inner]) => `${key}: ${flow(inner)}`).join(', ')}}`;
  return String(value);
}

/**
 * The columns of a network that is not built yet.
 * @param {Checked} found
 * @returns {Column[]}
 */
export function columns(found) {
  const units = (/** @type {number[]} */ shape) => (shape.length === 3 ? shape[0] : shape.reduce((a, b) => a * b, 1));
  const column = (/** @type {string} */ name, /** @type {string} */ kind, /** @type {number[]} */ shape, /** @type {string} */ note) => ({ name, kind, key: '', parameter: '', each: 1, units: units(shape), shown: Math.min(40, units(shape)), activation: note.includes(',') ? note.split(',')[0] : '' });
  return [column('inputs', 'inputs', found.inputs ?? [1], ''), ...(found.plans ?? []).filter((plan) => plan.parameters).map((/** @type {Plan} */ plan) => column(plan.name, plan.kind, plan.output, plan.note))];
}

/**
 * What the data are, in a line.
 * @param {Checked} found
 */
export function dataWords({ sizes, inputs, names, classes }) {
  if (!sizes) return '';
  const few = (/** @type {string[]} */ words) => (words.length && words.length <= 12 ? `: ${words.join(', ')}` : '');
  const splits = Object.entries(sizes).map(([split, size]) => `${whole(size)} ${split === 'train' ? 'training' : split}`).join(', ');
  return [`${splits} examples`, `${(inputs ?? []).join(' × ')} inputs${few(names ?? [])}`, ...(classes?.length ? [`${classes.length} classes${few(classes)}`] : [])].join(' · ');
}
