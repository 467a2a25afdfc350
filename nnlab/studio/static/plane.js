/** A plane of two inputs: where places of the data are on a canvas, and which is near the pointer. */

import { Surface, color, make } from './dom.js';
import { short } from './scale.js';

/** A square canvas on which places have coordinates of the data. */
export class Plane {
  /**
   * @param {string} label
   * @param {() => void} redraw
   */
  constructor(label, redraw) {
    this.canvas = make('canvas', { class: 'square', tabIndex: 0, role: 'img', 'aria-label': label });
    this.surface = new Surface(this.canvas, redraw);
    this.box = [0, 1, 0, 1];
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {[number, number]}
   */
  place(x, y) {
    const [left, right, low, high] = this.box, { width, height } = this.surface;
    return [(width * (x - left)) / (right - left), height * (1 - (y - low) / (high - low))];
  }

  /**
   * The number of the point nearest to a pointer.
   * @param {{x: number, y: number}} at
   * @param {number[][]} points
   * @param {number} reach pixels
   */
  nearest(at, points, reach = Infinity) {
    let best = -1, least = reach;
    points.forEach(([x, y], k) => {
      const [px, py] = this.place(x, y), far = Math.hypot(px - at.x, py - at.y);
      if (far < least) [best, least] = [k, far];
    });
    return best;
  }

  /**
   * Ends of the axes, in the corners.
   * @param {string[]} names
   */
  corners(names) {
    const { context, width, height } = this.surface, [left, right, low, high] = this.box;
    context.fillStyle = color('fg');
    context.globalAlpha = 0.75;
    context.textAlign = 'start';
    context.fillText(`${names[0] ?? 'x'} ${short(left, 2)}`, 6, height - 6);
    context.fillText(`${names[1] ?? 'y'} ${short(high, 2)}`, 6, 14);
    context.textAlign = 'end';
    context.fillText(short(right, 2), width - 6, height - 6);
    context.textAlign = 'start';
    context.fillText(short(low, 2), 6, height - 20);
    context.globalAlpha = 1;
  }
}

/**
 * The ends of some numbers, with a tenth of room.
 * @param {number[]} values
 * @returns {[number, number]}
 */
export function room(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const wide = 0.1 * (high - low) || 1;
  return [low - wide, high + wide];
}
