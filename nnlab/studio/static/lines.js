/**
 * Weights as lines, painted pixel by pixel. Without a graphics card a canvas takes 35 ms to stroke
 * 500 dashed curves, which is more than all else of a frame; this takes 2.
 */

/** @typedef {[number, number, number]} Ink red, green, blue */

const LEVELS = 6;

/** How far down a line is, so far along: level at both ends. */
export const eased = (/** @type {number} */ t) => t * t * (3 - 2 * t);

export class Lines {
  /**
   * @param {number} width pixels of the screen
   * @param {number} height
   */
  constructor(width, height) {
    this.width = width;
    this.height = height;
    this.pixels = new Uint8ClampedArray(4 * width * height);
    this.words = new Uint32Array(this.pixels.buffer);
    this.from = 0;
    /** How far down, and how steep for each pixel of height, at the middle of each column of pixels. */
    this.down = this.slope = new Float32Array(0);
  }

  /** @param {Ink} ground what all is painted on */
  clear([red, green, blue]) {
    this.words.fill(((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0);
  }

  /**
   * Between which columns of pixels the lines run that come next.
   * @param {number} x0
   * @param {number} x1
   */
  between(x0, x1) {
    this.from = Math.max(0, Math.round(x0));
    const count = Math.max(0, Math.min(this.width, Math.round(x1)) - this.from);
    this.down = new Float32Array(count);
    this.slope = new Float32Array(count);
    for (let k = 0; k < count; k++) {
      const t = Math.max(0, Math.min(1, (this.from + k + 0.5 - x0) / (x1 - x0)));
      this.down[k] = eased(t);
      this.slope[k] = (6 * t * (1 - t)) / (x1 - x0);
    }
  }

  /**
   * @param {number} y0
   * @param {number} y1
   * @param {number} wide
   * @param {Ink} ink
   * @param {number} alpha
   * @param {number} dash length of a dash and its gap, a third of it; 0 for none
   */
  line(y0, y1, wide, [red, green, blue], alpha, dash = 0) {
    const { words, width, height, down, slope, from } = this, fall = y1 - y0, count = down.length;
    // Red and blue in one multiplication, for between them there is room.
    const sides = (blue << 16) | red, middle = green << 8, full = 256 * alpha;
    let along = 0;
    for (let k = 0; k < count; k++) {
      // Of a column of pixels a line covers the more, the steeper it is.
      const lean = fall * slope[k], steep = Math.sqrt(1 + lean * lean);
      if (dash && (along = (along + steep) % dash) >= (2 * dash) / 3) continue;
      const y = y0 + fall * down[k], half = 0.5 * wide * steep;
      const top = Math.max(0, y - half), bottom = Math.min(height, y + half);
      for (let row = top | 0; row < bottom; row++) {
        const share = (full * (Math.min(row + 1, bottom) - Math.max(row, top)) + 0.5) | 0, rest = 256 - share;
        const at = row * width + from + k, was = words[at];
        words[at] = 0xff000000
          | (((Math.imul(sides, share) + Math.imul(was & 0xff00ff, rest) + 0x800080) >>> 8) & 0xff00ff)
          | (((Math.imul(middle, share) + Math.imul(was & 0x00ff00, rest) + 0x008000) >>> 8) & 0x00ff00);
      }
    }
  }

  /**
   * All lines between two columns of units, what is weak first.
   * @param {number[]} before heights of the units
   * @param {number[]} after
   * @param {{data: Float32Array | Uint8Array, shape: number[]}} values (units after, units before)
   * @param {{plus: Ink, minus: Ink, ratio: number}} look
   */
  weights(before, after, { data, shape: [rows, columns] }, { plus, minus, ratio }) {
    const many = before.length * after.length;
    let most = 1e-12, least = Infinity;
    for (const value of data) {
      most = Math.max(most, Math.abs(value));
      least = Math.min(least, Math.abs(value));
    }
    // Lengths of kernels differ little, and never are 0: what all have in common is left out.
    least = many > 40 ? 0.8 * least : 0;
    const bins = /** @type {number[][]} */ (Array.from({ length: LEVELS }, () => []));
    for (let at = 0; at < rows * columns; at++) {
      const strength = (Math.abs(data[at]) - least) / (most - least);
      if (strength > 0.02) bins[Math.min(LEVELS - 1, Math.floor(strength * LEVELS))].push(at);
    }
    // So much ink that what is strong can be seen among what is not.
    const faint = Math.max(0.04, Math.min(0.5, 90 / many)), widest = Math.max(0.9, Math.min(3.4, 1500 / many));
    bins.forEach((bin, level) => {
      const size = level / (LEVELS - 1), alpha = faint + (0.92 - faint) * (many > 300 ? size ** 1.8 : size);
      const wide = ratio * (0.6 + widest * size ** 1.3);
      for (const at of bin) {
        const below = data[at] < 0;
        // The sign is told by a dash too, where lines are few enough to see one.
        this.line(before[at % columns], after[Math.floor(at / columns)], wide, below ? minus : plus, alpha, below && many <= 160 ? 9 * ratio : 0);
      }
    });
  }

  /**
   * All lines between two columns whose weights are not known yet.
   * @param {number[]} before
   * @param {number[]} after
   * @param {{ink: Ink, ratio: number}} look
   */
  plain(before, after, { ink, ratio }) {
    const alpha = Math.max(0.08, Math.min(0.5, 60 / (before.length * after.length)));
    for (const one of before) for (const other of after) this.line(one, other, 0.8 * ratio, ink, alpha);
  }
}
