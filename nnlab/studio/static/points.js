/** Points drawn by hand: where one clicks, in the class that is chosen; then a table like any other. */

import { announce, color, make } from './dom.js';
import { classColor, shape } from './palette.js';
import { Plane } from './plane.js';
import { short } from './scale.js';
import { handIn } from './table.js';

const CLASSES = 4, STEP = 0.05, REACH = 7;

export class Points {
  /**
   * @param {HTMLElement} box
   * @param {{write: (change: string) => void, say: (words: string, bad: boolean) => void, beside: HTMLElement[]}} calls `beside` stands where the box does; the last opens it
   */
  constructor(box, calls) {
    this.box = box;
    this.calls = calls;
    /** @type {{x: number, y: number, kind: number}[]} */
    this.points = [];
    this.kind = 0;
    this.cursor = { x: 0, y: 0 };
    this.plane = new Plane('A plane to draw points on', () => this.draw());
    this.plane.box = [-1, 1, -1, 1];
    const { canvas, surface } = this.plane;
    canvas.addEventListener('click', (event) => {
      const at = surface.at(event), near = this.plane.nearest(at, this.points.map(({ x, y }) => [x, y]), REACH);
      if (near >= 0) this.points.splice(near, 1);
      else this.put((2 * at.x) / surface.width - 1, 1 - (2 * at.y) / surface.height);
      this.draw();
    });
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('focus', () => this.draw());
    canvas.addEventListener('blur', () => this.draw());
    this.kinds = Array.from({ length: CLASSES }, (_, k) => make('button', { type: 'button', class: 'quiet', 'aria-pressed': String(!k), textContent: `class ${k + 1}`, onclick: () => this.choose(k) }));
    this.use = make('button', { type: 'button', id: 'points-use', textContent: 'Take these points', onclick: () => this.take() });
    box.replaceChildren(
      make('p', { class: 'buttons', role: 'group', 'aria-label': 'Class of the next point' }, ...this.kinds),
      canvas,
      make('p', { class: 'about', textContent: 'Click to place a point, click it again to take it away; 1 to 4 choose the class. By keyboard: arrow keys, Enter, Backspace.' }),
      make('p', { class: 'buttons' }, this.use, make('button', { type: 'button', class: 'quiet', textContent: 'Clear', onclick: () => { this.points = []; this.draw(); } }), make('button', { type: 'button', class: 'quiet', textContent: 'Leave', onclick: () => this.show(false) })),
    );
  }

  /** @param {boolean} open in place of what stands there */
  show(open) {
    this.box.hidden = !open;
    for (const each of this.calls.beside) each.hidden = open;
    (open ? this.plane.canvas : this.calls.beside.at(-1))?.focus();
  }

  /** @param {number} kind */
  choose(kind) {
    this.kind = kind;
    this.kinds.forEach((button, k) => button.setAttribute('aria-pressed', String(k === kind)));
    announce(`class ${kind + 1}`);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  put(x, y) {
    this.points.push({ x: Number(x.toFixed(3)), y: Number(y.toFixed(3)), kind: this.kind });
    announce(`point ${this.points.length}, class ${this.kind + 1}, at ${short(x)}, ${short(y)}`);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { cursor } = this, [across, up] = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    const number = Number(event.key);
    if (across || up) {
      cursor.x = Math.max(-1, Math.min(1, cursor.x + STEP * across));
      cursor.y = Math.max(-1, Math.min(1, cursor.y + STEP * up));
    } else if (event.key === 'Enter' || event.key === ' ') this.put(cursor.x, cursor.y);
    else if (event.key === 'Backspace') this.points.pop();
    else if (number >= 1 && number <= CLASSES) this.choose(number - 1);
    else return;
    event.preventDefault();
    // A space here places a point; it does not train.
    event.stopPropagation();
    this.draw();
  }

  draw() {
    const { surface, canvas } = this.plane, counts = Array.from({ length: CLASSES }, (_, k) => this.points.filter(({ kind }) => kind === k).length);
    const usable = counts.filter((count) => count >= 2).length >= 2;
    this.use.disabled = !usable;
    this.use.title = usable ? '' : 'Two classes with two points each are the least.';
    canvas.setAttribute('aria-label', `A plane to draw points on: ${counts.map((count, k) => `${count} of class ${k + 1}`).join(', ')}.`);
    if (!surface.width) return;
    const context = surface.clear();
    context.fillStyle = color('sunk');
    context.fillRect(0, 0, surface.width, surface.height);
    context.strokeStyle = color('line');
    for (let k = -0.5; k <= 0.5; k += 0.5) {
      context.beginPath();
      context.moveTo(...this.plane.place(k, -1));
      context.lineTo(...this.plane.place(k, 1));
      context.moveTo(...this.plane.place(-1, k));
      context.lineTo(...this.plane.place(1, k));
      context.stroke();
    }
    for (const { x, y, kind } of this.points) {
      context.beginPath();
      shape(context, kind, ...this.plane.place(x, y), 5);
      context.fillStyle = classColor(kind);
      context.strokeStyle = color('panel');
      context.fill();
      context.stroke();
    }
    if (document.activeElement === canvas) {
      context.beginPath();
      context.arc(...this.plane.place(this.cursor.x, this.cursor.y), 8, 0, 7);
      context.strokeStyle = color('accent');
      context.lineWidth = 2;
      context.stroke();
    }
    this.plane.corners(['x', 'y']);
  }

  /** Hands them in as a table. */
  async take() {
    const rows = this.points.map(({ x, y, kind }) => `${x},${y},class ${kind + 1}\n`);
    const found = await handIn('points.csv', `x,y,class\n${rows.join('')}`, this.calls.say);
    if (!found) return;
    this.calls.write(`data=${found.data.replace(/}$/, ', test: none, validation: 0.2}')}`);
    this.calls.say(`${this.points.length} points are kept in ${found.path}; Train begins with them.`, false);
    this.show(false);
  }
}
