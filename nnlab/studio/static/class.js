/** The teacher's page: the address of each seat, and what goes on there. */

import { ask } from './connection.js';
import { $, make } from './dom.js';
import { short, whole } from './scale.js';

/** @typedef {{number: number, token: string, name: string, tabs: number, running: boolean, playing: boolean, parked: boolean, step: number, idle: number, used: number, disk: number, score?: string | null, error?: string, replay?: boolean, reading?: {values: Record<string, number>}}} Seat */

const EVERY = 2000;

/** @param {Seat} seat */
function does({ running, playing, parked, tabs, idle, error, replay }) {
  if (error) return error;
  if (parked) return 'parked';
  if (replay) return 'looks at a run';
  if (playing) return 'trains';
  if (running) return 'holds';
  if (!tabs) return 'nobody there';
  return idle > 60 ? `quiet for ${Math.round(idle / 60)} min` : 'reads and writes';
}

/** @param {Seat} seat */
function row(seat) {
  const address = `${location.origin}/#token=${seat.token}`, values = seat.reading?.values ?? {};
  const cell = (/** @type {(Node | string)[]} */ ...children) => make('td', {}, ...children);
  const score = seat.score ? values[seat.score] : undefined;
  return make(
    'tr', {},
    make('th', { scope: 'row', textContent: String(seat.number) }),
    cell(make('a', { href: address, target: '_blank', rel: 'noopener', textContent: address })),
    cell(String(seat.tabs)), cell(seat.name), cell(does(seat)), cell(whole(seat.step)),
    cell(values.loss === undefined ? '–' : short(values.loss, 3)), cell(score === undefined ? '–' : short(score, 3)),
    cell(`${whole(seat.used / 1e6)} of ${whole(seat.disk / 1e6)} MB`),
    cell(make('button', { type: 'button', class: 'quiet', 'aria-label': `Remove the runs of seat ${seat.number}`, textContent: 'Remove its runs', onclick: () => { if (confirm(`Remove all runs and tables of seat ${seat.number}?`)) wish({ do: 'clear', number: seat.number }); } })),
  );
}

/** @param {Seat[] | null} seats */
function show(seats) {
  $('status').textContent = seats ? '' : 'This page may not ask the server: open the first address that nnlab studio has printed.';
  $('status').classList.toggle('bad', !seats);
  // Whoever is at a button or a link must not lose it.
  if (!seats || $('seats').contains(document.activeElement)) return;
  $('seats').replaceChildren(...seats.map(row));
  const count = (/** @type {(seat: Seat) => boolean} */ fits) => seats.filter(fits).length;
  $('total').textContent = `${count((seat) => seat.tabs > 0)} of ${seats.length} are there, ${count((seat) => seat.playing)} train`;
}

/** @param {Record<string, any>} what */
const wish = async (what) => show(await ask('/api/class', { body: JSON.stringify(what) }));

const open = /** @type {HTMLSelectElement} */ ($('open-config'));
open.onchange = async () => {
  const name = open.value;
  open.value = ' ';
  if (confirm(`Open ${name || 'what the class began with'} at every seat? Each may take its own text back with Undo.`)) await wish({ do: 'open', name });
};
/** @type {HTMLButtonElement} */ ($('pause')).onclick = () => wish({ do: 'pause' });
ask('/api/class/configs').then((/** @type {{name: string, about: string}[] | null} */ found) => {
  open.append(make('option', { value: '', textContent: 'what the class began with' }), ...(found ?? []).map(({ name, about }) => make('option', { value: name, textContent: name, title: about })));
});

async function look() {
  if (!document.hidden) show(await ask('/api/class'));
  setTimeout(look, EVERY);
}
look();
