/** The network: each unit with what it says, weights as lines, and the gradient on its way back. */

/** @import { Column, Frame, Scene } from './types.js' */

import { FONT, Surface, announce, clipped, color, onScheme, rgb, still, tip } from './dom.js';
import { Lines, eased } from './lines.js';
import { colored, diverging } from './palette.js';
import { short } from './scale.js';

const TOP = 40, FOOT = 17, LOW = 1e-9;

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
    this.plays = false;
    this.lines = new Lines(0, 0);
    /** @type {ImageData | null} what they are painted into */
    this.sheet = null;
    /** @type {Map<number, {canvas: OffscreenCanvas, picture: ImageData}>} the maps of each column */
    this.atlases = new Map();
    this.moved = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.later = undefined;
    /** @type {number[]} centres of the columns */
    this.xs = [];
    /** @type {number[][]} */
    this.ys = [];
    /** @type {number[]} half the side of a unit */
    this.sizes = [];
    this.table = diverging();
    onScheme(() => { this.table = diverging(); });
    this.surface = new Surface(canvas, () => this.relayout());
    this.over = new Surface(overlay, () => this.flow(performance.now()));
    canvas.addEventListener('pointermove', (event) => tip(this.describeAt(this.surface.at(event)), event.clientX, event.clientY));
    canvas.addEventListener('pointerleave', () => tip(''));
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('blur', () => this.draw());
    canvas.addEventListener('focus', () => this.draw());
    canvas.addEventListener('click', (event) => {
      const at = this.surface.at(event), unit = this.unitAt(at), edge = unit ? null : this.edgeAt(at);
      if (!edge || !calls.edit(edge, edge.input)) calls.define(unit ? 'unit_map' : 'weight');
    });
  }

  get playing() {
    return this.plays;
  }

  set playing(plays) {
    if (plays === this.plays) return;
    this.plays = plays;
    this.move();
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
    this.surface.canvas.setAttribute('aria-label', this.words());
    this.relayout();
  }

  /** @param {Frame} frame */
  update(frame) {
    this.frame = frame;
    this.draw();
    this.flow(performance.now());
  }

  clear() {
    this.frame = null;
    this.draw();
    this.flow(performance.now());
  }

  relayout() {
    this.over.fit();
    this.surface.fit();
    // The shapes of lines are of the columns as they were.
    this.sheet = null;
    const { width, height } = this.surface, count = this.columns.length;
    if (!width || !count) return;
    const left = this.names().length ? 58 : 40, right = this.scene?.classes.length || this.columns.at(-1)?.name === 'output' ? 70 : 40;
    this.xs = this.columns.map((_, k) => (count === 1 ? width / 2 : left + ((width - left - right) * k) / (count - 1)));
    const room = height - TOP - FOOT, gap = count > 1 ? (width - left - right) / (count - 1) : width;
    this.sizes = this.columns.map((column) => Math.max(2.5, Math.min(21, (0.42 * room) / column.shown, 0.24 * gap)));
    this.ys = this.columns.map((column, k) => {
      const step = Math.min(2 * this.sizes[k] + 12, room / Math.max(1, column.shown));
      const first = TOP + (room - step * column.shown) / 2;
      return Array.from({ length: column.shown }, (_, unit) => first + step * (unit + 0.5));
    });
    this.calls.onLayout();
    this.draw();
    this.flow(performance.now());
  }

  names() {
    return this.scene?.names.length ? this.scene.names : this.scene && this.scene.inputs.length === 1 && this.scene.inputs[0] <= 40 ? this.scene.inputs.slice(0, 1).flatMap((n) => Array.from({ length: n }, (_, k) => `x${k + 1}`)) : [];
  }

  draw() {
    if (!this.surface.width || !this.xs.length) return;
    const context = this.surface.clear();
    this.edges(context);
    this.columns.forEach((_, k) => this.units(context, k));
    this.labels(context);
  }

  /** @param {CanvasRenderingContext2D} context */
  edges(context) {
    const { ratio, canvas } = this.surface, at = (/** @type {number} */ y) => y * ratio;
    if (!this.sheet || this.sheet.width !== canvas.width || this.sheet.height !== canvas.height) {
      this.lines = new Lines(canvas.width, canvas.height);
      this.sheet = new ImageData(this.lines.pixels, canvas.width, canvas.height);
    }
    this.lines.clear(rgb('panel'));
    for (let k = 1; k < this.columns.length; k++) {
      const before = this.ys[k - 1].map(at), after = this.ys[k].map(at), values = this.frame?.arrays[`w${k}`];
      this.lines.between(ratio * (this.xs[k - 1] + this.sizes[k - 1]), ratio * (this.xs[k] - this.sizes[k]));
      if (values) this.lines.weights(before, after, values, { plus: rgb('plus'), minus: rgb('minus'), ratio });
      else this.lines.plain(before, after, { ink: rgb('strong'), ratio });
    }
    context.putImageData(this.sheet, 0, 0);
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
      const x = this.xs[k], side = 2 * size;
      if (deltas) this.halo(context, x, y, size, deltas[unit]);
      context.fillStyle = color('zero');
      // Rectangles and no paths: a frame has a hundred of them.
      context.fillRect(x - size, y - size, side, side);
      if (map && map.height === 1) this.trace(context, x, y, size, map, unit);
      else if (map) {
        context.imageSmoothingEnabled = map.width >= 16 && !(this.scene?.inputs.length === 3 && k === 0);
        context.drawImage(map.canvas, 0, unit * map.height, map.width, map.height, x - size, y - size, side, side);
      } else if (single) {
        const at = 4 * Math.round(127 + 127 * Math.max(-1, Math.min(1, single[unit] / most)));
        context.fillStyle = `rgb(${this.table[at]},${this.table[at + 1]},${this.table[at + 2]})`;
        context.fillRect(x - size, y - size, side, side);
      } else if (k === 0 && this.scene?.inputs[0] === 2 && this.scene.inputs.length === 1) this.ramp(context, x, y, size, unit);
      const focused = document.activeElement === this.surface.canvas && this.focus.column === k && this.focus.unit === unit;
      context.strokeStyle = color(focused ? 'accent' : 'strong');
      context.lineWidth = focused ? 3 : 1;
      context.strokeRect(x - size, y - size, side, side);
    });
  }

  /**
   * What of the gradient reaches a unit, on a logarithmic scale.
   * @param {CanvasRenderingContext2D} context
   * @param {number} x
   * @param {number} y
   * @param {number} size
   * @param {number} delta
   */
  halo(context, x, y, size, delta) {
    const strength = Math.max(0, Math.min(1, 1 + Math.log10(Math.max(delta, LOW)) / 6));
    if (strength < 0.05) return;
    const wide = 1 + Math.min(5, 0.34 * size) * strength;
    context.fillStyle = color('flow');
    context.globalAlpha = 0.15 + 0.75 * strength;
    context.fillRect(x - size - wide, y - size - wide, 2 * (size + wide), 2 * (size + wide));
    context.globalAlpha = 1;
  }

  /**
   * The maps of a column below each other.
   * @param {number} k
   * @param {{data: Float32Array | Uint8Array, shape: number[]}} values
   */
  atlas(k, { data, shape }) {
    const [units, height, width] = shape;
    let kept = this.atlases.get(k);
    if (!kept || kept.picture.width !== width || kept.picture.height !== units * height) {
      kept = { canvas: new OffscreenCanvas(width, units * height), picture: new ImageData(width, units * height) };
      this.atlases.set(k, kept);
    }
    if (height > 1) {
      colored(kept.picture, data, height, this.table, this.scene?.inputs.length === 1);
      kept.canvas.getContext('2d')?.putImageData(kept.picture, 0, 0);
    }
    return { canvas: kept.canvas, width, height, data };
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
    context.fillRect(x - size, y - size, 2 * size, 2 * size);
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

  /** Moves the gradient on where no frame does: what is put on the screen together costs once. */
  move() {
    clearTimeout(this.later);
    if (!this.playing || performance.now() - this.moved > 60) requestAnimationFrame((now) => this.flow(now));
    if (this.playing && !still()) this.later = setTimeout(() => this.move(), 66);
  }

  /**
   * Dots run back from the output; how many arrive, and how strong, is how much of the gradient does.
   * @param {number} now
   */
  flow(now) {
    const norms = this.frame?.norms, context = this.over.clear();
    this.moved = now;
    if (!norms || !this.over.width) return;
    const y = this.over.height - 6;
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
    const s = eased((at.x - x0) / (x1 - x0));
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
