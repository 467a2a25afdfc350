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
