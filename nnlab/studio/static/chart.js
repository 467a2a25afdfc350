/** A curve of training and validation, with its numbers under the pointer and the arrow keys. */

import { FONT, Surface, announce, clipped, color, tip } from './dom.js';
import { logTicks, nearest, share, short, thinned, ticks } from './scale.js';

const LEFT = 50, RIGHT = 10, TOP = 18, BOTTOM = 20;
/** @type {Record<string, string>} */
const COLORS = { train: 'plus', validation: 'minus' };

/** @typedef {{xs: number[], ys: (number | null)[]}} Curve */

export class Chart {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {{name: string, log: boolean}} options
   */
  constructor(canvas, { name, log }) {
    this.canvas = canvas;
    this.name = name;
    this.log = log;
    /** @type {number | null} */
    this.cursor = null;
    /** @type {{x: number, text: string}[]} */
    this.marks = [];
    /** @type {Record<string, Curve>} */
    this.curves = {};
    /** @type {Record<string, Curve>} of a past run, behind */
    this.pinned = {};
    /** @type {Record<string, Curve>} of the run that this one goes on from */
    this.parent = {};
    this.clear();
    this.surface = new Surface(canvas, () => this.draw());
    canvas.addEventListener('pointermove', (event) => this.point(event));
    canvas.addEventListener('pointerleave', () => this.leave());
    canvas.addEventListener('blur', () => this.leave());
    canvas.addEventListener('keydown', (event) => this.key(event));
  }

  clear() {
    this.curves = { train: { xs: [], ys: [] }, validation: { xs: [], ys: [] } };
    this.marks = [];
    this.parent = {};
  }

  /** Keeps the curves as they are, behind those that come. */
  pin() {
    this.pinned = Object.fromEntries(Object.entries(this.curves).map(([split, { xs, ys }]) => [split, { xs: [...xs], ys: [...ys] }]));
  }

  /**
   * @param {string} split
   * @param {number} x the epoch
   * @param {number | null | undefined} y
   * @param {Record<string, Curve>} curves its own, or those of a run behind
   */
  add(split, x, y, curves = this.curves) {
    const curve = curves[split] ?? (curves !== this.curves && (split === 'train' || split === 'validation') ? (curves[split] = { xs: [], ys: [] }) : undefined);
    if (!curve || y === undefined) return;
    curve.xs.push(x);
    curve.ys.push(y);
  }

  /**
   * @param {number} x
   * @param {string} text
   */
  mark(x, text) {
    if (!this.marks.some((mark) => mark.x === x && mark.text === text)) this.marks.push({ x, text });
  }

  bounds() {
    let low = Infinity, high = -Infinity, end = 0;
    for (const { xs, ys } of [this.curves, this.pinned, this.parent].flatMap((each) => Object.values(each))) {
      for (const y of ys) {
        if (y === null || !Number.isFinite(y) || (this.log && y <= 0)) continue;
        if (y < low) low = y;
        if (y > high) high = y;
      }
      if (xs.length) end = Math.max(end, xs[xs.length - 1]);
    }
    if (low > high) return null;
    if (this.log) {
      const room = high / low < 1.5 ? 1.3 : 1.08;
      return { low: low / room, high: high * room, end: end || 1 };
    }
    const room = 0.06 * (high - low) || Math.abs(high) * 0.1 || 1;
    // A share is never beyond 0 and 1, and its axis neither.
    const unit = low >= 0 && high <= 1;
    return { low: unit ? Math.max(0, low - room) : low - room, high: unit ? Math.min(1.005, high + room) : high + room, end: end || 1 };
  }

  draw() {
    const { width, height } = this.surface;
    if (!width) return;
    const context = this.surface.clear();
    context.fillStyle = color('fg');
    context.font = `600 ${FONT}`;
    context.fillText(this.name, LEFT, 11);
    context.font = FONT;
    const bounds = this.bounds();
    if (!bounds) {
      context.fillStyle = color('dim');
      context.textAlign = 'center';
      context.fillText('its curve appears with the first reading', width / 2, height / 2 + 6);
      context.textAlign = 'start';
      return;
    }
    const X = (/** @type {number} */ x) => LEFT + (width - LEFT - RIGHT) * share(x, 0, bounds.end);
    const Y = (/** @type {number} */ y) => TOP + (height - TOP - BOTTOM) * (1 - share(y, bounds.low, bounds.high, this.log));
    this.axes(context, bounds, X, Y);
    context.globalAlpha = 0.55;
    for (const [split, curve] of Object.entries(this.pinned)) this.line(context, curve, X, Y, 'dim', split === 'validation', 1.2);
    context.globalAlpha = 0.4;
    for (const [split, curve] of Object.entries(this.parent)) this.line(context, curve, X, Y, COLORS[split], split === 'validation', 1.4);
    context.globalAlpha = 1;
    for (const [split, curve] of Object.entries(this.curves)) this.line(context, curve, X, Y, COLORS[split], split === 'validation', split === 'train' ? 1.6 : 2);
    this.place = { X, Y, bounds };
    if (this.cursor !== null) this.crosshair(context, X, Y, bounds);
    this.canvas.setAttribute('aria-label', this.words());
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {{low: number, high: number, end: number}} bounds
   * @param {(x: number) => number} X
   * @param {(y: number) => number} Y
   */
  axes(context, bounds, X, Y) {
    const { width, height } = this.surface;
    context.lineWidth = 1;
    context.strokeStyle = color('line');
    context.fillStyle = color('dim');
    context.textAlign = 'end';
    for (const y of this.log ? logTicks(bounds.low, bounds.high, 4) : ticks(bounds.low, bounds.high, 3)) {
      const at = Math.round(Y(y)) + 0.5;
      context.beginPath();
      context.moveTo(LEFT, at);
      context.lineTo(width - RIGHT, at);
      context.stroke();
      context.fillText(short(y), LEFT - 6, at + 3.5);
    }
    context.textAlign = 'center';
    const marks = ticks(0, bounds.end, Math.max(2, Math.floor(width / 90)));
    for (const x of marks) context.fillText(short(x), Math.min(X(x), width - RIGHT - 8), height - 6);
    context.textAlign = 'end';
    context.fillText('epoch', width - RIGHT, 11);
    context.textAlign = 'start';
    this.markings(context, X);
  }

  /**
   * A line for each mark, and its words in the first row that has room; what has none is under the pointer.
   * @param {CanvasRenderingContext2D} context
   * @param {(x: number) => number} X
   */
  markings(context, X) {
    const { width, height } = this.surface;
    /** @type {[number, number][][]} what is taken of each row */
    const rows = [[], [], []];
    context.strokeStyle = color('dim');
    context.setLineDash([2, 3]);
    context.beginPath();
    for (const { x } of this.marks) {
      context.moveTo(X(x), TOP);
      context.lineTo(X(x), height - BOTTOM);
    }
    context.stroke();
    context.setLineDash([]);
    for (const { x, text } of this.marks) {
      const at = X(x);
      const words = clipped(context, text, width - LEFT - RIGHT - 8), wide = context.measureText(words).width + 8;
      const from = Math.max(LEFT, Math.min(at + 4, width - RIGHT - wide)), to = from + wide;
      const row = rows.findIndex((taken) => taken.every(([low, high]) => to < low || from > high));
      if (row < 0) continue;
      rows[row].push([from, to]);
      context.globalAlpha = 0.85;
      context.fillStyle = color('panel');
      context.fillRect(from - 2, TOP + 13 * row, wide, 13);
      context.globalAlpha = 1;
      context.fillStyle = color('dim');
      context.fillText(words, from, TOP + 10 + 13 * row);
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Curve} curve
   * @param {(x: number) => number} X
   * @param {(y: number) => number} Y
   * @param {string} ink
   * @param {boolean} dashed
   * @param {number} wide
   */
  line(context, { xs, ys }, X, Y, ink, dashed, wide) {
    const points = thinned(xs, ys, this.surface.width - LEFT - RIGHT);
    context.strokeStyle = context.fillStyle = color(ink);
    context.lineWidth = wide;
    context.lineJoin = 'round';
    context.setLineDash(dashed ? [5, 3] : []);
    context.beginPath();
    points.forEach(([x, y], k) => context[k ? 'lineTo' : 'moveTo'](X(x), Y(y)));
    context.stroke();
    context.setLineDash([]);
    if (points.length === 1) {
      context.beginPath();
      context.arc(X(points[0][0]), Y(points[0][1]), 2.5, 0, 7);
      context.fill();
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {(x: number) => number} X
   * @param {(y: number) => number} Y
   * @param {{end: number}} bounds
   */
  crosshair(context, X, Y, bounds) {
    const x = /** @type {number} */ (this.cursor);
    context.strokeStyle = color('dim');
    context.beginPath();
    context.moveTo(X(Math.min(x, bounds.end)), TOP);
    context.lineTo(X(Math.min(x, bounds.end)), this.surface.height - BOTTOM);
    context.stroke();
    for (const [split, { xs, ys }] of Object.entries(this.curves)) {
      const k = nearest(xs, x), y = ys[k];
      if (k < 0 || y === null) continue;
      context.fillStyle = color(COLORS[split]);
      context.beginPath();
      context.arc(X(xs[k]), Y(y), 3.5, 0, 7);
      context.fill();
    }
  }

  /** @param {PointerEvent} event */
  point(event) {
    if (!this.place) return;
    const { x } = this.surface.at(event), { bounds } = this.place;
    this.cursor = Math.max(0, Math.min(1, (x - LEFT) / (this.surface.width - LEFT - RIGHT))) * bounds.end;
    this.draw();
    tip(this.at(this.cursor), event.clientX, event.clientY);
  }

  leave() {
    this.cursor = null;
    tip('');
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10 }[event.key];
    const xs = [...new Set(Object.values(this.curves).flatMap((curve) => curve.xs))].sort((a, b) => a - b);
    if (!step || !xs.length) return;
    event.preventDefault();
    const now = this.cursor === null ? xs.length - 1 : Math.max(0, Math.min(xs.length - 1, nearest(xs, this.cursor) + step));
    this.cursor = xs[now];
    this.draw();
    announce(this.at(this.cursor));
  }

  /** @param {number} x */
  at(x) {
    const parts = [];
    for (const [split, { xs, ys }] of Object.entries(this.curves)) {
      const k = nearest(xs, x);
      if (k < 0) continue;
      if (!parts.length) parts.push(`epoch ${short(xs[k], 4)}`);
      parts.push(`${split === 'train' ? 'training' : split} ${short(ys[k], 4)}`);
    }
    const near = (this.place?.bounds.end ?? 1) / 60;
    parts.push(...this.marks.filter((mark) => Math.abs(mark.x - x) < near).map((mark) => mark.text));
    return parts.join('\n');
  }

  words() {
    const parts = Object.entries(this.curves)
      .filter(([, { ys }]) => ys.length)
      .map(([split, { ys }]) => `${split === 'train' ? 'training' : split} ${short(ys[ys.length - 1], 4)}`);
    return `${this.name}: ${parts.join(', ') || 'nothing yet'}. Arrow keys move along the curve.`;
  }
}
