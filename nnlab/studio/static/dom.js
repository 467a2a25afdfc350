/** Elements by name, made in a line, and a canvas as sharp as the screen. */

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function $(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} properties set on the element; `class` and names with a dash as attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'class' || name.includes('-') || name === 'role' || name === 'for') element.setAttribute(name, value);
    else Object.assign(element, { [name]: value });
  }
  element.append(...children);
  return element;
}

const darkened = matchMedia('(prefers-color-scheme: dark)'), reduced = matchMedia('(prefers-reduced-motion: reduce)');
export const dark = () => darkened.matches;
export const still = () => reduced.matches;

/** Colours of the style sheet, in the scheme that is on. */
const known = new Map();
darkened.addEventListener('change', () => known.clear());

/** @param {string} name */
export function color(name) {
  let found = known.get(name);
  if (!found) known.set(name, (found = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()));
  return found;
}

/**
 * Red, green and blue of a colour of the style sheet.
 * @param {string} name
 * @returns {[number, number, number]}
 */
export function rgb(name) {
  const hex = color(name).slice(1);
  return /** @type {[number, number, number]} */ ([0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
}

/** Calls back when the scheme changes: what is on a canvas must be drawn anew. */
export function onScheme(/** @type {() => void} */ callback) {
  for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) matchMedia(query).addEventListener('change', callback);
}

/**
 * Makes something when it is first asked for; from then on it is there as `made` too.
 * @template T
 * @param {() => Promise<T>} make
 */
export function once(make) {
  /** @type {Promise<T> | undefined} */
  let coming;
  const get = () => (coming ??= make().then((made) => (get.made = made), (error) => {
    // Where the server was gone for a moment, the next try is a new one.
    coming = undefined;
    throw error;
  }));
  /** @type {T | null} */
  get.made = null;
  return get;
}

export const FONT = '11px system-ui, "Segoe UI", Roboto, sans-serif';

/**
 * A canvas whose drawing is in CSS pixels, whatever the screen has. Nothing of what is behind it
 * shines through: without a graphics card it is put on the screen in half the time so.
 */
export class Surface {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {() => void} redraw when its size has changed
   */
  constructor(canvas, redraw) {
    this.canvas = canvas;
    this.width = this.height = 0;
    this.ratio = 1;
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('no canvas');
    this.context = context;
    new ResizeObserver(() => {
      if (this.fit()) redraw();
    }).observe(canvas);
    onScheme(() => {
      this.clear();
      redraw();
    });
  }

  fit() {
    const ratio = devicePixelRatio || 1, box = this.canvas.getBoundingClientRect();
    if (!box.width || (this.width === box.width && this.height === box.height && this.ratio === ratio)) return false;
    Object.assign(this, { width: box.width, height: box.height, ratio });
    this.canvas.width = Math.round(box.width * ratio);
    this.canvas.height = Math.round(box.height * ratio);
    this.clear();
    return true;
  }

  /** Empty, with the usual font. */
  clear() {
    const { context, ratio } = this;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = color('panel');
    context.fillRect(0, 0, this.width, this.height);
    context.font = FONT;
    context.textBaseline = 'alphabetic';
    return context;
  }

  /**
   * Where a pointer is, in CSS pixels.
   * @param {MouseEvent} event
   */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

/**
 * Shows words beside the pointer; none hides them.
 * @param {string} text
 * @param {number} x of the window
 * @param {number} y
 */
export function tip(text, x = 0, y = 0) {
  const box = $('tip');
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  const { width, height } = box.getBoundingClientRect();
  box.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 4))}px`;
  box.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 10) : y + 16}px`;
}

/** Says something to who cannot see the canvas. */
export function announce(/** @type {string} */ text) {
  $('announce').textContent = text;
}

/**
 * Tabs with the keys that one expects of them.
 * @param {HTMLElement} list
 * @param {{id: string, label: string}[]} tabs
 * @param {(id: string) => void} choose
 * @param {string} chosen
 */
export function tabs(list, tabs, choose, chosen) {
  list.replaceChildren();
  const buttons = tabs.map(({ id, label }) => make('button', { type: 'button', role: 'tab', textContent: label, tabIndex: -1, onclick: () => pick(id, false) }));
  const pick = (/** @type {string} */ id, /** @type {boolean} */ focus) => {
    tabs.forEach((each, k) => {
      const on = each.id === id;
      buttons[k].setAttribute('aria-selected', String(on));
      buttons[k].tabIndex = on ? 0 : -1;
      if (on && focus) buttons[k].focus();
    });
    choose(id);
  };
  list.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const now = buttons.findIndex((each) => each === document.activeElement);
    if (step && now >= 0) pick(tabs[(now + step + tabs.length) % tabs.length].id, true);
  };
  list.append(...buttons);
  if (tabs.length) pick(chosen, false);
}

/**
 * The words, or as many letters of them as there is room for.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} room
 */
export function clipped(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let end = text.length;
  while (end > 1 && context.measureText(`${text.slice(0, end)}…`).width > room) end--;
  return `${text.slice(0, end)}…`;
}
