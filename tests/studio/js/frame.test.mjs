import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Waiting, decode } from '../../../nnlab/studio/static/frame.js';

// What Python has packed is handed in by the test that calls node.
const file = process.env.STUDIO_FRAME;

test('a frame that Python packed is read back', { skip: !file }, () => {
  const bytes = readFileSync(file);
  const frame = decode(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  assert.equal(frame.step, 7);
  assert.equal(frame.words, 'größer');
  assert.deepEqual(frame.arrays.a.shape, [2, 3]);
  assert.deepEqual([...frame.arrays.a.data], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual([...frame.arrays.b.data], [0, 1, 2, 3, 254]);
  assert.deepEqual(frame.arrays.nothing.shape, [0, 4]);
  assert.deepEqual([...frame.arrays.c.data], [0.5]);
});

test('each frame is told once, whatever became of it', () => {
  let told = 0;
  const waiting = new Waiting(() => told++);
  const [first, second, third] = [new ArrayBuffer(1), new ArrayBuffer(2), new ArrayBuffer(3)];
  waiting.put(first);
  waiting.put(second);
  assert.equal(told, 0);
  assert.equal(waiting.take(), second);
  assert.equal(waiting.take(), null);
  assert.equal(told, 2);
  waiting.put(third);
  waiting.drop();
  waiting.drop();
  assert.equal(told, 3);
});
