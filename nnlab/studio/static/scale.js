/** Numbers to places and words: axes, ticks, formats. Nothing here draws, so that node can test it. */

/**
 * A number in so many digits, as short as it can be said.
 * @param {number | null | undefined} value
 * @param {number} digits
 */
export function short(value, digits = 3) {
  if (value === null || value === undefined) return '–';
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return minus(value.toExponential(Math.max(0, digits - 2)).replace('e+', 'e').replace(/\.0+e/, 'e'));
  return minus(String(Number(value.toPrecision(digits))));
}

/** @param {string} text */
function minus(text) {
  return text.replace(/^-/, '−');
}

/**
 * A whole number with its thousands apart.
 * @param {number} value
 */
export function whole(value) {
  return Math.round(value).toString().replace(/\B(?=(\d{3})+$)/g, ' ');
}

/**
 * Round numbers from low to high, about so many.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function ticks(low, high, count = 4) {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= rough * 0.999) ?? 10);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(Number((k * step).toPrecision(12)));
  return found;
}

/**
 * Powers of ten between two numbers above 0; between few of them also 2 and 5.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function logTicks(low, high, count = 5) {
  const from = Math.floor(Math.log10(low) + 1e-9), to = Math.ceil(Math.log10(high) - 1e-9);
  const stride = Math.max(1, Math.ceil((to - from) / count));
  const found = [];
  for (let power = from; power <= to; power++) {
    if ((power - from) % stride === 0) found.push(10 ** power);
    if (to - from <= 2) found.push(2 * 10 ** power, 5 * 10 ** power);
  }
  return found.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)).sort((a, b) => a - b);
}

/**
 * Where a value stands between two ends, 0 to 1; on a logarithmic axis what is not above 0 is at its foot.
 * @param {number} value
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
 */
export function share(value, low, high, log = false) {
  if (log) return value <= low ? 0 : (Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low));
  return high > low ? (value - low) / (high - low) : 0.5;
}

/**
 * Of a long curve what a screen can show: for each pixel column the first, the least, the greatest and the last.
 * @param {ArrayLike<number>} xs ascending
 * @param {ArrayLike<number | null>} ys
 * @param {number} columns
 * @returns {[number, number][]}
 */
export function thinned(xs, ys, columns) {
  const known = [];
  for (let k = 0; k < xs.length; k++) {
    const y = ys[k];
    if (y !== null && y !== undefined && Number.isFinite(y)) known.push(/** @type {[number, number]} */ ([xs[k], y]));
  }
  if (known.length <= 4 * columns) return known;
  const first = known[0][0], span = known[known.length - 1][0] - first || 1;
  /** @type {[number, number][]} */
  const found = [];
  let at = 0;
  while (at < known.length) {
    const column = Math.floor(((known[at][0] - first) / span) * columns);
    let end = at, least = at, most = at;
    while (end < known.length && Math.floor(((known[end][0] - first) / span) * columns) === column) {
      if (known[end][1] < known[least][1]) least = end;
      if (known[end][1] > known[most][1]) most = end;
      end++;
    }
    for (const k of [...new Set([at, least, most, end - 1])].sort((a, b) => a - b)) found.push(known[k]);
    at = end;
  }
  return found;
}

/**
 * The place of the value nearest to x, among ascending ones; -1 among none.
 * @param {ArrayLike<number>} xs
 * @param {number} x
 */
export function nearest(xs, x) {
  if (!xs.length) return -1;
  let low = 0, high = xs.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (xs[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low > 0 && x - xs[low - 1] <= xs[low] - x ? low - 1 : low;
}

/**
 * Updates a second of the slider's place, 1 to 1,000 on a logarithmic way; 0, for as many as it goes, at its end.
 * @param {number} place 0 to 4
 */
export function speedOf(place) {
  return place >= 4 ? 0 : Math.max(1, Math.round(10 ** (place * 0.75)));
}
