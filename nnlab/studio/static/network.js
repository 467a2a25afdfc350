/** The network: each unit with what it says, weights as lines, and the gradient on its way back. */

/** @import { Column, Frame, Scene } from './types.js' */

import { FONT, Surface, announce, clipped, color, onScheme, still, tip } from './dom.js';
import { diverging, image } from './palette.js';
import { short } from './scale.js';

const TOP = 40, FOOT = 12, LOW = 1e-9;
const LEVELS = 6;

/** @typedef {{column: number, unit: number}} Place */

export class Network {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {HTMLCanvasElement} overlay on which the gradient moves
   * @param {{define: (key: string) => void, onLayout: () => void, edit: (place: Place, input: number | null) => boolean}} calls
   */
  constructor(canvas, overlay, calls) {
    this.calls = calls;
    /** @type {Column[]} */
    this.columns = [];
    /** @type {Frame | null} */
    this.frame = null;
    /** @type {Scene | null} */
    this.scene = null;
    /** @type {Place} */
    this.focus = { column: 0, unit: 0 };
    this.playing = false;
    /** @type {Map<number, OffscreenCanvas>} the maps of each column */
    this.atlases = new Map();
    /** @type {Frame | null} whose gradient stands on the overlay */
    this.painted = null;
    this.moved = 0;
    /** @type {number[]} centres of the columns */
    this.xs = [];
    /** @type {number[][]} */
    this.ys = [];
    /** @type {number[]} half the side of a unit */
    this.sizes = [];
    this.table = diverging();
    onScheme(() => { this.table = diverging(); });
    this.surface = new Surface(canvas, () => this.relayout());
    this.over = new Surface(overlay, () => {});
    canvas.addEventListener('pointermove', (event) => tip(this.describeAt(this.surface.at(event)), event.clientX, event.clientY));
    canvas.addEventListener('pointerleave', () => tip(''));
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('blur', () => this.draw());
    canvas.addEventListener('focus', () => this.draw());
    canvas.addEventListener('click', (event) => {
      const at = this.surface.at(event), unit = this.unitAt(at), edge = unit ? null : this.edgeAt(at);
      if (!edge || !calls.edit(edge, edge.input)) calls.define(unit ? 'unit_map' : 'weight');
    });
    requestAnimationFrame((now) => this.move(now));
  }

  /**
   * @param {Column[]} columns
   * @param {Scene | null} scene
   */
  show(columns, scene) {
    this.columns = columns;
    this.scene = scene;
    this.frame = null;
    this.focus = { column: 0, unit: 0 };
    this.relayout();
  }

  /** @param {Frame} frame */
  update(frame) {
    this.frame = frame;
    this.draw();
  }

  relayout() {
    this.over.fit();
    this.surface.fit();
    const { width, height } = this.surface, count = this.columns.length;
    if (!width || !count) return;
    const most = Math.max(...this.columns.map((column) => column.shown));
    const left = this.names().length ? 58 : 40, right = this.scene?.classes.length || this.columns.at(-1)?.name === 'output' ? 70 : 40;
    this.xs = this.columns.map((_, k) => (count === 1 ? width / 2 : left + ((width - left - right) * k) / (count - 1)));
    const room = height - TOP - FOOT, gap = count > 1 ? (width - left - right) / (count - 1) : width;
    this.sizes = this.columns.map((column) => Math.max(2.5, Math.min(21, (0.42 * room) / column.shown, 0.24 * gap)));
    this.ys = this.columns.map((column, k) => {
      const step = Math.min(2 * this.sizes[k] + 12, room / Math.max(1, column.shown));
      const first = TOP + (room - step * column.shown) / 2;
      return Array.from({ length: column.shown }, (_, unit) => first + step * (unit + 0.5));
    });
    this.sparse = most <= 12;
    this.calls.onLayout();
    this.draw();
  }

  names() {
    return this.scene?.names.length ? this.scene.names : this.scene && this.scene.inputs.length === 1 && this.scene.inputs[0] <= 40 ? this.scene.inputs.slice(0, 1).flatMap((n) => Array.from({ length: n }, (_, k) => `x${k + 1}`)) : [];
  }

  draw() {
    if (!this.surface.width || !this.xs.length) return;
    const context = this.surface.clear();
    for (let k = 1; k < this.columns.length; k++) this.edges(context, k);
    this.columns.forEach((_, k) => this.units(context, k));
    this.labels(context);
    this.surface.canvas.setAttribute('aria-label', this.words());
  }

  /**
   * Six widths and two signs: twelve paths in place of a thousand.
   * @param {CanvasRenderingContext2D} context
   * @param {number} k the column that they lead to
   */
  edges(context, k) {
    const before = this.ys[k - 1], after = this.ys[k];
    const x0 = this.xs[k - 1] + this.sizes[k - 1], x1 = this.xs[k] - this.sizes[k], middle = (x0 + x1) / 2;
    const values = this.frame?.arrays[`w${k}`], many = before.length * after.length, curved = many <= 700;
    const line = (/** @type {number} */ i, /** @type {number} */ j) => {
      context.moveTo(x0, before[i]);
      if (curved) context.bezierCurveTo(middle, before[i], middle, after[j], x1, after[j]);
      else context.lineTo(x1, after[j]);
    };
    if (!values) {
      context.beginPath();
      for (let i = 0; i < before.length; i++) for (let j = 0; j < after.length; j++) line(i, j);
      context.strokeStyle = color('strong');
      context.globalAlpha = Math.max(0.12, Math.min(0.5, 60 / many));
      context.lineWidth = 0.8;
      context.stroke();
      context.globalAlpha = 1;
      return;
    }
    const [rows, columns] = values.shape, w = values.data;
    let most = 1e-12, least = Infinity;
    for (const value of w) {
      most = Math.max(most, Math.abs(value));
      least = Math.min(least, Math.abs(value));
    }
    // Lengths of kernels differ little, and never are 0: what all have in common is left out.
    least = many > 40 ? 0.8 * least : 0;
    const bins = /** @type {number[][]} */ (Array.from({ length: 2 * LEVELS }, () => []));
    for (let j = 0; j < rows; j++) {
      for (let i = 0; i < columns; i++) {
        const value = w[j * columns + i], strength = (Math.abs(value) - least) / (most - least);
        if (strength > 0.02) bins[Math.min(LEVELS - 1, Math.floor(strength * LEVELS)) + (value < 0 ? LEVELS : 0)].push(j * columns + i);
      }
    }
    // So much ink that what is strong can be seen among what is not.
    const faint = Math.max(0.04, Math.min(0.5, 90 / many)), wide = Math.max(0.9, Math.min(3.4, 1500 / many));
    for (const level of [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]) {
      if (!bins[level].length) continue;
      const size = (level % LEVELS) / (LEVELS - 1);
      context.beginPath();
      for (const at of bins[level]) line(at % columns, Math.floor(at / columns));
      context.strokeStyle = color(level < LEVELS ? 'plus' : 'minus');
      context.globalAlpha = faint + (0.92 - faint) * (many > 300 ? size ** 1.8 : size);
      context.lineWidth = 0.6 + wide * size ** 1.3;
      // The sign is told by a dash too, where lines are few enough to see one.
      context.setLineDash(level >= LEVELS && many <= 160 ? [6, 3] : []);
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} k
   */
  units(context, k) {
    const size = this.sizes[k], values = this.frame?.arrays[`u${k}`], deltas = this.frame?.arrays[`g${k}`]?.data;
    const map = values && values.shape.length === 3 ? this.atlas(k, values) : null;
    const single = values && values.shape.length === 1 ? values.data : null;
    let most = 1e-12;
    if (single) for (const value of single) most = Math.max(most, Math.abs(value));
    this.ys[k].forEach((y, unit) => {
      const x = this.xs[k], radius = Math.min(4, 0.35 * size);
      if (deltas) this.halo(context, x, y, size, deltas[unit], radius);
      context.beginPath();
      context.roundRect(x - size, y - size, 2 * size, 2 * size, radius);
      context.fillStyle = color('zero');
      context.fill();
      if (map) {
        context.save();
        context.clip();
        if (map.height === 1) this.trace(context, x, y, size, map, unit);
        else {
          context.imageSmoothingEnabled = map.width >= 16 && !(this.scene?.inputs.length === 3 && k === 0);
          context.drawImage(map.canvas, 0, unit * map.height, map.width, map.height, x - size, y - size, 2 * size, 2 * size);
        }
        context.restore();
      } else if (single) {
        const at = 4 * Math.round(127 + 127 * Math.max(-1, Math.min(1, single[unit] / most)));
        context.fillStyle = `rgb(${this.table[at]},${this.table[at + 1]},${this.table[at + 2]})`;
        context.fill();
      } else if (k === 0 && this.scene?.inputs[0] === 2 && this.scene.inputs.length === 1) this.ramp(context, x, y, size, unit);
      const focused = document.activeElement === this.surface.canvas && this.focus.column === k && this.focus.unit === unit;
      context.strokeStyle = color(focused ? 'accent' : 'strong');
      context.lineWidth = focused ? 3 : 1;
      context.beginPath();
      context.roundRect(x - size, y - size, 2 * size, 2 * size, radius);
      context.stroke();
    });
  }

  /**
   * What of the gradient reaches a unit, on a logarithmic scale.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} size
   * @param {number} delta
   * @param {number} radius
   */
  halo(context, x, y, size, delta, radius) {
    const strength = Math.max(0, Math.min(1, 1 + Math.log10(Math.max(delta, LOW)) / 6));
    if (strength < 0.05) return;
    const wide = 1 + Math.min(5, 0.34 * size) * strength;
    context.beginPath();
    context.roundRect(x - size - wide, y - size - wide, 2 * (size + wide), 2 * (size + wide), radius + wide);
    context.fillStyle = color('flow');
    context.globalAlpha = 0.15 + 0.75 * strength;
    context.fill();
    context.globalAlpha = 1;
  }

  /**
   * The maps of a column below each other.
   * @param {number} k
   * @param {{data: Float32Array | Uint8Array, shape: number[]}} values
   */
  atlas(k, { data, shape }) {
    const [units, height, width] = shape;
    let canvas = this.atlases.get(k);
    if (!canvas || canvas.width !== width || canvas.height !== units * height) this.atlases.set(k, (canvas = new OffscreenCanvas(width, units * height)));
    const upwards = this.scene?.inputs.length === 1, context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
    if (height > 1) for (let unit = 0; unit < units; unit++) context.putImageData(image(data.subarray(unit * height * width, (unit + 1) * height * width), width, height, this.table, upwards), 0, unit * height);
    return { canvas, width, height, data };
  }

  /**
   * What a unit says along a line.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} size
   * @param {{width: number, data: Float32Array | Uint8Array}} map
   * @param {number} unit
   */
  trace(context, x, y, size, { width, data }, unit) {
    context.strokeStyle = color('strong');
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x - size, y);
    context.lineTo(x + size, y);
    context.stroke();
    context.strokeStyle = color('plus');
    context.lineWidth = 1.6;
    context.beginPath();
    for (let k = 0; k < width; k++) context[k ? 'lineTo' : 'moveTo'](x - size + (2 * size * k) / (width - 1), y - 0.85 * size * ((data[unit * width + k] - 127) / 127));
    context.stroke();
  }

  /**
   * An input of the plane, which grows to the right or upwards.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} size
   * @param {number} unit
   */
  ramp(context, x, y, size, unit) {
    const fill = unit ? context.createLinearGradient(0, y + size, 0, y - size) : context.createLinearGradient(x - size, 0, x + size, 0);
    fill.addColorStop(0, color('minus'));
    fill.addColorStop(0.5, color('zero'));
    fill.addColorStop(1, color('plus'));
    context.fillStyle = fill;
    context.fill();
  }

  /** @param {CanvasRenderingContext2D} context */
  labels(context) {
    context.textAlign = 'center';
    const gap = this.columns.length > 1 ? this.xs[1] - this.xs[0] : 200, stride = Math.ceil(58 / gap);
    this.columns.forEach((column, k) => {
      // Of many layers every so many has room for its name.
      const left = this.columns.length - 1 - k;
      if (left && (k % stride || left < stride)) return;
      const room = stride * gap - 6;
      context.fillStyle = color('fg');
      context.font = `600 ${FONT}`;
      context.fillText(clipped(context, column.name, room), this.xs[k], 14);
      context.font = FONT;
      context.fillStyle = color('dim');
      const { inputs = [] } = this.scene ?? {}, pixels = k === 0 && inputs.length === 3;
      // Of an image the pixels are the inputs; its one square is a channel.
      const more = pixels ? `${inputs.slice(1).join(' × ')}${inputs[0] > 1 ? ` × ${inputs[0]}` : ''} pixels` : column.units > column.shown ? `${column.shown} of ${column.units}` : String(column.units);
      context.fillText(clipped(context, column.activation && column.activation !== 'identity' ? `${more}, ${column.activation}` : more, room), this.xs[k], 28);
    });
    context.fillStyle = color('dim');
    const names = this.names(), classes = this.scene?.classes ?? [], last = this.columns.length - 1;
    context.textAlign = 'end';
    if (this.columns[0].shown === names.length && names.length <= 24) names.forEach((name, unit) => context.fillText(clipped(context, name, 40), this.xs[0] - this.sizes[0] - 8, this.ys[0][unit] + 4));
    context.textAlign = 'start';
    if (classes.length === this.columns[last].shown && classes.length <= 24) classes.forEach((name, unit) => context.fillText(clipped(context, name, 52), this.xs[last] + this.sizes[last] + 10, this.ys[last][unit] + 4));
  }

  /**
   * Dots run back from the output; how many arrive, and how strong, is how much of the gradient does.
   * @param {number} now
   */
  move(now) {
    requestAnimationFrame((next) => this.move(next));
    const norms = this.frame?.norms;
    const key = this.playing ? null : this.frame;
    if (!norms || !this.xs.length || (key && key === this.painted)) return;
    if (now - this.moved < 33) return;
    this.moved = now;
    this.painted = key;
    const context = this.over.clear();
    if (!this.over.width) return;
    const y = this.over.height - 5;
    context.fillStyle = color('flow');
    for (let k = 1; k < this.columns.length; k++) {
      const norm = norms[k];
      if (norm === null || norm === undefined) continue;
      const strength = Math.max(0.04, Math.min(1, 1 + Math.log10(Math.max(norm, LOW)) / 7));
      const from = this.xs[k] - 4, span = this.xs[k] - this.xs[k - 1] - 8;
      if (still() || !this.playing) {
        this.arrow(context, from, span, y, strength);
        continue;
      }
      const dots = Math.max(2, Math.round(span / 26));
      for (let dot = 0; dot < dots; dot++) {
        const place = (now / 1300 + dot / dots) % 1;
        context.globalAlpha = (0.25 + 0.75 * strength) * Math.min(1, 6 * place, 6 * (1 - place));
        context.beginPath();
        context.arc(from - span * place, y, 1 + 2.6 * strength, 0, 7);
        context.fill();
      }
    }
    context.globalAlpha = 1;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} from
   * @param {number} span
   * @param {number} y
   * @param {number} strength
   */
  arrow(context, from, span, y, strength) {
    const thick = 0.8 + 2.6 * strength;
    context.globalAlpha = 0.35 + 0.65 * strength;
    context.fillRect(from - span + 6, y - thick / 2, span - 6, thick);
    context.beginPath();
    context.moveTo(from - span, y);
    context.lineTo(from - span + 8, y - 4);
    context.lineTo(from - span + 8, y + 4);
    context.fill();
  }

  /**
   * @param {{x: number, y: number}} at
   * @returns {Place | null}
   */
  unitAt({ x, y }) {
    for (let column = 0; column < this.xs.length; column++) {
      if (Math.abs(x - this.xs[column]) > this.sizes[column] + 3) continue;
      const unit = this.ys[column].findIndex((each) => Math.abs(each - y) <= this.sizes[column] + 1);
      if (unit >= 0) return { column, unit };
    }
    return null;
  }

  /** @param {{x: number, y: number}} at */
  describeAt(at) {
    const unit = this.unitAt(at);
    if (unit) return this.describe(unit);
    const edge = this.edgeAt(at), values = edge && this.frame?.arrays[`w${edge.column}`];
    if (!values) return '';
    const { column, unit: j, input: i } = edge;
    return `${this.unitName({ column: column - 1, unit: i })} → ${this.unitName({ column, unit: j })}\nweight ${short(values.data[j * values.shape[1] + i], 4)}`;
  }

  /**
   * The nearest line under the pointer.
   * @param {{x: number, y: number}} at
   * @returns {(Place & {input: number}) | null}
   */
  edgeAt(at) {
    const k = this.xs.findIndex((x, number) => number > 0 && at.x > this.xs[number - 1] + this.sizes[number - 1] && at.x < x - this.sizes[number]);
    const values = this.frame?.arrays[`w${k}`];
    if (k < 1 || !values) return null;
    const x0 = this.xs[k - 1] + this.sizes[k - 1], x1 = this.xs[k] - this.sizes[k];
    const straight = this.ys[k - 1].length * this.ys[k].length > 700, t = (at.x - x0) / (x1 - x0);
    const s = straight ? t : eased(t);
    let best = 7, found = null;
    this.ys[k].forEach((after, j) => this.ys[k - 1].forEach((before, i) => {
      const far = Math.abs(before + (after - before) * s - at.y);
      if (far < best && j < values.shape[0] && i < values.shape[1]) {
        best = far;
        found = { column: k, unit: j, input: i };
      }
    }));
    return found;
  }

  /** @param {Place} place */
  unitName({ column, unit }) {
    const names = column ? [] : this.names();
    const classes = column === this.columns.length - 1 && this.scene?.classes.length === this.columns[column].shown ? this.scene.classes : [];
    return names[unit] ?? (classes.length ? `${this.columns[column].name} “${classes[unit]}”` : `${this.columns[column].name} ${unit + 1}`);
  }

  /** @param {Place} place */
  describe(place) {
    const { column, unit } = place, arrays = this.frame?.arrays ?? {}, parts = [this.unitName(place)];
    const activation = this.columns[column].activation;
    if (activation) parts.push(activation);
    if (arrays[`b${column}`]) parts.push(`bias ${short(arrays[`b${column}`].data[unit], 4)}`);
    if (arrays[`u${column}`]?.shape.length === 1) parts.push(`activation ${short(arrays[`u${column}`].data[unit], 4)}`);
    if (arrays[`g${column}`]) parts.push(`gradient that reaches it ${short(arrays[`g${column}`].data[unit], 3)}`);
    return parts.join('\n');
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.key === 'Enter' && this.focus.column) this.calls.edit(this.focus, null);
    const across = { ArrowRight: 1, ArrowLeft: -1 }[event.key] ?? 0, down = { ArrowDown: 1, ArrowUp: -1 }[event.key] ?? 0;
    if ((!across && !down) || !this.columns.length) return;
    event.preventDefault();
    const column = Math.max(0, Math.min(this.columns.length - 1, this.focus.column + across));
    const unit = Math.max(0, Math.min(this.columns[column].shown - 1, this.focus.unit + down));
    this.focus = { column, unit };
    this.draw();
    announce(this.describe(this.focus).replaceAll('\n', ', '));
  }

  words() {
    const layers = this.columns.map((column) => `${column.name} with ${column.units}`).join(', ');
    return `The network: ${layers}. Arrow keys move from unit to unit, Enter opens the weights that come into one.`;
  }
}

/**
 * How far down a curve with level ends is, so far along.
 * @param {number} x 0 to 1
 */
function eased(x) {
  let low = 0, high = 1;
  for (let k = 0; k < 20; k++) {
    const t = (low + high) / 2;
    if (1.5 * t * (1 - t) * (1 - t) + 1.5 * t * t * (1 - t) + t ** 3 < x) low = t;
    else high = t;
  }
  return 3 * low * low - 2 * low ** 3;
}
