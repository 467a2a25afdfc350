/** The regions that a classifier cuts the plane into, and the points that it learns from. */

/** @import { Frame } from './types.js' */
/** @import { Given, Picture } from './pictures.js' */

import { announce, color, make, rgb, tip } from './dom.js';
import { classColor, classRgb, shape } from './palette.js';
import { Plane, room } from './plane.js';
import { short } from './scale.js';

/** @implements {Picture} */
export class DecisionBoundary {
  /** @param {Given} given */
  constructor({ still, choose }) {
    this.still = still;
    this.choose = choose;
    this.focus = -1;
    this.plane = new Plane('Decision boundary', () => this.draw());
    this.element = make('div', {}, this.plane.canvas, this.legend());
    const { canvas, surface } = this.plane;
    canvas.addEventListener('click', (event) => this.pick(this.plane.nearest(surface.at(event), still.points)));
    canvas.addEventListener('pointermove', (event) => tip(this.describe(this.plane.nearest(surface.at(event), still.points, 12)), event.clientX, event.clientY));
    canvas.addEventListener('pointerleave', () => tip(''));
    canvas.addEventListener('keydown', (event) => this.key(event));
    this.small = this.dots = new OffscreenCanvas(1, 1);
    this.seen = '';
    const xs = still.points.map((/** @type {number[]} */ point) => point[0]), ys = still.points.map((/** @type {number[]} */ point) => point[1]);
    this.plane.box = [...room(xs), ...room(ys)];
  }

  legend() {
    const keys = this.still.classes.slice(0, 10).map((/** @type {string} */ name, /** @type {number} */ k) => {
      const canvas = make('canvas', { width: 28, height: 28, 'aria-hidden': 'true' });
      canvas.style.cssText = 'width:14px;height:14px;display:inline-block;vertical-align:-2px;margin-right:4px';
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
      context.fillStyle = classColor(k);
      shape(context, k, 14, 14, 9);
      context.fill();
      return make('span', {}, canvas, name);
    });
    const box = make('p', { class: 'legend' }, ...keys);
    box.style.marginTop = '8px';
    return box;
  }

  /** @param {Frame} frame */
  update(frame) {
    const part = (/** @type {string} */ name) => frame.arrays[`decision boundary/${name}`];
    const example = frame.example;
    this.chosen = example ? this.still.numbers.indexOf(example.split === this.still.split ? example.number : -1) : -1;
    if (part('regions')) {
      const [x, y] = [part('x').data, part('y').data];
      const side = x.length;
      // The outermost points of the grid are the middles of their cells.
      this.plane.box = [x[0], x[side - 1], y[0], y[side - 1]];
      this.regions = { regions: part('regions').data, sure: part('sure').data, side };
      this.lines = part('lines').data;
    }
    this.draw();
  }

  draw() {
    const { surface } = this.plane;
    if (!surface.width) return;
    const context = surface.clear();
    context.fillStyle = color('panel');
    context.fillRect(0, 0, surface.width, surface.height);
    if (this.regions) this.paint(context, this.regions);
    if (this.lines) this.undecided(context, this.lines);
    const { points } = this.still;
    context.drawImage(this.scattered(), 0, 0, surface.width, surface.height);
    for (const [number, ink] of /** @type {[number, string][]} */ ([[this.chosen ?? -1, 'fg'], [document.activeElement === this.plane.canvas ? this.focus : -1, 'accent']])) {
      if (number < 0) continue;
      const [x, y] = this.plane.place(points[number][0], points[number][1]);
      context.strokeStyle = color(ink);
      context.lineWidth = 2.5;
      context.beginPath();
      context.arc(x, y, 8, 0, 7);
      context.stroke();
    }
    this.plane.corners(this.still.columns);
    this.plane.canvas.setAttribute('aria-label', `Decision boundary of ${this.still.classes.length} classes over ${points.length} training points. Arrow keys move from point to point, Enter chooses one.`);
  }

  /** The points, which stay where they are: drawn once for each size and scheme. */
  scattered() {
    const { points, labels, classes } = this.still, { width, height, ratio, canvas } = this.plane.surface;
    const seen = [width, height, ratio, color('panel'), ...this.plane.box].join();
    if (this.seen === seen) return this.dots;
    this.seen = seen;
    this.dots = new OffscreenCanvas(canvas.width, canvas.height);
    const context = /** @type {any} */ (this.dots.getContext('2d')), small = points.length > 250 ? 3 : 4;
    context.scale(ratio, ratio);
    for (let k = 0; k < classes.length; k++) {
      context.beginPath();
      points.forEach((/** @type {number[]} */ point, /** @type {number} */ n) => labels[n] === k && shape(context, k, ...this.plane.place(point[0], point[1]), small));
      context.fillStyle = classColor(k);
      context.strokeStyle = color('panel');
      context.lineWidth = 1;
      context.fill();
      context.stroke();
    }
    return this.dots;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {{regions: ArrayLike<number>, sure: ArrayLike<number>, side: number}} found
   */
  paint(context, { regions, sure, side }) {
    const picture = new ImageData(side, side), ground = rgb('panel'), classes = this.still.classes.length, chance = 1 / Math.max(classes, 2);
    const inks = this.still.classes.map((/** @type {string} */ _, /** @type {number} */ k) => classRgb(k));
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const k = row * side + column, at = 4 * ((side - 1 - row) * side + column);
        const strength = 0.06 + 0.5 * Math.max(0, (sure[k] / 255 - chance) / (1 - chance)), ink = inks[regions[k]] ?? ground;
        for (let part = 0; part < 3; part++) picture.data[at + part] = ground[part] + strength * (ink[part] - ground[part]);
        picture.data[at + 3] = 255;
      }
    }
    if (this.small.width !== side) this.small = new OffscreenCanvas(side, side);
    const small = /** @type {OffscreenCanvasRenderingContext2D} */ (this.small.getContext('2d'));
    small.putImageData(picture, 0, 0);
    const { width, height } = this.plane.surface, wide = width / (side - 1), tall = height / (side - 1);
    context.imageSmoothingEnabled = true;
    context.drawImage(this.small, -wide / 2, -tall / 2, width + wide, height + tall);
  }

  /**
   * Where the units of the first layer are undecided: a x + b y + c = 0.
   * @param {CanvasRenderingContext2D} context
   * @param {ArrayLike<number>} lines
   */
  undecided(context, lines) {
    const [left, right, low, high] = this.plane.box;
    context.beginPath();
    for (let k = 0; k < lines.length; k += 3) {
      const [a, b, c] = [lines[k], lines[k + 1], lines[k + 2]];
      if (Math.abs(b) > Math.abs(a)) {
        context.moveTo(...this.plane.place(left, -(a * left + c) / b));
        context.lineTo(...this.plane.place(right, -(a * right + c) / b));
      } else if (a) {
        context.moveTo(...this.plane.place(-(b * low + c) / a, low));
        context.lineTo(...this.plane.place(-(b * high + c) / a, high));
      }
    }
    context.strokeStyle = color('fg');
    context.globalAlpha = 0.16;
    context.lineWidth = 1;
    context.stroke();
    context.globalAlpha = 1;
  }

  /** @param {number} k */
  describe(k) {
    if (k < 0) return '';
    const { points, labels, classes, columns, numbers, split } = this.still;
    return `${split} example ${numbers[k]}\n${columns[0]} ${short(points[k][0])}, ${columns[1]} ${short(points[k][1])}\nclass ${classes[labels[k]]}`;
  }

  /** @param {number} k */
  pick(k) {
    if (k < 0) return;
    this.focus = k;
    this.choose(this.still.split, this.still.numbers[k]);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], count = this.still.points.length;
    if (event.key === 'Enter') this.pick(Math.max(0, this.focus));
    else if (step) {
      event.preventDefault();
      this.focus = (this.focus + step + count) % count;
      this.draw();
      announce(this.describe(this.focus).replaceAll('\n', ', '));
    }
  }
}
