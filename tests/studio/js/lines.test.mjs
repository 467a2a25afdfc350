import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Lines, eased } from '../../../nnlab/studio/static/lines.js';

const WHITE = [255, 255, 255], BLACK = [0, 0, 0];

/** A sheet with one line, and how much black is in each of its columns. */
function drawn(y0, y1, wide, alpha = 1, dash = 0) {
  const lines = new Lines(200, 100);
  lines.clear(WHITE);
  lines.between(20, 180);
  lines.line(y0, y1, BLACK, { kind: 0, wide, alpha, dash });
  return Array.from({ length: 200 }, (_, x) => {
    let ink = 0;
    for (let y = 0; y < 100; y++) ink += 1 - lines.pixels[4 * (200 * y + x)] / 255;
    return ink;
  });
}

const sum = (all) => all.reduce((one, other) => one + other, 0);
const close = (found, wanted, share) => assert.ok(Math.abs(found - wanted) <= share * wanted, `${found} for ${wanted}`);

test('a level line is as wide as it should be, from end to end', () => {
  for (const wide of [0.6, 1, 2.5]) {
    const ink = drawn(50.2, 50.2, wide);
    assert.equal(sum(ink.slice(0, 20)) + sum(ink.slice(180)), 0);
    close(sum(ink), 160 * wide, 0.02);
  }
});

test('a steep one has as much ink as it is long', () => {
  let length = 0;
  for (let k = 0; k < 1600; k++) length += Math.hypot(0.1, 80 * (eased((k + 1) / 1600) - eased(k / 1600)));
  close(sum(drawn(10, 90, 2)), 2 * length, 0.02);
  close(sum(drawn(90, 10, 2)), 2 * length, 0.02);
});

test('a pale one has its share of ink, and two lie upon each other', () => {
  close(sum(drawn(50.5, 50.5, 1, 0.25)), 40, 0.03);
  const lines = new Lines(200, 100);
  lines.clear([10, 250, 90]);
  lines.between(20, 180);
  for (let k = 0; k < 2; k++) lines.line(50.5, 50.5, [210, 50, 190], { kind: 0, wide: 1, alpha: 0.5, dash: 0 });
  const at = 4 * (200 * 50 + 100);
  assert.deepEqual([...lines.pixels.slice(at, at + 4)].map((part, k) => Math.abs(part - [160, 100, 165, 255][k]) <= 1), [true, true, true, true]);
});

test('dashes take two thirds of it', () => {
  const ink = drawn(50, 50, 1, 1, 9);
  close(sum(ink), 160 * 0.67, 0.05);
  assert.ok(ink.filter((each, x) => x > 20 && x < 180 && !each).length > 40);
});

test('of the same shape one line is as another, wherever it begins, and each is laid anew', () => {
  const once = drawn(10, 90, 2), lines = new Lines(200, 100);
  lines.clear(WHITE);
  const band = lines.between(20, 180);
  for (const row of [10, 10, 5]) {
    lines.clear(WHITE);
    lines.line(row, row + 80, BLACK, { kind: 0, wide: 2, alpha: 1, dash: 0 });
  }
  assert.equal(lines.between(20, 180), band);
  assert.equal(band.shapes.size, 1);
  const moved = Array.from({ length: 200 }, (_, x) => Array.from({ length: 100 }, (_, y) => 1 - lines.pixels[4 * (200 * y + x)] / 255).reduce((a, b) => a + b));
  assert.deepEqual(moved, once);
  lines.line(5, 85, BLACK, { kind: 1, wide: 1, alpha: 0.5, dash: 0 });
  lines.line(5, 84, BLACK, { kind: 0, wide: 2, alpha: 1, dash: 0 });
  assert.equal(band.shapes.size, 3);
});

test('what is beyond the sheet is not drawn', () => {
  assert.equal(sum(drawn(-40, -30, 3)), 0);
  // From the middle of the first row: half of it, and of the row above nothing.
  close(sum(drawn(0, 0, 2)), 240, 0.02);
  close(sum(drawn(99, 99, 2)), 240, 0.02);
  const lines = new Lines(0, 0);
  lines.clear(WHITE);
  lines.between(-5, 5);
  lines.line(0, 1, BLACK, { kind: 0, wide: 1, alpha: 1, dash: 0 });
});

test('of weights the signs have their colours, and what is 0 has none', () => {
  const lines = new Lines(100, 90);
  lines.clear(WHITE);
  lines.between(10, 90);
  lines.weights([15, 45, 75], [45], { data: Float32Array.of(2, 0, -2), shape: [1, 3] }, { plus: [0, 0, 255], minus: [255, 0, 0], ratio: 1 });
  const colors = new Set(Array.from({ length: 90 }, (_, y) => [...lines.pixels.slice(4 * (100 * y + 14), 4 * (100 * y + 14) + 3)].join()));
  const blue = [...colors].filter((each) => Number(each.split(',')[2]) > Number(each.split(',')[0]));
  const red = [...colors].filter((each) => Number(each.split(',')[0]) > Number(each.split(',')[2]));
  assert.ok(blue.length && red.length);
  assert.equal(lines.pixels[4 * (100 * 45 + 14)], 255);
});
