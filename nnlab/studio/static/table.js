/** A table of one's own: chosen or dropped, kept beside the runs, and written into the text. */

import { token } from './connection.js';
import { flow } from './plan.js';

/**
 * Hands a table in; says why where that fails.
 * @param {string} name
 * @param {Blob | string} body
 * @param {(words: string, bad: boolean) => void} say
 * @returns {Promise<{path: string, target: string, columns: string[], data: string} | null>} `data` as the text has it
 */
export async function handIn(name, body, say) {
  const answer = await fetch(`/api/table?name=${encodeURIComponent(name)}`, { method: 'POST', body, headers: { 'x-studio-token': token() } });
  const text = await answer.text();
  if (!answer.ok) {
    say(text, true);
    return null;
  }
  const found = JSON.parse(text);
  return { ...found, data: flow({ kind: 'csv', path: JSON.stringify(found.path), target: JSON.stringify(found.target) }) };
}

/**
 * @param {HTMLElement} place that a file can be dropped on
 * @param {HTMLInputElement} input
 * @param {(change: string) => void} write as --set takes it
 * @param {(words: string, bad: boolean) => void} say
 */
export function ownTable(place, input, write, say) {
  const take = async (/** @type {File | undefined} */ file) => {
    if (!file) return;
    if (file.size > 20_000_000) return say(`${file.name}: larger than 20 MB; write its path into the text: data: {kind: csv, path: ..., target: ...}`, true);
    const found = await handIn(file.name, file, say);
    if (!found) return;
    write(`data=${found.data}`);
    say(`${file.name}: ${found.columns.length} columns; ${found.target} is taken for the target (data.target says another).`, false);
  };
  input.onchange = () => { take(input.files?.[0]); input.value = ''; };
  place.addEventListener('dragover', (event) => event.preventDefault());
  place.addEventListener('drop', (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
}
