import assert from 'node:assert/strict';
import test from 'node:test';
import { packed, unpacked } from '../../../nnlab/studio/static/share.js';

test('what is packed is unpacked, and what is none is null', async () => {
  const text = 'data: moons  # größer ≥ 3\nmodel: {kind: mlp, hidden: [8, 8]}\n'.repeat(40);
  const code = await packed(text);
  assert.match(code, /^yaml=[A-Za-z0-9_-]+$/);
  assert.ok(code.length < text.length / 10);
  assert.equal(await unpacked(`#${code}`), text);
  assert.equal(await unpacked(`#token=abc&${code}`), text);
  for (const none of ['', '#token=abc', '#yaml=', '#yaml=%%%', '#yaml=AAAA']) assert.equal(await unpacked(none), null);
});

test('a text that would grow without end is refused', async () => {
  assert.equal(await unpacked(await packed('a'.repeat(999_999)) + 'A'), null);
  assert.equal((await unpacked(`#${await packed('a'.repeat(999_999))}`))?.length, 999_999);
});
