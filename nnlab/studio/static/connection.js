/** The page's connection to its server: one socket, the token, and a word for what went wrong. */

const KEY = 'nnlab-studio-token';

/** The token stands in the fragment of the address, once; from there on in this tab alone. */
export function token() {
  const found = new URLSearchParams(location.hash.slice(1)).get('token');
  if (found) {
    sessionStorage.setItem(KEY, found);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? '';
}

/**
 * Asks the server; an answer that is not there is null.
 * @param {string} path
 * @param {{body?: string}} options with a body it is a POST
 */
export async function ask(path, { body } = {}) {
  const answer = await fetch(path, { method: body === undefined ? 'GET' : 'POST', body, headers: { 'x-studio-token': token() } });
  if (!answer.ok) return null;
  return answer.headers.get('content-type')?.includes('json') ? answer.json() : answer.text();
}

export class Connection {
  /** It is opened at once; what comes before somebody listens waits. */
  constructor() {
    /** @type {(() => void)[]} */
    this.early = [];
    this.heard = /** @type {{hear: (event: any) => void, show: (frame: ArrayBuffer) => void, say: (words: string) => void} | null} */ (null);
    this.wait = 300;
    this.open();
  }

  /**
   * @param {(event: any) => void} hear an event
   * @param {(frame: ArrayBuffer) => void} show a frame, which is to be acknowledged by `painted`
   * @param {(words: string) => void} say what the person must know
   */
  listen(hear, show, say) {
    this.heard = { hear, show, say };
    for (const tell of this.early.splice(0)) {
      try {
        tell();
      } catch (error) {
        reportError(error);
      }
    }
  }

  /** @param {() => void} tell what is told to who listens */
  tell(tell) {
    if (this.heard) tell();
    else this.early.push(tell);
  }

  open() {
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/socket`);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.wait = 300;
      this.send({ do: 'hello', token: token() });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') for (const event of JSON.parse(data)) this.tell(() => this.heard?.hear(event));
      else this.tell(() => this.heard?.show(data));
    };
    socket.onclose = ({ code, reason }) => {
      if (code === 4401 || code === 4403 || code === 4429) {
        this.tell(() => this.heard?.say(`This page may not ask the server: ${reason}.`));
        return;
      }
      this.tell(() => this.heard?.say('The connection is lost; trying again. Training goes on.'));
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(5000, 1.6 * this.wait);
    };
  }

  /** @param {Record<string, any>} message */
  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
