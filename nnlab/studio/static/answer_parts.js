/** Where answers come from: over images, over the steps of sequences, or by the columns of a table. */

/** @import { Frame } from './types.js' */

import { Surface, clipped, color, make, onScheme } from './dom.js';
import { diverging, image } from './palette.js';
import { short } from './scale.js';

const LINES = 12;
/** A line of a text has at most so many steps. */
const ACROSS = 16;

/** @typedef {{data: ArrayLike<number>, shape: number[]}} Parts */

export class AnswerParts {
  /** @param {{still: Record<string, any>}} given */
  constructor({ still }) {
    this.still = still;
    this.canvas = make('canvas', { class: 'square', role: 'img', 'aria-label': 'Which parts of the inputs the answers come from: blue speaks for an answer, orange against it' });
    this.surface = new Surface(this.canvas, () => this.draw());
    this.element = this.canvas;
    this.table = diverging();
    /** @type {Parts | undefined} */
    this.parts = undefined;
    onScheme(() => { this.table = diverging(); });
  }

  /** @param {Frame} frame */
  update(frame) {
    const found = frame.arrays['where answers come from/parts'];
    if (found) this.parts = { data: found.data.slice(), shape: found.shape };
    this.draw();
  }

  draw() {
    if (!this.surface.width || !this.parts) return;
    const context = this.surface.clear();
    if (this.still.images) this.images(context, this.parts);
    else if (this.still.steps) this.steps(context, this.parts);
    else this.columns(context, this.parts);
  }

  /**
   * The image beside its parts, example below example.
   * @param {CanvasRenderingContext2D} context
   * @param {Parts} parts
   */
  images(context, { data, shape: [count, height, width] }) {
    const side = Math.min(this.surface.width / 2, this.surface.height / count), size = height * width;
    const small = new OffscreenCanvas(width, height), ink = /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext('2d'));
    context.imageSmoothingEnabled = false;
    for (let k = 0; k < count; k++) {
      const gray = new ImageData(width, height);
      this.still.images[k].flat().forEach((/** @type {number} */ value, /** @type {number} */ at) => gray.data.set([255 * value, 255 * value, 255 * value, 255], 4 * at));
      ink.putImageData(gray, 0, 0);
      context.drawImage(small, 1, k * side + 1, side - 2, side - 2);
      ink.putImageData(image(bytes(data, k * size, size), width, height, this.table), 0, 0);
      context.drawImage(small, side + 1, k * side + 1, side - 2, side - 2);
    }
  }

  /**
   * The last steps of each sequence in two lines, with what stands there.
   * @param {CanvasRenderingContext2D} context
   * @param {Parts} parts
   */
  steps(context, { data, shape: [count, whole] }) {
    const shown = this.still.steps[0].length, across = Math.min(ACROSS, shown), lines = Math.ceil(shown / across);
    const wide = this.surface.width / across, high = Math.min(wide, this.surface.height / (count * (lines + 1)));
    context.textAlign = 'center';
    for (let k = 0; k < count; k++) {
      const colors = bytes(data, (k + 1) * whole - shown, shown);
      this.still.steps[k].forEach((/** @type {string} */ word, /** @type {number} */ step) => {
        const x = (step % across) * wide, y = (k * (lines + 1) + Math.floor(step / across)) * high;
        context.fillStyle = `rgb(${this.table.slice(4 * colors[step], 4 * colors[step] + 3).join(',')})`;
        context.fillRect(x, y, wide - 1, high - 1);
        context.fillStyle = color('fg');
        context.fillText(clipped(context, word, wide), x + wide / 2, y + high / 2 + 4);
      });
    }
    context.textAlign = 'start';
  }

  /**
   * A bar for each of the strongest columns.
   * @param {CanvasRenderingContext2D} context
   * @param {Parts} parts
   */
  columns(context, { data }) {
    const order = Array.from(data, (_, k) => k).sort((a, b) => data[b] - data[a]).slice(0, LINES);
    const most = Math.max(data[order[0]], 1e-12), high = this.surface.height / LINES, room = this.surface.width / 2;
    order.forEach((column, k) => {
      context.fillStyle = color('plus');
      context.fillRect(room, k * high + 2, ((room - 48) * data[column]) / most, high - 4);
      context.fillStyle = color('fg');
      context.fillText(clipped(context, this.still.columns[column], room - 8), 4, (k + 0.5) * high + 4);
      context.fillText(short(data[column], 2), room + ((room - 48) * data[column]) / most + 4, (k + 0.5) * high + 4);
    });
  }
}

/**
 * Signed numbers as bytes of which 127 is 0, as strong as the greatest among them.
 * @param {ArrayLike<number>} data
 * @param {number} from
 * @param {number} count
 */
function bytes(data, from, count) {
  const found = Array.from({ length: count }, (_, k) => data[from + k]);
  const most = found.reduce((least, value) => Math.max(least, Math.abs(value)), 1e-12);
  return Uint8Array.from(found, (value) => 127 + 127 * (value / most));
}
