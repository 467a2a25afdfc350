/** The function that a network has learned, over the points that it learns from. */

/** @import { Frame } from './types.js' */
/** @import { Given, Picture } from './pictures.js' */

import { announce, color, tip } from './dom.js';
import { classColor } from './palette.js';
import { Plane, room } from './plane.js';
import { short } from './scale.js';

/** @implements {Picture} */
export class FittedFunction {
  /** @param {Given} given */
  constructor({ still, choose }) {
    this.still = still;
    this.choose = choose;
    /** @type {{x: number[], y: number[][]} | null} */
    this.curve = null;
    /** @type {number[][][]} */
    this.earlier = [];
    this.at = 0;
    this.focus = -1;
    this.plane = new Plane('Fitted function', () => this.draw());
    this.element = this.plane.canvas;
    const points = () => still.points_x.map((/** @type {number} */ x, /** @type {number} */ k) => [x, still.points_y[k][0]]);
    const { canvas, surface } = this.plane;
    canvas.addEventListener('click', (event) => this.pick(this.plane.nearest(surface.at(event), points())));
    canvas.addEventListener('pointermove', (event) => {
      const x = this.plane.box[0] + (surface.at(event).x / surface.width) * (this.plane.box[1] - this.plane.box[0]);
      const k = this.curve ? this.curve.x.findIndex((each) => each >= x) : -1;
      tip(k < 0 || !this.curve ? '' : `${still.columns[0]} ${short(this.curve.x[k])}\nsays ${this.curve.y[k].map((y) => short(y, 4)).join(', ')}`, event.clientX, event.clientY);
    });
    canvas.addEventListener('pointerleave', () => tip(''));
    canvas.addEventListener('keydown', (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (event.key === 'Enter') this.pick(Math.max(0, this.focus));
      else if (step) {
        event.preventDefault();
        this.focus = (this.focus + step + still.points_x.length) % still.points_x.length;
        announce(`training example ${still.numbers[this.focus]}: ${short(still.points_x[this.focus])}, ${short(still.points_y[this.focus][0])}`);
        this.draw();
      }
    });
  }

  /** @param {number} k */
  pick(k) {
    if (k >= 0) this.choose(this.still.split, this.still.numbers[(this.focus = k)]);
  }

  /** @param {Frame} frame */
  update(frame) {
    const x = frame.arrays['fitted function/x'], y = frame.arrays['fitted function/y'];
    const example = frame.example;
    this.chosen = example ? this.still.numbers.indexOf(example.split === this.still.split ? example.number : -1) : -1;
    if (x && y) {
      const width = y.shape[1], rows = Array.from({ length: y.shape[0] }, (_, k) => Array.from(y.data.subarray(k * width, (k + 1) * width)));
      if (frame.step < this.at) this.earlier = [];
      // The way there, in moments that lie ever further apart.
      if (this.curve && frame.step >= 1.6 * this.at + 5) {
        this.earlier.push(this.curve.y);
        this.at = frame.step;
      }
      this.curve = { x: Array.from(x.data), y: rows };
    }
    this.draw();
  }

  draw() {
    const { surface } = this.plane, { points_x: xs, points_y: ys } = this.still;
    if (!surface.width) return;
    const context = surface.clear();
    const flat = ys.flat(), seen = this.curve ? [...flat, ...this.curve.y.flat().filter(Number.isFinite)] : flat;
    this.plane.box = [...(this.curve ? [this.curve.x[0], /** @type {number} */ (this.curve.x.at(-1))] : room(xs)), ...room(seen)];
    context.fillStyle = color('dim');
    context.globalAlpha = 0.55;
    xs.forEach((/** @type {number} */ x, /** @type {number} */ k) => {
      const [px, py] = this.plane.place(x, ys[k][0]);
      context.fillRect(px - 1.5, py - 1.5, 3, 3);
    });
    this.earlier.forEach((rows, k) => this.trace(context, rows, 0.15 + (0.3 * k) / this.earlier.length, 1));
    if (this.curve) this.trace(context, this.curve.y, 1, 2.4);
    for (const [k, ink] of /** @type {[number, string][]} */ ([[this.chosen ?? -1, 'fg'], [document.activeElement === this.plane.canvas ? this.focus : -1, 'accent']])) {
      if (k < 0) continue;
      context.globalAlpha = 1;
      context.strokeStyle = color(ink);
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(...this.plane.place(xs[k], ys[k][0]), 7, 0, 7);
      context.stroke();
    }
    context.globalAlpha = 1;
    this.plane.corners([this.still.columns[0], '']);
    this.plane.canvas.setAttribute('aria-label', 'The function that the network has learned, over the training points. Arrow keys move from point to point, Enter chooses one.');
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number[][]} rows
   * @param {number} alpha
   * @param {number} wide
   */
  trace(context, rows, alpha, wide) {
    if (!this.curve) return;
    for (let column = 0; column < rows[0].length; column++) {
      context.beginPath();
      rows.forEach((row, k) => context[k ? 'lineTo' : 'moveTo'](...this.plane.place(/** @type {any} */ (this.curve).x[k], row[column])));
      context.strokeStyle = classColor(column);
      context.globalAlpha = alpha;
      context.lineWidth = wide;
      context.stroke();
    }
  }
}
