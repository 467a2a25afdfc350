/** Messages of the worker taken apart: a head in JSON and arrays behind it, without a copy. */

/** @import { Frame, Values } from './types.js' */

const HEAD = 8;
/** @type {Record<string, (buffer: ArrayBuffer, at: number, size: number) => Float32Array | Uint8Array>} */
const READERS = {
  float32: (buffer, at, size) => new Float32Array(buffer, at, size),
  uint8: (buffer, at, size) => new Uint8Array(buffer, at, size),
};
/** @type {Record<string, number>} */
const BYTES = { float32: 4, uint8: 1 };

/**
 * @param {ArrayBuffer} buffer
 * @returns {Frame}
 */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, HEAD, length)));
  /** @type {Record<string, Values>} */
  const arrays = {};
  let at = HEAD + length;
  for (const [name, type, shape] of head.arrays) {
    const size = shape.reduce((/** @type {number} */ product, /** @type {number} */ part) => product * part, 1);
    if (!(type in READERS)) throw new Error(`an array of ${type}`);
    arrays[name] = { data: READERS[type](buffer, at, size), shape };
    at += Math.ceil((size * BYTES[type]) / 8) * 8;
  }
  return { ...head, arrays };
}

/**
 * The newest frame that is not painted yet. The server sends only so many before it hears of their
 * end, so each is told exactly once: with the one that is painted in its place, or with a new run.
 */
export class Waiting {
  /** @param {() => void} done tells the server that one frame has come to its end */
  constructor(done) {
    this.done = done;
    this.untold = 0;
    /** @type {ArrayBuffer | null} */
    this.frame = null;
  }

  /** @param {ArrayBuffer} frame in place of the one before */
  put(frame) {
    this.untold++;
    this.frame = frame;
  }

  /** @returns {ArrayBuffer | null} the frame to paint */
  take() {
    const frame = this.frame;
    this.drop();
    return frame;
  }

  drop() {
    this.frame = null;
    for (; this.untold; this.untold--) this.done();
  }
}
