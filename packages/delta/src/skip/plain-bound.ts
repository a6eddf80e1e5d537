/** Bounds in the forms that nearly all writers use, read from their bytes; for all others there is `bounds.ts`. */
import type { DataType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';

const [QUOTE, MINUS, POINT, ZERO] = [0x22, 0x2d, 0x2e, 0x30];
const [SPACE, COLON, LETTER_T, LETTER_Z] = [0x20, 0x3a, 0x54, 0x5a];
/** Digits that a double holds exactly. */
const EXACT_DIGITS_MAX = 15;
/** Of a moment, so that what is added to a maximum keeps it exact. */
const MICROS_MAX = Number.MAX_SAFE_INTEGER - 1_000_000;

/** How the bounds of a column's type are written; undefined for types whose bounds are not read so. */
export type PlainForm = 'whole' | 'decimal' | 'floating' | 'day' | 'moment' | undefined;

export function plainForm(type: DataType): PlainForm {
  const decimal = decimalOf(type);
  // Decimals that may have gone through a double have bounds of their own.
  if (decimal !== undefined) return decimal.precision <= EXACT_DIGITS_MAX ? 'decimal' : undefined;
  switch (type) {
    case 'long':
    case 'integer':
    case 'short':
    case 'byte':
      return 'whole';
    case 'double':
    case 'float':
      return 'floating';
    case 'date':
      return 'day';
    case 'timestamp':
    case 'timestamp_ntz':
      return 'moment';
    default:
      return undefined;
  }
}

/**
 * The number that a JSON value is: of a decimal times 10^`scale`, of a date days since 1970, of a timestamp microseconds
 * since 1970. NaN for what is not in the plain form, or what a double can't hold.
 */
export function plainNumber(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  { form, scale }: { form: PlainForm; scale: number },
): number {
  switch (form) {
    case 'whole':
      return decimalAt(bytes, start, { end, scale: 0 });
    case 'decimal':
      return decimalAt(bytes, start, { end, scale });
    case 'floating':
      return bytes[start] === QUOTE ? Number.NaN : Number(asciiText(bytes, start, end));
    case 'day':
      return end - start === 12 && isQuoted(bytes, start, end) ? dayAt(bytes, start + 1) : Number.NaN;
    case 'moment':
      return isQuoted(bytes, start, end) ? momentAt(bytes, start + 1, end - 1) : Number.NaN;
    default:
      return Number.NaN;
  }
}

function isQuoted(bytes: Uint8Array, start: number, end: number): boolean {
  return bytes[start] === QUOTE && bytes[end - 1] === QUOTE;
}

function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let at = start; at < end; at += 1) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

function decimalAt(bytes: Uint8Array, start: number, { end, scale }: { end: number; scale: number }): number {
  const isNegative = bytes[start] === MINUS;
  const first = isNegative ? start + 1 : start;
  let value = 0;
  let point = end;
  for (let at = first; at < end; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === POINT && scale > 0 && point === end) {
      point = at;
      continue;
    }
    const digit = byte - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  const fraction = point === end ? 0 : end - point - 1;
  if (fraction > scale) return Number.NaN;
  // Digits beyond what a double holds make it greater still.
  const scaled = value * 10 ** (scale - fraction);
  if (scaled > Number.MAX_SAFE_INTEGER) return Number.NaN;
  return isNegative ? 0 - scaled : scaled;
}

/** `YYYY-MM-DD`. */
function dayAt(bytes: Uint8Array, at: number): number {
  if (bytes[at + 4] !== MINUS || bytes[at + 7] !== MINUS) return Number.NaN;
  const year = digitsAt(bytes, at, 4);
  const month = digitsAt(bytes, at + 5, 2);
  const day = digitsAt(bytes, at + 8, 2);
  // Also false for what is no number. The last days of months are left to the calendar.
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= 28)) {
    return lastDaysOfMonth(year, month, day);
  }
  return daysSince1970(year, month, day);
}

const DAYS_OF_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function lastDaysOfMonth(year: number, month: number, day: number): number {
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = month === 2 && isLeap ? 29 : (DAYS_OF_MONTH[month - 1] ?? 0);
  return year >= 1 && day >= 1 && day <= days ? daysSince1970(year, month, day) : Number.NaN;
}

/** In the Gregorian calendar, also before it was introduced. The year begins with March, so that leap days come last. */
function daysSince1970(year: number, month: number, day: number): number {
  const years = month <= 2 ? year - 1 : year;
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  const daysBeforeMonth = Math.floor((153 * ((month + 9) % 12) + 2) / 5);
  return 365 * years + leapDays + daysBeforeMonth + day - 719_469;
}

/** `YYYY-MM-DDThh:mm:ss`, then perhaps a fraction, then perhaps `Z`. */
function momentAt(bytes: Uint8Array, start: number, end: number): number {
  if (end - start < 19 || (bytes[start + 10] !== LETTER_T && bytes[start + 10] !== SPACE)) return Number.NaN;
  if (bytes[start + 13] !== COLON || bytes[start + 16] !== COLON) return Number.NaN;
  const hour = digitsAt(bytes, start + 11, 2);
  const minute = digitsAt(bytes, start + 14, 2);
  const second = digitsAt(bytes, start + 17, 2);
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return Number.NaN;
  let at = start + 19;
  let micros = 0;
  if (bytes[at] === POINT) {
    const until = bytes[end - 1] === LETTER_Z ? end - 1 : end;
    const digits = until - at - 1;
    if (digits < 1 || digits > 6) return Number.NaN;
    micros = digitsAt(bytes, at + 1, digits) * 10 ** (6 - digits);
    at = until;
  }
  if (bytes[at] === LETTER_Z) at += 1;
  if (at !== end) return Number.NaN;
  const seconds = dayAt(bytes, start) * 86_400 + hour * 3600 + minute * 60 + second;
  const value = seconds * 1_000_000 + micros;
  return Math.abs(value) <= MICROS_MAX ? value : Number.NaN;
}

/** NaN if one is no digit. */
function digitsAt(bytes: Uint8Array, start: number, count: number): number {
  let value = 0;
  for (let at = start; at < start + count; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
