/** The page: what the server says goes to the panels, what a person does goes to the server. */

/** @import { Checked, Frame, Reading, Scene, State } from './types.js' */

import { Chart } from './chart.js';
import { ask } from './connection.js';
import { $, announce, make, once, tabs } from './dom.js';
import { define, legend } from './defined.js';
import { examined, healthy, tell } from './doctor.js';
import { Editor } from './editor.js';
import { Fork, editWeight } from './fork.js';
import { Waiting, decode } from './frame.js';
import { Gradients } from './gradients.js';
import { saving } from './keep.js';
import { Lesson } from './lesson.js';
import { Network } from './network.js';
import { Numbers } from './numbers.js';
import { connection } from './opened.js';
import { PICTURES } from './pictures.js';
import { columns, dataWords } from './plan.js';
import { Behind, PastRuns, readingsTable } from './runs.js';
import { short, speedOf, whole } from './scale.js';
import { sharing } from './share.js';
import { ownTable } from './table.js';

const canvas = (/** @type {string} */ id) => /** @type {HTMLCanvasElement} */ ($(id));
const button = (/** @type {string} */ id) => /** @type {HTMLButtonElement} */ ($(id));

/** @type {State & {revision: number, score: string | null, perEpoch: number, variant: string | null, begun: boolean, replay: number[] | null}} */
const state = { replay: null, running: false, playing: false, rate: 0, step: 0, revision: 0, score: null, perEpoch: 1, variant: null, begun: false };

const network = new Network(canvas('net'), canvas('flow'), { define, onLayout: () => gradients?.draw(), edit });
/** What the browser tests ask. */
const counts = { painted: 0, got: 0, network, state };
Object.assign(window, { studio: counts });
/** @type {Gradients} */
const gradients = new Gradients(canvas('gradients'), network);
const losses = new Chart(canvas('losses'), { name: 'Loss', log: true });
const scores = new Chart(canvas('scores'), { name: 'Score', log: false });
Object.assign(counts, { losses, scores, gradients, shown: () => shown });
// What not every visit needs is fetched when somebody wants it.
const example = once(async () => new (await import('./example.js')).WorkedExample($('example'), $('example-buttons'), { send, define }));
const build = once(async () => new (await import('./build.js')).Build($('pane-build'), { text: () => editor.text, edit: (text) => editor.set(text, { keep: true, tell: true }), say }));
const points = once(async () => new (await import('./points.js')).Points($('points'), { write: (change) => write([change]), say, beside: [$('picture'), $('picture-about'), button('draw')] }));
/** @type {{title: string, picture: import('./pictures.js').Picture} | null} */
let shown = null, wanted = '';
/** @type {Scene | null} */
let scene = null;
/** @type {Checked | null} */
let checked = null;
/** The variant that the run at hand was begun as. @type {string | null} */
let begunAs = null;

const editor = new Editor(
  { area: /** @type {HTMLTextAreaElement} */ ($('yaml')), gutter: $('gutter'), highlight: $('highlight'), mistakes: $('mistakes'), says: $('says'), undo: button('undo') },
  { changed: (text) => { send({ do: 'text', text, revision: state.revision }); if (state.running && !state.replay) say('The run at hand goes on with the text as it was: Restart trains this one.'); }, checked: onChecked },
);

const lesson = new Lesson($('lesson'), $('pane-lesson'), (variant) => {
  // Another variant of this lesson stays behind; what was trained before it has no place there.
  if (rows.length && begunAs && checked?.variants?.includes(begunAs)) behind.pin(begunAs);
  else behind.forget();
  state.variant = variant;
  if (checked?.variants?.length) variants(checked.variants);
  send({ ...beginning(), playing: true });
}, controls);
Object.assign(counts, { lesson });
ownTable($('data-pane'), /** @type {HTMLInputElement} */ ($('own-table')), (change) => write([change]), say);
button('draw').onclick = async () => (await points()).show(true);
const fork = new Fork($('pane-fork'), (wish) => goOn(wish));

/**
 * @param {import('./network.js').Place} place
 * @param {number | null} input
 * @returns {boolean} whether there are single numbers to write
 */
function edit({ column, unit }, input) {
  const seen = { columns: network.columns, frame: network.frame, name: (/** @type {number} */ column, /** @type {number} */ unit) => network.unitName({ column, unit }) };
  return editWeight(seen, column, unit, input, (edit) => goOn({ do: 'fork', step: 'last', edits: [edit], playing: state.playing }));
}

/** @param {import('./fork.js').Wish} wish */
function goOn(wish) {
  // Of a record the moment that is shown is now.
  send({ ...beginning(), ...wish, ...(state.replay && wish.step === 'last' ? { step: state.step } : {}) });
}

/** The numbers of the top bar. */
const NUMBERS = /** @type {const} */ ([
  ['epoch', 'epoch', () => 'epoch'],
  ['update', 'update', () => 'step'],
  ['loss', 'loss', () => (scene ? `loss:${scene.loss}` : 'loss')],
  ['score', 'score', () => (scene?.score ? `score:${scene.score}` : 'loss')],
  ['rate', 'lr', () => 'learning_rate'],
  ['speed', 'updates/s', () => 'updates_per_second'],
]);
const numbers = new Numbers($('numbers'), NUMBERS, define, () => state.playing);
const { says } = numbers;

const send = (/** @type {Record<string, any>} */ message) => connection.send(message);

/**
 * @param {string} text
 * @param {boolean} bad
 */
function say(text, bad = false) {
  $('status').textContent = text;
  $('status').classList.toggle('bad', bad);
}

/** What happens, by its kind. */
/** @type {Record<string, (event: any) => void>} */
const HEAR = {
  welcome(event) {
    state.revision = event.revision;
    Object.assign(state, event.state);
    first = event.first;
    named(event.name);
    say('');
    begin(false);
    // What it would train is told behind this, without being asked.
    editor.set(event.text, { ask: false });
    watch();
  },
  checked: (event) => editor.told(event.text, event.found),
  text(event) {
    state.revision = event.revision;
    if (event.name !== name) opened(event.name);
    if (!event.own) editor.set(event.text, { keep: true });
  },
  conflict(event) {
    state.revision = event.revision;
    const mine = editor.text;
    editor.set(event.text);
    editor.remember(mine);
    say('The text was changed in another tab meanwhile: that is what you see. Undo brings yours back.', true);
  },
  begin(event) {
    state.replay = event.replay ? [] : null;
    begunAs = beginning().variant;
    planned();
    begin(true);
    if (!event.replay) lesson.begin();
    say(event.replay ? '' : event.warm ? 'Starting …' : 'Starting a training process: the first time this takes some seconds …');
  },
  /** What it goes on from stays in the axes. */
  forked(event) {
    fork.clear();
    for (const { split, epoch, values } of event.readings) {
      losses.add(split, epoch, values.loss, losses.parent);
      const [score] = Object.keys(values).filter((key) => key !== 'loss');
      if (score) scores.add(split, epoch, values[score], scores.parent);
    }
    const text = `update ${whole(event.step)} of ${event.run}`;
    for (const chart of [losses, scores]) chart.mark(event.epoch, text);
    $('parent-key').textContent = `before: ${event.run}`;
    $('parent-key').hidden = false;
    draw();
  },
  scene(event) {
    scene = event;
    if (event.replay) {
      state.replay = event.replay;
      Object.assign($('moment'), { max: event.replay.length - 1, value: event.replay.length - 1 });
    }
    state.score = event.score;
    scores.name = event.score ?? 'Score';
    $('number-score-name').textContent = event.score ?? 'score';
    network.show(event.columns, event);
    pictures(event);
    gradients.draw();
    draw();
  },
  start(event) {
    state.perEpoch = event.per_epoch;
    behind.begin();
    say(`${event.folder} · ${event.device} · ${whole(event.parameters)} parameters`);
  },
  state(event) {
    Object.assign(state, event);
    controls();
  },
  reading,
  finding,
  note: (event) => say(event.text),
  refused: (event) => say(`${event.do}: ${event.why}`, true),
  error: (event) => say(event.lines.join(' · '), true),
  proof: (event) => example.made?.proved(event),
  summary(event) {
    say(`${event.status}${event.why ? `: ${event.why}` : ''}, ${whole(event.steps)} updates in ${short(event.seconds)} s · ${event.run}`);
    announce(`Training is over: ${event.status}.`);
  },
  judged: (event) => lesson.judged(event.verdicts),
  parked: () => say('This run was parked while nobody was here: Go on, Update and Epoch go on from where it stood.'),
  over() {
    lesson.over();
    behind.over();
    state.replay = null;
    examined();
    Object.assign(state, { running: false, playing: false });
    controls();
  },
  died(event) {
    Object.assign(state, { running: false, playing: false });
    controls();
    say(`The training process has ended unexpectedly (${event.code < 0 ? `signal ${-event.code}` : `code ${event.code}`}). What it saved is in its run folder; Train begins anew.`, true);
  },
};

/** @param {any} event */
function hear(event) {
  HEAR[event.kind]?.(event);
}

/**
 * A run begins, or the page does: what was shown is of another one.
 * @param {boolean} running
 */
function begin(running) {
  state.begun = running;
  for (const chart of [losses, scores]) chart.clear();
  rows.length = 0;
  healthy();
  $('parent-key').hidden = true;
  network.clear();
  gradients.clear();
  example.made?.clear();
  waiting.drop();
  numbers.clear();
  if (running) Object.assign(state, { running: true });
  controls();
  draw();
}

/** The experiment that the text belongs to, and the one that the page began with. @type {string | undefined} */
let name;
/** @type {string | undefined} */
let first;

/**
 * Says which experiment the text belongs to: its runs get this name.
 * @param {string} now
 */
function named(now) {
  name = now;
  document.title = `${now} – nnlab studio`;
  const select = /** @type {HTMLSelectElement} */ ($('open-config'));
  const values = [...select.options].map((option) => option.value);
  select.options[0].hidden = values.includes(first ?? '');
  select.options[0].textContent = first ?? now;
  // A bundled config in a folder has the folder in its value alone: lessons/bias.
  select.value = values.find((value) => value === now) ?? (now === first ? '' : values.find((value) => value.endsWith(`/${now}`)) ?? '');
}

/**
 * Another experiment was opened: what is shown is of the one before, unless that still trains.
 * @param {string} now
 */
function opened(now) {
  named(now);
  state.variant = null;
  if (state.running) say(`The run at hand goes on; Restart trains ${now}.`);
  else {
    say('');
    begin(false);
  }
}

/** @type {Reading[]} */
const rows = [];

/** @param {Reading} event */
function reading(event) {
  const { split, epoch, values } = event;
  losses.add(split, epoch, values.loss);
  if (state.score) scores.add(split, epoch, values[state.score]);
  rows.push(event);
  // The table shows the newest; the curves have points of their own.
  if (rows.length > 2000) rows.splice(0, 1000);
  if (split === 'train') says.loss = short(values.loss, 4);
  if (state.score && values[state.score] !== undefined && (split === 'validation' || says.score === '–')) says.score = short(values[state.score], 4);
  draw();
}

/** @param {import('./doctor.js').Finding} event */
function finding(event) {
  tell(event, apply, (changes) => goOn({ do: 'fork', step: 'last', changes, playing: true }));
  if (event.level !== 'note') losses.mark(event.since / state.perEpoch, event.title);
  draw();
}

/**
 * Writes what the doctor proposes into the text, keeps this run's curves behind, and begins anew.
 * @param {string[]} changes as --set takes them
 */
async function apply(changes) {
  if (!(await write(changes))) return;
  behind.pin();
  send({ ...beginning(), playing: true });
}

/**
 * Writes changes into the text, and says why where that fails.
 * @param {string[]} changes as --set takes them
 */
async function write(changes) {
  const found = await ask('/api/edit', { body: JSON.stringify({ text: editor.text, do: 'apply', changes }) });
  if (found?.text) await editor.set(found.text, { keep: true, tell: true });
  else say(found?.why ?? 'That could not be written into the text.', true);
  return Boolean(found?.text);
}

/** The run whose curves these are, by its name: spirals/2. */
const atHand = () => scene?.run?.split('/').slice(-2).join('/') ?? '';

const behind = new Behind([losses, scores], draw, () => ({ name: atHand(), rows, score: state.score, step: network.frame?.step ?? state.step }));
button('pin').onclick = () => (behind.shown ? behind.forget() : behind.pin());

const waiting = new Waiting(() => send({ do: 'painted' }));
let asked = 0, stale = true;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let later;

/** @param {ArrayBuffer} buffer */
function show(buffer) {
  counts.got++;
  waiting.put(buffer);
  draw(false);
}

/**
 * Draws what has changed, once for each frame of the screen.
 * @param {boolean} curves whether they have: of many frames few bring a reading
 */
function draw(curves = true) {
  stale ||= curves;
  if (asked) return;
  // While it plays the next frame is near, and what a reading brings is put on the screen with it.
  if (curves && state.playing) later ??= setTimeout(() => draw(false), 80);
  else asked = requestAnimationFrame(drawn);
}

function drawn() {
  clearTimeout(later);
  asked = 0;
  later = undefined;
  const frame = waiting.take();
  if (frame) paint(decode(frame));
  numbers.show();
  if (stale) {
    for (const chart of [losses, scores]) chart.draw();
    behind.tell();
  }
  stale = false;
}

/** @param {Frame} frame */
function paint(frame) {
  says.update = whole(frame.step);
  says.epoch = short(frame.epoch, frame.epoch < 10 ? 2 : 4);
  says.rate = short(frame.learning_rate, 3);
  says.speed = frame.updates_per_second === null ? '–' : whole(frame.updates_per_second);
  network.update(frame);
  gradients.update(frame);
  shown?.picture.update(frame);
  if (frame.example || example.made) example().then((worked) => worked.update(frame.example));
  counts.painted++;
}

/** @param {Scene} event */
function pictures(event) {
  const usable = event.pictures.filter(({ title }) => title in PICTURES);
  const chosen = usable.find(({ title }) => title === shown?.title) ?? usable[0];
  shown = null;
  $('picture').replaceChildren();
  $('picture-about').textContent = chosen ? '' : 'Of these data there is no picture: see curves, network and gradients.';
  tabs($('picture-tabs'), usable.map(({ title }) => ({ id: title, label: PICTURES[title].tab })), pick, chosen?.title ?? '');

  /** @param {string} title */
  async function pick(title) {
    wanted = title;
    const about = usable.find((each) => each.title === title), Kind = about && (await PICTURES[title].load());
    // Another one may have been asked for meanwhile, or another run begun.
    if (!Kind || wanted !== title || scene !== event) return;
    const picture = new Kind({ still: about.still, choose: (split, which) => send({ do: 'example', split, number: which }) });
    shown = { title, picture };
    $('picture').replaceChildren(picture.element);
    $('picture-about').textContent = about.about.replaceAll('*', '');
    watch();
  }
}

/** Tells the server what is looked at; a hidden tab asks for no frames. */
function watch() {
  send({ do: 'watch', pictures: shown ? [shown.title] : [], open: !document.hidden });
}
document.addEventListener('visibilitychange', watch);

/** @param {Checked} found */
function onChecked(found) {
  checked = found;
  build.made?.update(found);
  fork.update(found);
  lesson.update(found);
  $('data-says').textContent = dataWords(found);
  controls();
  $('variants').hidden = !(found.variants?.length);
  if (found.variants?.length) variants(found.variants);
  if (found.ok && !state.begun) {
    scene = null;
    planned();
  }
}

/** Draws the network of the text, where another one is shown. */
function planned() {
  if (!checked?.ok) return;
  const wanted = columns(checked), plan = (/** @type {import('./types.js').Column[]} */ all) => all.map(({ name, units }) => `${name} ${units}`).join();
  if (scene && plan(wanted) === plan(network.columns)) return;
  $('picture').replaceChildren();
  network.show(wanted, /** @type {any} */ ({ names: checked.names, classes: checked.classes, inputs: checked.inputs, task: checked.task, pictures: [] }));
}

/** @param {string[]} names */
function variants(names) {
  if (!state.variant || !names.includes(state.variant)) state.variant = names[0];
  const select = make('select', { id: 'variant', onchange: () => { state.variant = select.value; } }, ...names.map((name) => make('option', { value: name, textContent: name })));
  select.value = state.variant;
  $('variants').replaceChildren(make('label', { for: 'variant', textContent: `This compares ${names.length} variants; train ` }), select);
}

function controls() {
  const { running, playing } = state, usable = running || checked?.ok !== false;
  network.playing = playing;
  numbers.show();
  const play = button('play');
  /** @type {Element} */ (play.lastElementChild).textContent = playing ? 'Pause' : state.replay ? 'Replay' : running ? 'Go on' : 'Train';
  play.querySelector('path')?.setAttribute('d', playing ? 'M3.500 2.500h3v11h-3zM9.500 2.500h3v11h-3z' : 'M4 2.500v11l9-5.500z');
  // A lesson waits for the prediction; what runs already is still led.
  for (const id of ['play', 'step', 'epoch', 'restart', 'seed']) button(id).disabled = !usable || (lesson.waits && (!running || id === 'restart' || id === 'seed'));
  button('fork').disabled = !state.begun;
  if (state.replay) button('epoch').disabled = true;
  $('moments').hidden = !state.replay;
  $('moment-says').textContent = `update ${whole(state.step)}`;
  /** @type {HTMLInputElement} */ ($('moment')).value = String(state.replay?.indexOf(state.step) ?? 0);
  /** @type {Element} */ (button('step').lastElementChild).textContent = state.replay ? 'Next' : 'Update';
}

const beginning = () => ({ do: 'begin', variant: state.variant && checked?.variants?.includes(state.variant) ? state.variant : null });

/** What the controls do, and under which key. */
const ACTS = {
  play: () => send(state.playing ? { do: 'pause' } : state.running ? { do: 'play' } : { ...beginning(), playing: true }),
  step: () => (state.running ? send({ do: 'step', count: 1 }) : send({ ...beginning(), playing: false })),
  epoch: () => (state.running ? send({ do: 'epoch' }) : (send({ ...beginning(), playing: false }), send({ do: 'epoch' }))),
  restart: () => send({ ...beginning(), playing: state.playing }),
  seed: async () => {
    const found = await ask('/api/edit', { body: JSON.stringify({ text: editor.text, do: 'seed', value: (checked?.seed ?? 0) + 1 }) });
    if (!found?.text) return;
    await editor.set(found.text, { keep: true, tell: true });
    send({ ...beginning(), playing: state.playing });
  },
};
for (const [id, act] of Object.entries(ACTS)) button(id).onclick = act;
const KEYS = /** @type {Record<string, keyof typeof ACTS>} */ ({ ' ': 'play', s: 'step', e: 'epoch', r: 'restart' });
addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches('textarea, input, select, dialog *')) return;
  if (event.key === ' ' && target.matches('button, summary, a')) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  if (!button(act).disabled) ACTS[act]();
});

const speed = /** @type {HTMLInputElement} */ ($('speed'));
speed.oninput = () => {
  const rate = speedOf(Number(speed.value));
  $('speed-says').textContent = rate ? `${rate}/s` : 'full';
  send({ do: 'rate', rate });
};

saving(button('save'), button('page'), () => editor.text, () => checked?.name ?? 'config', say);
sharing(button('share'), () => editor.text, (text) => editor.set(text, { keep: true, tell: true }), say);

/** @type {HTMLInputElement} */ ($('moment')).oninput = ({ target }) => send({ do: 'seek', step: state.replay?.[Number(/** @type {HTMLInputElement} */ (target).value)] });

const open = /** @type {HTMLSelectElement} */ ($('open-config'));
ask('/api/configs').then((/** @type {{name: string, about: string}[] | null} */ found) => {
  for (const { name, about } of found ?? []) open.append(make('option', { value: name, textContent: name, title: about }));
  if (name) named(name);
});
open.onchange = () => send({ do: 'open', ...(open.value.startsWith('run:') ? { run: open.value.slice(4) } : { name: open.value }), revision: state.revision });
new PastRuns(open, /** @type {HTMLSelectElement} */ ($('behind')), atHand, (found) => {
  behind.forget();
  for (const { split, epoch, values } of found.readings) {
    losses.add(split, epoch, values.loss, losses.pinned);
    if (state.score) scores.add(split, epoch, values[state.score], scores.pinned);
  }
  behind.show(found.name, found.name, found);
});

/** The table behind the curves, made when it is opened. */
const details = /** @type {HTMLDetailsElement} */ ($('readings').closest('details'));
details.addEventListener('toggle', () => {
  if (!details.open) return;
  $('readings').replaceChildren(...readingsTable(rows, state.score, define));
});

legend('network-legend', [['plus', 'weight above 0', 'weight'], ['minus', 'below 0', 'weight'], ['flow', 'gradient, flowing back', 'delta']]);
legend('gradients-legend', [['flow', 'gradient norm of the weights', 'grad_norm/total'], ['', 'each unit', 'delta']]);
tabs($('experiment-tabs'), [{ id: 'build', label: 'Build' }, { id: 'yaml', label: 'YAML' }], (id) => {
  $('pane-build').hidden = id !== 'build';
  $('pane-yaml').hidden = id !== 'yaml';
  if (id === 'yaml') editor.paint();
  else build().then((forms) => forms.load(checked));
}, 'yaml');
controls();
// At the end: what came before this page was whole is told at once.
connection.listen(hear, show, (words) => say(words, true));
