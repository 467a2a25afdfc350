/** Places in a plane: examples in the last hidden layer, and the way of a point downhill. */

/** @import { Frame } from './types.js' */
/** @import { Given, Picture } from './pictures.js' */

import { color, rgb } from './dom.js';
import { classColor, shape } from './palette.js';
import { Plane, room } from './plane.js';

/** @implements {Picture} */
export class HiddenSpace {
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
export class Descent {
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
