/** Colours and shapes that all can tell apart: Okabe & Ito 2008, and never by colour alone. */

import { dark, rgb } from './dom.js';

/** @type {[number, number, number][]} */
const CLASSES = [
  [0, 114, 178], [213, 94, 0], [0, 158, 115], [204, 121, 167], [230, 159, 0],
  [86, 180, 233], [240, 228, 66], [120, 120, 120], [0, 60, 100], [140, 60, 10],
];
const SHAPES = ['circle', 'square', 'triangle', 'diamond', 'cross', 'down'];

/** @param {number} number of a class */
export function classRgb(number) {
  const found = CLASSES[number % CLASSES.length];
  return dark() ? /** @type {[number, number, number]} */ (found.map((part) => Math.round(part + (255 - part) * 0.22))) : found;
}

/** @param {number} number of a class */
export const classColor = (number) => `rgb(${classRgb(number).join(',')})`;

/**
 * The path of a class's shape around a place.
 * @param {CanvasRenderingContext2D} context
 * @param {number} number of the class
 * @param {number} x
 * @param {number} y
 * @param {number} r
 */
export function shape(context, number, x, y, r) {
  const kind = SHAPES[number % SHAPES.length];
  if (kind === 'circle') {
    context.moveTo(x + r, y);
    context.arc(x, y, r, 0, 2 * Math.PI);
  } else if (kind === 'square') {
    context.rect(x - 0.87 * r, y - 0.87 * r, 1.74 * r, 1.74 * r);
  } else {
    const corners = { triangle: [0, -1.2, 1.1, 0.8, -1.1, 0.8], down: [0, 1.2, 1.1, -0.8, -1.1, -0.8], diamond: [0, -1.3, 1.1, 0, 0, 1.3, -1.1, 0], cross: [-1, -0.35, -0.35, -0.35, -0.35, -1, 0.35, -1, 0.35, -0.35, 1, -0.35, 1, 0.35, 0.35, 0.35, 0.35, 1, -0.35, 1, -0.35, 0.35, -1, 0.35] }[kind] ?? [];
    for (let k = 0; k < corners.length; k += 2) context[k ? 'lineTo' : 'moveTo'](x + r * corners[k], y + r * corners[k + 1]);
    context.closePath();
  }
}

/**
 * 256 colours of a byte whose 127 is 0: orange below, blue above, as RGBA.
 * @returns {Uint8ClampedArray}
 */
export function diverging() {
  const table = new Uint8ClampedArray(4 * 256), zero = rgb('zero'), plus = rgb('plus'), minus = rgb('minus');
  for (let k = 0; k < 256; k++) {
    const strength = Math.min(1, Math.abs(k - 127) / 127) ** 0.8, end = k >= 127 ? plus : minus;
    for (let part = 0; part < 3; part++) table[4 * k + part] = zero[part] + strength * (end[part] - zero[part]);
    table[4 * k + 3] = 255;
  }
  return table;
}

/**
 * Bytes as a picture, through a table of colours.
 * @param {ArrayLike<number>} bytes row by row
 * @param {number} width
 * @param {number} height
 * @param {Uint8ClampedArray} table
 */
export function image(bytes, width, height, table) {
  const found = new ImageData(width, height);
  colored(found, bytes, height, table);
  return found;
}

/**
 * Puts bytes into a picture, through a table of colours.
 * @param {ImageData} picture
 * @param {ArrayLike<number>} bytes row by row
 * @param {number} height of each of the pictures that stand below each other in it
 * @param {Uint8ClampedArray} table
 * @param {boolean} upwards whether their first row is the lowest
 */
export function colored(picture, bytes, height, table, upwards = false) {
  const words = new Uint32Array(picture.data.buffer), colors = new Uint32Array(table.buffer), { width } = picture;
  for (let row = 0; row < picture.height; row++) {
    const from = upwards ? row - 2 * (row % height) + height - 1 : row;
    for (let column = 0; column < width; column++) words[row * width + column] = colors[bytes[from * width + column]];
  }
}
