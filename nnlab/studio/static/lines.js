/**
 * Weights as lines, painted pixel by pixel. Without a graphics card a canvas takes 35 ms to stroke
 * 500 dashed curves, which is more than all else of a frame; this takes 1.
 */

/** @typedef {[number, number, number]} Ink red, green, blue */

/**
 * @typedef {{places: Int32Array, shares: Uint16Array}} Shape pixels from its first row on; 256 is all of one
 * @typedef {{kind: number, wide: number, alpha: number, dash: number}} Look
 * @typedef {{from: number, down: Float32Array, slope: Float32Array, shapes: Map<number, Shape>}} Band
 *   `down` is how far a line is down at the middle of each column of pixels, `slope` how steep there for each row that it falls
 */

const LEVELS = 6, KINDS = 2 * LEVELS + 1;

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
    /** @type {Map<string, Band>} */
    this.bands = new Map();
    this.band = this.between(0, 0);
  }

  /** @param {Ink} ground what all is painted on */
  clear([red, green, blue]) {
    this.words.fill(((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0);
  }

  /**
   * Between which columns of pixels the lines run that come next.
   * @param {number} x0
   * @param {number} x1
   * @returns {Band}
   */
  between(x0, x1) {
    const name = `${x0} ${x1}`, known = this.bands.get(name);
    if (known) return (this.band = known);
    const from = Math.max(0, Math.round(x0)), count = Math.max(0, Math.min(this.width, Math.round(x1)) - from);
    const down = new Float32Array(count), slope = new Float32Array(count);
    for (let k = 0; k < count; k++) {
      const t = Math.max(0, Math.min(1, (from + k + 0.5 - x0) / (x1 - x0)));
      down[k] = eased(t);
      slope[k] = (6 * t * (1 - t)) / (x1 - x0);
    }
    this.bands.set(name, (this.band = { from, down, slope, shapes: new Map() }));
    return this.band;
  }

  /**
   * Which pixels a line takes that begins in the middle of the first row, and its share of each.
   * @param {number} fall rows down to its end
   * @param {number} wide
   * @param {number} alpha
   * @param {number} dash length of a dash and its gap, a third of it; 0 for none
   * @returns {Shape}
   */
  shape(fall, wide, alpha, dash) {
    const { width, band: { from, down, slope } } = this, places = [], shares = [];
    let along = 0;
    for (let k = 0; k < down.length; k++) {
      // Of a column of pixels a line covers the more, the steeper it is.
      const lean = fall * slope[k], steep = Math.sqrt(1 + lean * lean);
      if (dash && (along = (along + steep) % dash) >= (2 * dash) / 3) continue;
      const y = 0.5 + fall * down[k], half = 0.5 * wide * steep;
      for (let row = Math.floor(y - half); row < y + half; row++) {
        const share = Math.round(256 * alpha * (Math.min(row + 1, y + half) - Math.max(row, y - half)));
        if (!share) continue;
        places.push(row * width + from + k);
        shares.push(share);
      }
    }
    return { places: Int32Array.from(places), shares: Uint16Array.from(shares) };
  }

  /**
   * Lays a line on what is there already; what of it is beyond the sheet is nowhere.
   * @param {Shape} shape
   * @param {number} row in which it begins
   * @param {Ink} ink
   */
  lay({ places, shares }, row, [red, green, blue]) {
    const { words, width } = this, first = row * width;
    // Red and blue in one multiplication, for between them there is room.
    const sides = (blue << 16) | red, middle = green << 8;
    for (let k = 0; k < places.length; k++) {
      const at = first + places[k], share = shares[k], rest = 256 - share, was = words[at];
      words[at] = 0xff000000
        | (((Math.imul(sides, share) + Math.imul(was & 0xff00ff, rest) + 0x800080) >>> 8) & 0xff00ff)
        | (((Math.imul(middle, share) + Math.imul(was & 0x00ff00, rest) + 0x008000) >>> 8) & 0x00ff00);
    }
  }

  /**
   * Lines that fall as far, as wide and as strong, cover the same pixels in every frame, and from
   * wherever they begin: their shape is kept.
   * @param {number} y0
   * @param {number} y1
   * @param {Ink} ink
   * @param {Look} look
   */
  line(y0, y1, ink, { kind, wide, alpha, dash }) {
    const row = Math.floor(y0), fall = Math.floor(y1) - row, { shapes } = this.band, name = fall * KINDS + kind;
    let shape = shapes.get(name);
    if (!shape) shapes.set(name, (shape = this.shape(fall, wide, alpha, dash)));
    this.lay(shape, row, ink);
  }

  /**
   * All lines between two columns of units, what is weak first.
   * @param {number[]} before heights of the units
   * @param {number[]} after
   * @param {{data: Float32Array | Uint8Array, shape: number[]}} values (units after, units before)
   * @param {{plus: Ink, minus: Ink, ratio: number}} look
   */
  weights(before, after, { data, shape: [rows, columns] }, { plus, minus, ratio }) {
    const many = before.length * after.length, count = rows * columns;
    let most = 1e-12, least = Infinity;
    for (const value of data) {
      most = Math.max(most, Math.abs(value));
      least = Math.min(least, Math.abs(value));
    }
    // Lengths of kernels differ little, and never are 0: what all have in common is left out.
    least = many > 40 ? 0.8 * least : 0;
    const levels = new Int8Array(count);
    for (let at = 0; at < count; at++) {
      const strength = (Math.abs(data[at]) - least) / (most - least);
      levels[at] = strength > 0.02 ? Math.min(LEVELS - 1, Math.floor(strength * LEVELS)) : -1;
    }
    // So much ink that what is strong can be seen among what is not.
    const faint = Math.max(0.04, Math.min(0.5, 90 / many)), widest = Math.max(0.9, Math.min(3.4, 1500 / many));
    for (let level = 0; level < LEVELS; level++) {
      const size = level / (LEVELS - 1), alpha = faint + (0.92 - faint) * (many > 300 ? size ** 1.8 : size);
      const above = { kind: 2 * level, wide: ratio * (0.6 + widest * size ** 1.3), alpha, dash: 0 };
      // The sign is told by a dash too, where lines are few enough to see one.
      const below = many <= 160 ? { ...above, kind: 2 * level + 1, dash: 9 * ratio } : above;
      for (let at = 0; at < count; at++) {
        if (levels[at] !== level) continue;
        const negative = data[at] < 0;
        this.line(before[at % columns], after[Math.floor(at / columns)], negative ? minus : plus, negative ? below : above);
      }
    }
  }

  /**
   * All lines between two columns whose weights are not known yet.
   * @param {number[]} before
   * @param {number[]} after
   * @param {{ink: Ink, ratio: number}} look
   */
  plain(before, after, { ink, ratio }) {
    const alpha = Math.max(0.08, Math.min(0.5, 60 / (before.length * after.length)));
    const look = { kind: KINDS - 1, wide: 0.8 * ratio, alpha, dash: 0 };
    for (const one of before) for (const other of after) this.line(one, other, ink, look);
  }
}
