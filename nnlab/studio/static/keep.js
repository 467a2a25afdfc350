/** What a person keeps: the text as a file, a run as a page that needs no server. */

import { token } from './connection.js';
import { make } from './dom.js';

/**
 * Hands a file to the browser to keep.
 * @param {Blob} blob
 * @param {string} file
 */
function keep(blob, file) {
  const address = URL.createObjectURL(blob);
  make('a', { href: address, download: file }).click();
  URL.revokeObjectURL(address);
}

/**
 * The buttons that keep the text as a file, and the run at hand as a page that needs no server.
 * @param {HTMLButtonElement} save
 * @param {HTMLButtonElement} page
 * @param {() => string} text
 * @param {() => string} name
 * @param {(words: string, bad?: boolean) => void} say
 */
export function saving(save, page, text, name, say) {
  save.onclick = () => keep(new Blob([text()], { type: 'application/yaml' }), `${name()}.yaml`);
  page.onclick = async () => {
    say('Writing the run as a page of its own, from its checkpoints …');
    const answer = await fetch('/api/page', { headers: { 'x-studio-token': token() } });
    if (!answer.ok) return say(await answer.text(), true);
    keep(await answer.blob(), `${name()}.html`);
    say('Saved: a page that needs no server. More checkpoints (log.checkpoints: 2 epochs) are more moments in it.');
  };
}
