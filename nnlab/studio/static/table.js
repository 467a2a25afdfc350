/** A table of one's own: chosen or dropped, kept beside the runs, and written into the text. */

import { token } from './connection.js';
import { flow } from './build.js';

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
    const answer = await fetch(`/api/table?name=${encodeURIComponent(file.name)}`, { method: 'POST', body: file, headers: { 'x-studio-token': token() } });
    const found = await answer.text();
    if (!answer.ok) return say(found, true);
    const { path, target, columns } = JSON.parse(found);
    write(`data=${flow({ kind: 'csv', path: JSON.stringify(path), target: JSON.stringify(target) })}`);
    say(`${file.name}: ${columns.length} columns; ${target} is taken for the target (data.target says another).`, false);
  };
  input.onchange = () => { take(input.files?.[0]); input.value = ''; };
  place.addEventListener('dragover', (event) => event.preventDefault());
  place.addEventListener('drop', (event) => {
    event.preventDefault();
    take(event.dataTransfer?.files[0]);
  });
}
