/** Images with what the network says of them, and the weights of the first layer as images. */

/** @import { Frame } from './types.js' */
/** @import { Given, Picture } from './pictures.js' */

import { Surface, make, onScheme } from './dom.js';
import { diverging, image } from './palette.js';

/** @implements {Picture} */
export class Predictions {
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
export class FirstWeights {
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
