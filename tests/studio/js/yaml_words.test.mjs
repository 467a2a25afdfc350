import assert from 'node:assert/strict';
import { test } from 'node:test';

import { words } from '../../../nnlab/studio/static/yaml_words.js';

const kinds = (line) => words(line).filter(({ text }) => text.trim()).map(({ text, kind }) => `${kind || '.'} ${text}`);

test('every letter of a line is kept', () => {
  for (const line of ['', '  # a', "a: 'x # y' # z", 'k: {kind: mlp, hidden: [8, 1e-3]}  # c', '- {a: "q\\"#"}', 'ü: ß', "it's: 1"]) {
    assert.equal(words(line).map(({ text }) => text).join(''), line);
  }
});

test('keys, numbers, quoted words and comments are told apart', () => {
  assert.deepEqual(kinds("model: {kind: mlp, p: 0.5}  # x: 1"), ['k model', '. :', '. {', 'k kind', '. :', '. mlp', '. ,', 'k p', '. :', 'n 0.5', '. }', 'c # x: 1']);
  assert.deepEqual(kinds("a: 'b # c'"), ['k a', '. :', "s 'b # c'"]);
  assert.deepEqual(kinds('x: a#b'), ['k x', '. :', '. a', '. #', '. b']);
});
