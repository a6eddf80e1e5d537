/** Values of table properties as text: whole numbers, intervals, sizes, lists of column paths. */

const DAY_MS = 24 * 60 * 60 * 1000;

const UNIT_MS: Readonly<Record<string, number>> = {
  microsecond: 0.001,
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
  week: 7 * DAY_MS,
};

/**
 * Milliseconds of a text such as `interval 1 week` or `interval 2 days 3 hours`, rounded down; undefined for anything
 * else, months and years among it, since their length varies.
 */
export function intervalMs(text: string): number | undefined {
  const words = text.trim().toLowerCase().split(/\s+/);
  if (words[0] === 'interval') words.shift();
  if (words.length === 0 || words.length % 2 !== 0) return undefined;
  let total = 0;
  for (let at = 0; at < words.length; at += 2) {
    const unit = (words[at + 1] ?? '').replace(/s$/, '');
    const unitMs = Object.hasOwn(UNIT_MS, unit) ? UNIT_MS[unit] : undefined;
    const count = wholeNumber(words[at], 0);
    if (unitMs === undefined || count === undefined) return undefined;
    total += count * unitMs;
  }
  return Math.floor(total);
}

/** A whole number from `minimum`, of at most 9 digits; undefined for anything else. */
export function wholeNumber(text: string | undefined, minimum: number): number | undefined {
  if (text === undefined || !/^-?\d{1,9}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= minimum ? value : undefined;
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** Bytes of a text such as `104857600`, `100mb` or `1 g`; undefined for anything else and for 0. */
export function sizeBytes(text: string): number | undefined {
  const match = /^(\d{1,15})\s*([bkmgt]?)(?:i?b)?$/.exec(text.trim().toLowerCase());
  if (match === null) return undefined;
  const bytes = Number(match[1]) * (UNIT_BYTES[match[2] ?? ''] ?? Number.NaN);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/**
 * Column paths of a list such as ``id, address.city, `a.b`.c``: letters, digits and underscores, anything else between
 * backticks (doubled for one of their own). Undefined for a text that is no such list.
 */
export function columnPaths(text: string): string[][] | undefined {
  const paths: string[][] = [];
  const part = /\s*(?:`((?:[^`]|``)+)`|([\p{L}\p{N}_]+))\s*([.,]|$)/uy;
  let path: string[] = [];
  let end = '';
  while (part.lastIndex < text.length || end !== '') {
    const match = part.exec(text);
    if (match === null) return undefined;
    path.push(match[1]?.replaceAll('``', '`') ?? match[2] ?? '');
    end = match[3] ?? '';
    if (end !== '.') {
      paths.push(path);
      path = [];
    }
    if (end === '') break;
  }
  return paths.length === 0 ? undefined : paths;
}
