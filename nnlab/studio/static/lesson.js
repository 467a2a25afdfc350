/** A lesson: its question, a prediction that is locked when training begins, then what one observes. */

/** @import { Checked } from './types.js' */

import { make } from './dom.js';
import { short } from './scale.js';

/** @typedef {{of: string, quantity: string, bound: string, value: number | string | null, holds: boolean | null, needs: string[]}} Verdict */
/** @typedef {Record<'Question' | 'Predict' | 'Observe' | 'Change next', string>} Parts */

export class Lesson {
  /**
   * @param {HTMLElement} section
   * @param {HTMLElement} box
   * @param {(variant: string | null) => void} train
   * @param {() => void} typed the prediction has changed
   */
  constructor(section, box, train, typed) {
    this.section = section;
    this.box = box;
    this.train = train;
    this.key = '';
    this.prediction = make('textarea', { id: 'prediction', rows: 2, placeholder: 'a number, a variant, or a sentence', oninput: () => { this.draw(false); typed(); } });
    this.begun = this.told = false;
    /** @type {Verdict[]} */
    this.verdicts = [];
  }

  /** Whether a prediction is still to be written: nothing is trained before it is. */
  get waits() {
    return Boolean(this.parts) && !this.prediction.value.trim();
  }

  /** @param {Checked} found */
  update({ lesson, variants }) {
    this.parts = lesson;
    this.section.hidden = !lesson;
    if (!lesson) return;
    if (this.key !== lesson.Question) {
      this.key = lesson.Question;
      this.prediction.value = sessionStorage.getItem(`prediction ${this.key}`) ?? '';
      this.begun = this.told = false;
      this.verdicts = [];
    }
    this.variants = variants ?? [];
    this.draw();
  }

  /** Training has begun: the prediction stands. Where another tab began it, an empty one is still asked for. */
  begin() {
    if (!this.parts || this.begun || this.waits) return;
    this.begun = true;
    sessionStorage.setItem(`prediction ${this.key}`, this.prediction.value);
    this.draw();
  }

  /** A run has ended: what one observes may be read. */
  over() {
    if (!this.parts || !this.begun) return;
    this.told = true;
    this.draw();
  }

  /** @param {Verdict[]} verdicts what became of what the lesson expects */
  judged(verdicts) {
    this.verdicts = verdicts;
    this.draw();
  }

  /** One line for each expectation: met, not met, or what is to be trained for it. */
  expectations() {
    const { verdicts } = this;
    if (!verdicts?.length) return [];
    const items = verdicts.map(({ of, quantity, bound, value, holds, needs }) => {
      const said = holds === null ? `waits for ${needs.join(', ')}` : `${holds ? 'met' : 'not met'}, found ${typeof value === 'number' ? short(value, 4) : value}`;
      return make('li', { class: holds === null ? 'waits' : holds ? 'met' : 'missed' }, make('span', { textContent: `${of}: ${quantity} ${bound.replaceAll('_', ' ')}` }), make('b', { textContent: ` ${said}` }));
    });
    return [make('h3', { textContent: 'What the lesson expects' }), make('ul', { class: 'expectations' }, ...items), make('p', { class: 'about', textContent: 'Here of one run of each variant; nnlab train takes the mean over all seeds.' })];
  }

  /** @param {boolean} anew */
  draw(anew = true) {
    const { parts, begun, told } = this;
    if (!parts) return;
    for (const each of this.box.querySelectorAll('button.train')) /** @type {HTMLButtonElement} */ (each).disabled = this.waits;
    if (!anew) return;
    this.prediction.readOnly = begun;
    const part = (/** @type {keyof Parts} */ name) => (parts[name] ? [make('h3', { textContent: name }), make('p', { textContent: parts[name] })] : []);
    const names = this.variants?.length ? this.variants : [null];
    const buttons = names.map((variant) => make('button', { type: 'button', class: 'train', disabled: this.waits, textContent: variant ? `Train ${variant}` : 'Train', onclick: () => this.train(variant) }));
    this.box.replaceChildren(
      ...part('Question'),
      ...part('Predict'),
      make('label', { for: 'prediction', textContent: begun ? 'You predicted' : 'Your prediction, first' }),
      this.prediction,
      make('p', { class: 'buttons' }, ...buttons, ...(begun && !told ? [make('button', { type: 'button', class: 'quiet', textContent: 'I have seen enough', onclick: () => this.over() })] : [])),
      ...(told ? [...part('Observe'), ...this.expectations(), ...part('Change next')] : []),
    );
  }
}
