/** A line of YAML in words to colour: not a parser, only what the eye wants to tell apart. */

/** @typedef {{text: string, kind: '' | 'c' | 'k' | 's' | 'n'}} Word */

const NUMBER = /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/;
const PIECE = /("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')|([A-Za-z_][\w./-]*)(?=\s*:(?:\s|$|[[{]))|([-+.\d][\w.+-]*|[A-Za-z_][\w./-]*)|(\s+|.)/g;

/**
 * @param {string} line
 * @returns {Word[]}
 */
export function words(line) {
  const cut = commentAt(line);
  /** @type {Word[]} */
  const found = [];
  for (const [text, quoted, key, plain] of line.slice(0, cut).matchAll(PIECE)) {
    if (quoted) found.push({ text, kind: 's' });
    else if (key) found.push({ text, kind: 'k' });
    else if (plain) found.push({ text, kind: NUMBER.test(text) || /^(true|false|null|auto)$/.test(text) ? 'n' : '' });
    else found.push({ text, kind: '' });
  }
  if (cut < line.length) found.push({ text: line.slice(cut), kind: 'c' });
  return found;
}

/**
 * Where the comment of a line begins; its length where there is none.
 * @param {string} line
 */
function commentAt(line) {
  let quote = '';
  for (let k = 0; k < line.length; k++) {
    const letter = line[k];
    if (quote) quote = letter === quote ? '' : quote;
    else if ((letter === '"' || letter === "'") && (k === 0 || /[\s[{,:]/.test(line[k - 1]))) quote = letter;
    else if (letter === '#' && (k === 0 || /\s/.test(line[k - 1]))) return k;
  }
  return line.length;
}
