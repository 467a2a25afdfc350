/** How the gradient fares on its way back: a bar for each layer under its column, on a log axis. */

/** @import { Frame } from './types.js' */

import { Surface, announce, color, tip } from './dom.js';
import { share, short } from './scale.js';

const LOW = 1e-8, HIGH = 1e2, TOP = 8, FOOT = 18;

export class Gradients {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import('./network.js').Network} network under whose columns the bars stand
   */
  constructor(canvas, network) {
    this.network = network;
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {{low: number, high: number}[]} of each layer, since the run began */
    this.seen = [];
    this.focus = 1;
    this.surface = new Surface(canvas, () => this.draw());
    canvas.addEventListener('pointermove', (event) => tip(this.describe(this.layerAt(this.surface.at(event).x)), event.clientX, event.clientY));
    canvas.addEventListener('pointerleave', () => tip(''));
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  clear() {
    this.frame = null;
    this.seen = [];
    this.draw();
  }

  /** @param {Frame} frame */
  update(frame) {
    this.frame = frame;
    frame.norms?.forEach((norm, k) => {
      if (norm === null || !(norm > 0)) return;
      this.seen[k] ??= { low: norm, high: norm };
      this.seen[k] = { low: Math.min(this.seen[k].low, norm), high: Math.max(this.seen[k].high, norm) };
    });
    this.draw();
  }

  draw() {
    const { width, height } = this.surface;
    if (!width) return;
    const context = this.surface.clear();
    const Y = (/** @type {number} */ value) => TOP + (height - TOP - FOOT) * (1 - Math.max(0, Math.min(1, share(value, LOW, HIGH, true))));
    context.strokeStyle = color('line');
    context.fillStyle = color('dim');
    context.textAlign = 'start';
    for (let power = -8; power <= 2; power += 2) {
      const y = Math.round(Y(10 ** power)) + 0.5;
      context.beginPath();
      context.moveTo(34, y);
      context.lineTo(width - 4, y);
      context.stroke();
      context.fillText(power === 0 ? '1' : `1e${power}`.replace('-', '−'), 2, y + 4);
    }
    const norms = this.frame?.norms, columns = this.network.columns, xs = this.network.xs;
    if (!norms) {
      context.textAlign = 'center';
      context.fillText('appears with the first update', width / 2, height / 2);
      return;
    }
    const half = Math.max(3, Math.min(16, xs.length > 1 ? 0.16 * (xs[1] - xs[0]) : 16)), floor = height - FOOT;
    for (let k = 1; k < columns.length; k++) this.bar(context, k, xs[k], half, floor, Y);
    this.surface.canvas.setAttribute('aria-label', `Gradient by layer: ${columns.slice(1).map((column, k) => `${column.name} ${short(norms[k + 1], 2)}`).join(', ')}. Arrow keys move from layer to layer.`);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} k
   * @param {number} x
   * @param {number} half
   * @param {number} floor
   * @param {(value: number) => number} Y
   */
  bar(context, k, x, half, floor, Y) {
    const norm = this.frame?.norms?.[k], seen = this.seen[k], deltas = this.frame?.arrays[`g${k}`]?.data;
    if (seen) {
      context.fillStyle = color('flow');
      context.globalAlpha = 0.18;
      context.fillRect(x - half - 3, Y(seen.high), 3, Math.max(2, Y(seen.low) - Y(seen.high)));
      context.globalAlpha = 1;
    }
    if (norm === null || norm === undefined) return;
    context.fillStyle = color('flow');
    context.globalAlpha = 0.85;
    const top = Math.min(Y(norm), floor - 1);
    context.beginPath();
    context.roundRect(x - half, top, 2 * half, floor - top, [3, 3, 0, 0]);
    context.fill();
    context.globalAlpha = 0.6;
    context.fillStyle = color('fg');
    if (deltas) for (const delta of deltas) if (delta > LOW) context.fillRect(x + half + 3, Y(delta) - 0.5, 5, 1);
    context.globalAlpha = 1;
    context.textAlign = 'center';
    context.fillStyle = color('fg');
    // Beyond the axis: it says so, in place of a bar without a length.
    const gap = this.network.xs[1] - this.network.xs[0], stride = Math.ceil(42 / gap), last = this.network.columns.length - 1;
    if ((last - k) % stride) return;
    context.fillText(norm < LOW && norm > 0 ? `↓ ${short(norm, 2)}` : norm > HIGH ? `↑ ${short(norm, 2)}` : short(norm, 2), x, this.surface.height - 4);
  }

  /** @param {number} x */
  layerAt(x) {
    let best = -1, least = 60;
    this.network.xs.forEach((each, k) => {
      if (k && Math.abs(each - x) < least) [best, least] = [k, Math.abs(each - x)];
    });
    return best;
  }

  /** @param {number} k */
  describe(k) {
    const norms = this.frame?.norms;
    if (k < 1 || !norms) return '';
    const deltas = this.frame?.arrays[`g${k}`]?.data, seen = this.seen[k];
    const parts = [this.network.columns[k]?.name ?? '', `gradient norm ${short(norms[k], 4)}`];
    if (seen) parts.push(`since the beginning ${short(seen.low, 2)} to ${short(seen.high, 2)}`);
    if (deltas?.length) parts.push(`reaches its units: ${short(Math.min(...deltas), 2)} to ${short(Math.max(...deltas), 2)}${this.frame?.deltas_of === 'example' ? ' (of the chosen example)' : ''}`);
    return parts.join('\n');
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    this.focus = Math.max(1, Math.min(this.network.columns.length - 1, this.focus + step));
    announce(this.describe(this.focus).replaceAll('\n', ', '));
  }
}
