/** The YAML pane: lines, colours, mistakes at their places and what cures them. */

/** @import { Checked, Mistake } from './types.js' */

import { ask } from './connection.js';
import { make } from './dom.js';
import { words } from './yaml_words.js';

const PATIENCE = 150;

export class Editor {
  /**
   * @param {{area: HTMLTextAreaElement, gutter: HTMLElement, highlight: HTMLElement, mistakes: HTMLElement, says: HTMLElement, undo: HTMLButtonElement}} parts
   * @param {{changed: (text: string) => void, checked: (found: Checked) => void}} calls
   */
  constructor(parts, calls) {
    this.parts = parts;
    this.calls = calls;
    /** @type {string[]} */
    this.past = [];
    /** @type {Mistake[]} */
    this.wrong = [];
    this.asked = 0;
    this.known = '';
    parts.area.addEventListener('input', () => this.typed());
    parts.area.addEventListener('scroll', () => this.follow());
    parts.area.addEventListener('keydown', (event) => this.key(event));
    parts.undo.onclick = () => this.undo();
    parts.undo.disabled = true;
  }

  get text() {
    return this.parts.area.value;
  }

  /**
   * A text from outside: of the server, of a form, of a button.
   * @param {string} text
   * @param {{keep?: boolean, tell?: boolean, ask?: boolean}} options keep it for undo; tell the server; ask it what this would train
   */
  set(text, { keep = false, tell = false, ask = true } = {}) {
    if (keep) this.remember(this.known);
    if (this.text !== text) {
      const { selectionStart, selectionEnd, scrollTop } = this.parts.area;
      this.parts.area.value = text;
      this.parts.area.setSelectionRange(Math.min(selectionStart, text.length), Math.min(selectionEnd, text.length));
      this.parts.area.scrollTop = scrollTop;
    }
    this.known = text;
    this.paint();
    if (tell) this.calls.changed(text);
    if (ask) return this.check();
    // An answer that is still under way is about another text.
    this.asked++;
    return undefined;
  }

  /** @param {string} text */
  remember(text) {
    if (this.past.at(-1) !== text) this.past.push(text);
    this.past = this.past.slice(-200);
    this.parts.undo.disabled = false;
  }

  undo() {
    const text = this.past.pop();
    this.parts.undo.disabled = !this.past.length;
    if (text !== undefined) this.set(text, { tell: true });
  }

  typed() {
    this.paint();
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      this.remember(this.known);
      this.known = this.text;
      this.calls.changed(this.text);
      this.check();
    }, PATIENCE);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    // Two spaces; Escape first lets Tab go on to the next control, as the keyboard alone needs it.
    if (event.key === 'Escape') this.leaving = true;
    else if (event.key === 'Tab' && !event.shiftKey && !this.leaving) {
      event.preventDefault();
      const { selectionStart, selectionEnd } = this.parts.area;
      this.parts.area.setRangeText('  ', selectionStart, selectionEnd, 'end');
      this.typed();
    } else if (event.key !== 'Tab') this.leaving = false;
  }

  async check() {
    const number = ++this.asked, found = /** @type {Checked | null} */ (await ask('/api/check', { body: this.text }));
    // A later question has been asked meanwhile: this answer is about another text.
    if (number === this.asked && found) this.show(found);
  }

  /**
   * What a text would train, unasked; one that has been changed meanwhile is asked about by itself.
   * @param {string} text
   * @param {Checked} found
   */
  told(text, found) {
    // The area has line ends of its own.
    if (text.replace(/\r\n?/g, '\n') === this.text) this.show(found);
    else this.check();
  }

  /** @param {Checked} found */
  show(found) {
    this.wrong = found.mistakes ?? [];
    this.parts.says.textContent = found.says ?? '';
    this.parts.mistakes.replaceChildren(...this.wrong.map((mistake) => this.mistake(mistake)));
    this.paint();
    this.calls.checked(found);
  }

  /** @param {Mistake} mistake */
  mistake({ line, column, text, fix }) {
    const item = make('li', {}, line ? make('button', { type: 'button', class: 'quiet', textContent: `line ${line}`, onclick: () => this.go(line, column ?? 1) }) : '', text);
    if (fix) item.append(document.createElement('br'), make('button', { type: 'button', textContent: fix.says, onclick: () => this.set(fix.text, { keep: true, tell: true }) }));
    return item;
  }

  /**
   * @param {number} line
   * @param {number} column
   */
  go(line, column) {
    const lines = this.text.split('\n'), at = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0) + column - 1;
    this.parts.area.focus();
    this.parts.area.setSelectionRange(at, at);
    this.parts.area.scrollTop = Math.max(0, (line - 4) * 19.2);
  }

  paint() {
    const lines = this.text.split('\n'), bad = new Map(this.wrong.filter((each) => each.line).map((each) => [each.line, each.column ?? 1]));
    const shown = lines.map((line, k) => {
      const from = bad.get(k + 1);
      let at = 0;
      const spans = words(line).map(({ text, kind }) => {
        const here = from !== undefined && from - 1 >= at && from - 1 < at + text.length;
        at += text.length;
        return kind || here ? make('span', { class: [kind, here ? 'bad' : ''].join(' ').trim(), textContent: text }) : text;
      });
      return make('span', {}, ...spans, '\n');
    });
    this.parts.highlight.replaceChildren(...shown);
    this.parts.gutter.replaceChildren(...lines.map((_, k) => make(bad.has(k + 1) ? 'b' : 'span', { textContent: `${bad.has(k + 1) ? '●' : ''}${k + 1}\n` })));
    this.follow();
  }

  follow() {
    const { scrollTop, scrollLeft } = this.parts.area;
    this.parts.gutter.scrollTop = this.parts.highlight.scrollTop = scrollTop;
    this.parts.highlight.scrollLeft = scrollLeft;
  }
}
