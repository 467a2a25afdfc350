/** The pictures of a run: one class for each title of `nnlab/display/pictures`, drawn here in its own way. */

/** @import { Example, Frame, PictureAbout } from './types.js' */

import { AnswerParts } from './answer_parts.js';
import { Surface, announce, color, make, onScheme, rgb, tip } from './dom.js';
import { classColor, classRgb, diverging, image, shape } from './palette.js';
import { Plane } from './plane.js';
import { short } from './scale.js';

/**
 * @typedef {{still: Record<string, any>, choose: (split: string, number: number) => void}} Given
 * @typedef {{element: HTMLElement, update: (frame: Frame) => void}} Picture
 */

/** @implements {Picture} */
class DecisionBoundary {
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

/** @implements {Picture} */
class FittedFunction {
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

/** @implements {Picture} */
class Predictions {
  /** @param {Given} given */
  constructor({ still, choose }) {
    this.still = still;
    const [rows, columns, channels] = still.size;
    this.tiles = still.images.map((/** @type {number[]} */ bytes, /** @type {number} */ k) => {
      const canvas = make('canvas', { width: columns, height: rows, 'aria-hidden': 'true' });
      const picture = new ImageData(columns, rows);
      for (let at = 0; at < rows * columns; at++) {
        for (let part = 0; part < 3; part++) picture.data[4 * at + part] = bytes[at * channels + (channels === 3 ? part : 0)];
        picture.data[4 * at + 3] = 255;
      }
      canvas.getContext('2d')?.putImageData(picture, 0, 0);
      const said = make('span', { textContent: still.classes[still.labels[k]] });
      const button = make('button', { type: 'button', 'aria-pressed': 'false', onclick: () => choose(still.split, still.numbers[k]) }, canvas, said);
      return { button, said };
    });
    this.element = make('div', { class: 'tiles' }, ...this.tiles.map((/** @type {{button: HTMLElement}} */ tile) => tile.button));
  }

  /** @param {Frame} frame */
  update(frame) {
    const found = frame.arrays['predictions/probabilities'], example = frame.example;
    this.tiles.forEach((/** @type {{button: HTMLElement, said: HTMLElement}} */ { button, said }, /** @type {number} */ k) => {
      button.setAttribute('aria-pressed', String(!!example && example.split === this.still.split && example.number === this.still.numbers[k]));
      if (!found) return;
      const width = found.shape[1], row = found.data.subarray(k * width, (k + 1) * width);
      let best = 0;
      row.forEach((value, at) => { if (value > row[best]) best = at; });
      const is = this.still.classes[this.still.labels[k]], right = best === this.still.labels[k];
      const words = right ? `${is} ${Math.round(100 * row[best])} %` : `${this.still.classes[best]}, is ${is}`;
      if (said.textContent !== words) said.textContent = words;
      button.classList.toggle('right', right);
      button.classList.toggle('wrong', !right);
    });
  }
}

/** @implements {Picture} */
class FirstWeights {
  constructor() {
    this.canvas = make('canvas', { class: 'square', role: 'img', 'aria-label': "The first layer's weights as images: blue excites, orange inhibits" });
    this.surface = new Surface(this.canvas, () => this.draw());
    this.element = this.canvas;
    this.table = diverging();
    onScheme(() => { this.table = diverging(); });
  }

  /** @param {Frame} frame */
  update(frame) {
    const found = frame.arrays["first layer's weights/tiles"];
    if (found) this.tiles = { data: found.data.slice(), shape: found.shape };
    this.draw();
  }

  draw() {
    if (!this.surface.width || !this.tiles) return;
    const context = this.surface.clear(), { data, shape: [units, channels, height, width] } = this.tiles;
    let most = 1e-12;
    for (const value of data) most = Math.max(most, Math.abs(value));
    const count = units * channels, across = Math.ceil(Math.sqrt(count)), side = this.surface.width / across, size = height * width;
    const small = new OffscreenCanvas(width, height), ink = /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext('2d'));
    context.imageSmoothingEnabled = false;
    for (let k = 0; k < count; k++) {
      const bytes = Uint8Array.from(data.subarray(k * size, (k + 1) * size), (value) => 127 + 127 * (value / most));
      ink.putImageData(image(bytes, width, height, this.table), 0, 0);
      context.drawImage(small, (k % across) * side + 1, Math.floor(k / across) * side + 1, side - 2, side - 2);
    }
  }
}

/** @implements {Picture} */
class HiddenSpace {
  /** @param {Given} given */
  constructor({ still }) {
    this.still = still;
    this.plane = new Plane('The last hidden layer in two directions', () => this.draw());
    this.element = this.plane.canvas;
  }

  /** @param {Frame} frame */
  update(frame) {
    const found = frame.arrays['last hidden layer/places'];
    if (found) this.places = Array.from({ length: found.shape[0] }, (_, k) => [found.data[2 * k], found.data[2 * k + 1]]);
    this.draw();
  }

  draw() {
    if (!this.plane.surface.width || !this.places) return;
    const context = this.plane.surface.clear(), { labels, classes } = this.still;
    this.plane.box = [...room(this.places.map((place) => place[0])), ...room(this.places.map((place) => place[1]))];
    classes.forEach((/** @type {string} */ _, /** @type {number} */ k) => {
      context.beginPath();
      this.places?.forEach((place, n) => labels[n] === k && shape(context, k, ...this.plane.place(place[0], place[1]), 4.5));
      context.fillStyle = classColor(k);
      context.strokeStyle = color('panel');
      context.fill();
      context.stroke();
    });
  }
}

/** @implements {Picture} */
class Descent {
  constructor() {
    this.plane = new Plane('The way of the point downhill', () => this.draw());
    this.element = this.plane.canvas;
  }

  /** @param {Frame} frame */
  update(frame) {
    const part = (/** @type {string} */ name) => frame.arrays[`descent/${name}`];
    if (part('heights')) {
      this.found = { x: part('x').data.slice(), y: part('y').data.slice(), heights: part('heights').data.slice(), way: part('way').data.slice(), minima: part('minima').data.slice() };
    }
    this.draw();
  }

  draw() {
    const { surface } = this.plane, found = this.found;
    if (!surface.width || !found) return;
    const context = surface.clear(), { x, y, heights, way, minima } = found, across = x.length, down = y.length;
    this.plane.box = [x[0], x[across - 1], y[0], y[down - 1]];
    let low = Infinity, high = -Infinity;
    const logs = Float64Array.from(heights, (value) => value);
    for (const value of heights) if (value < low) low = value;
    logs.forEach((value, k) => { logs[k] = Math.log1p(value - low); if (logs[k] > high) high = logs[k]; });
    const picture = new ImageData(across, down), ground = rgb('panel'), ink = rgb('plus');
    for (let row = 0; row < down; row++) {
      for (let column = 0; column < across; column++) {
        // Twenty-four steps, as lines of equal height would part them.
        const strength = (Math.floor((24 * logs[row * across + column]) / (high || 1)) / 24) * 0.8, at = 4 * ((down - 1 - row) * across + column);
        for (let part = 0; part < 3; part++) picture.data[at + part] = ground[part] + strength * (ink[part] - ground[part]);
        picture.data[at + 3] = 255;
      }
    }
    const small = new OffscreenCanvas(across, down);
    /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext('2d')).putImageData(picture, 0, 0);
    context.drawImage(small, 0, 0, surface.width, surface.height);
    context.strokeStyle = context.fillStyle = color('minus');
    context.lineWidth = 2;
    context.beginPath();
    for (let k = 0; k < way.length; k += 2) context[k ? 'lineTo' : 'moveTo'](...this.plane.place(way[k], way[k + 1]));
    context.stroke();
    context.beginPath();
    context.arc(...this.plane.place(way[way.length - 2], way[way.length - 1]), 5, 0, 7);
    context.fill();
    context.fillStyle = color('fg');
    for (let k = 0; k < minima.length; k += 2) {
      context.beginPath();
      shape(context, 3, ...this.plane.place(minima[k], minima[k + 1]), 5);
      context.fill();
    }
    this.plane.corners(['x', 'y']);
  }
}

/** @type {Record<string, new (given: Given) => Picture>} */
export const PICTURES = {
  'decision boundary': DecisionBoundary,
  'fitted function': FittedFunction,
  predictions: Predictions,
  "first layer's weights": FirstWeights,
  'last hidden layer': HiddenSpace,
  'where answers come from': AnswerParts,
  descent: Descent,
};

/**
 * The ends of some numbers, with a tenth of room.
 * @param {number[]} values
 * @returns {[number, number]}
 */
function room(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const wide = 0.1 * (high - low) || 1;
  return [low - wide, high + wide];
}
