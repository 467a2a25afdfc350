import assert from 'node:assert/strict';
import test from 'node:test';

/** As much of an element as a lesson needs. */
const element = (tag) => ({ tag, children: [], setAttribute() {}, append(...more) { this.children.push(...more); }, replaceChildren(...more) { this.children = more; }, querySelectorAll() { return this.children.flatMap((each) => each.children ?? []).filter((each) => each.tag === 'button'); } });
const kept = new Map();
Object.assign(globalThis, {
  document: { createElement: element },
  matchMedia: () => ({ addEventListener() {} }),
  sessionStorage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) },
});
const { Lesson } = await import('../../../nnlab/studio/static/lesson.js');

test('a run that begins with an empty prediction locks nothing, and one with a prediction does', () => {
  let typed = 0;
  const lesson = new Lesson(element('section'), element('div'), () => {}, () => typed++);
  assert.equal(lesson.waits, false); // no lesson, nothing to wait for
  lesson.prediction.value = '';
  lesson.update({ lesson: { Question: 'Which?', Predict: 'Say.', Observe: '', 'Change next': '' }, variants: ['a', 'b'] });
  const buttons = () => lesson.box.querySelectorAll('button');
  assert.equal(lesson.waits, true);
  assert.deepEqual(buttons().map((each) => each.disabled), [true, true]);
  lesson.begin();
  lesson.over();
  assert.deepEqual([lesson.begun, lesson.told, lesson.prediction.readOnly], [false, false, false]);
  lesson.prediction.value = 'b';
  lesson.prediction.oninput();
  assert.deepEqual([typed, lesson.waits], [1, false]);
  assert.deepEqual(buttons().map((each) => each.disabled), [false, false]);
  lesson.begin();
  assert.deepEqual([lesson.begun, lesson.prediction.readOnly], [true, true]);
  assert.equal(kept.get('prediction Which?'), 'b');
});
