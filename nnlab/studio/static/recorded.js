/** In place of the connection, in a page that needs no server: what was recorded, shown again. */

/** @typedef {{events: any[], checked: any, definitions: Record<string, any>, frames: Record<string, string>}} RecordedRun */

/** @type {RecordedRun | null} */
let record = null;

function read() {
  record ??= JSON.parse(document.getElementById('record')?.textContent ?? 'null');
  return /** @type {RecordedRun} */ (record);
}

/** @param {string} path */
export async function ask(path) {
  const { checked, definitions } = read();
  if (path === '/api/check') return checked;
  return definitions[decodeURIComponent(path.split('key=')[1] ?? '')] ?? null;
}

export class Connection {
  constructor() {
    this.hear = /** @type {(event: any) => void} */ (() => {});
    this.show = /** @type {(frame: ArrayBuffer) => void} */ (() => {});
    this.say = /** @type {(words: string) => void} */ (() => {});
    this.steps = Object.keys(read().frames).map(Number).sort((a, b) => a - b);
    this.at = this.steps.length - 1;
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    document.body.classList.add('recorded');
    /** @type {HTMLTextAreaElement} */ (document.getElementById('yaml')).readOnly = true;
  }

  /**
   * @param {(event: any) => void} hear
   * @param {(frame: ArrayBuffer) => void} show
   * @param {(words: string) => void} say
   */
  listen(hear, show, say) {
    Object.assign(this, { hear, show, say });
    // Behind the rest of the page, which this is a part of.
    setTimeout(() => {
      for (const event of read().events) hear(event);
      this.seek(this.at);
    });
  }

  /** @param {Record<string, any>} message */
  send({ do: what, step }) {
    if (what === 'play') {
      if (this.at === this.steps.length - 1) this.at = -1;
      clearInterval(this.timer);
      this.timer = setInterval(() => this.seek(this.at + 1), 600);
      this.seek(this.at + 1);
    } else if (what === 'pause') this.pause();
    else if (what === 'step') this.seek(this.at + 1);
    else if (what === 'seek') this.seek(this.steps.indexOf(step));
    else if (!['painted', 'watch', 'rate'].includes(what)) this.say('This is a recording: nnlab studio trains, changes and works examples.');
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.seek(this.at);
  }

  /** @param {number} at */
  seek(at) {
    this.at = Math.max(0, Math.min(at, this.steps.length - 1));
    if (this.at === this.steps.length - 1) {
      clearInterval(this.timer);
      this.timer = undefined;
    }
    const step = this.steps[this.at];
    this.show(Uint8Array.from(atob(read().frames[step]), (letter) => letter.charCodeAt(0)).buffer);
    this.hear({ kind: 'state', running: true, playing: this.timer !== undefined, rate: 0, step });
  }
}

/** Nobody is asked. */
export const token = () => '';
