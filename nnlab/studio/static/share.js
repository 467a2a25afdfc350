/** A text as part of an address: deflated, in letters that an address may have. */

const PREFIX = 'yaml=';

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @param {number} most
 */
async function whole(stream, most) {
  /** @type {number[]} */
  const bytes = [];
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (bytes.length + part.value.length > most) throw new Error('too long');
    for (const byte of part.value) bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/**
 * @param {string} text
 * @returns {Promise<string>} yaml=...
 */
export async function packed(text) {
  const bytes = await whole(new Blob([text]).stream().pipeThrough(/** @type {any} */ (new CompressionStream('deflate-raw'))), 1e6);
  return PREFIX + btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/**
 * @param {string} hash of an address
 * @returns {Promise<string | null>} the text in it; null where there is none
 */
export async function unpacked(hash) {
  const code = hash.replace(/^#/, '').split('&').find((part) => part.startsWith(PREFIX))?.slice(PREFIX.length);
  if (!code) return null;
  try {
    const bytes = Uint8Array.from(atob(code.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
    return new TextDecoder().decode(await whole(new Blob([bytes]).stream().pipeThrough(/** @type {any} */ (new DecompressionStream('deflate-raw'))), 1e6));
  } catch {
    return null;
  }
}

/**
 * The button that copies the text as a command, and the address that brings one.
 * @param {HTMLButtonElement} button
 * @param {() => string} text
 * @param {(text: string) => void} set
 * @param {(words: string) => void} say
 */
export function sharing(button, text, set, say) {
  button.onclick = async () => {
    const command = `nnlab studio '#${await packed(text())}'`;
    const copied = await navigator.clipboard?.writeText(command).then(() => true, () => false);
    say(`${copied ? 'Copied' : 'To copy'}: ${command}`);
  };
  addEventListener('hashchange', async () => {
    const found = await unpacked(location.hash);
    if (found !== null) set(found);
  });
}
