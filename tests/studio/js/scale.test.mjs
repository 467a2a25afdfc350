import assert from 'node:assert/strict';
import { test } from 'node:test';

import { logTicks, nearest, share, short, speedOf, thinned, ticks, whole } from '../../../nnlab/studio/static/scale.js';

test('numbers are said in so many digits', () => {
  assert.equal(short(0.123456), '0.123');
  assert.equal(short(-2.5), '\u22122.5');
  assert.equal(short(1e-4, 4), '1e-4');
  assert.equal(short(1.234e-7), '1.2e-7');
  assert.equal(short(0), '0');
  assert.equal(short(null), '\u2013');
  assert.equal(short(NaN), 'NaN');
  assert.equal(short(Infinity), '\u221e');
  assert.equal(whole(1234567).replaceAll(/\s/g, ' '), '1 234 567');
});

test('ticks are round, ascending and within the ends', () => {
  for (const [low, high] of [[0, 1], [-3, 17], [0.001, 0.0023], [5, 5.0001], [0, 12345]]) {
    const found = ticks(low, high, 4);
    assert.ok(found.length >= 2 && found.length <= 9, `${low} ${high}: ${found}`);
    assert.ok(found.every((value, k) => value >= low - 1e-9 && value <= high * (1 + 1e-9) && (!k || value > found[k - 1])));
  }
  assert.deepEqual(ticks(1, 1), [1]);
});

test('ticks of a logarithmic axis are powers of ten, and few', () => {
  assert.deepEqual(logTicks(1e-8, 1e2, 5), [1e-8, 1e-6, 1e-4, 1e-2, 1, 100]);
  const few = logTicks(0.02, 0.7);
  assert.ok(few.includes(0.1) && few.includes(0.05) && few.every((v) => v >= 0.02 && v <= 0.7));
});

test('a value has its share of an axis', () => {
  assert.equal(share(5, 0, 10), 0.5);
  assert.ok(Math.abs(share(1e-3, 1e-8, 1e2, true) - 0.5) < 1e-12);
  assert.equal(share(0, 1e-8, 1, true), 0);
});

test('a long curve is thinned, and keeps its ends, its least and its greatest', () => {
  const xs = Float64Array.from({ length: 10000 }, (_, k) => k);
  const ys = Array.from(xs, (x) => Math.sin(x / 50));
  ys[777] = 9;
  ys[778] = null;
  const found = thinned(xs, ys, 100);
  assert.ok(found.length <= 410);
  assert.deepEqual(found[0], [0, 0]);
  assert.equal(found.at(-1)[0], 9999);
  assert.ok(found.some(([x, y]) => x === 777 && y === 9));
  assert.ok(found.every(([x], k) => !k || x > found[k - 1][0]));
  assert.deepEqual(thinned([1, 2, 3], [1, NaN, 2], 100), [[1, 1], [3, 2]]);
});

test('the nearest value is found', () => {
  assert.equal(nearest([], 3), -1);
  assert.equal(nearest([1, 4, 9], 6), 1);
  assert.equal(nearest([1, 4, 9], 7), 2);
  assert.equal(nearest([1, 4, 9], -5), 0);
  assert.equal(nearest([1, 4, 9], 50), 2);
});

test('the slider goes from one update a second to as many as it goes', () => {
  assert.equal(speedOf(0), 1);
  assert.equal(speedOf(4), 0);
  for (let place = 0; place < 3.8; place += 0.1) assert.ok(speedOf(place + 0.1) >= speedOf(place));
});
