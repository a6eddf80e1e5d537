/** Dates and timestamps in text and number, to the microsecond, years 0001 … 9999 of the proleptic Gregorian calendar. */
import type { ExactNumber } from './exact-number.ts';
import { scaledDigits, wholeDigits } from './exact-number.ts';

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?: ?([Zz]|UTC|[+-]\d{2}(?::?\d{2})?))?)?$/;

const DAY_MS = 86_400_000;
const FIRST_MS = yearStartMs(1);
const END_MS = yearStartMs(10_000);

export type Instant = { readonly ms: number; /** 0 … 999, on top of `ms`. */ readonly micros: number };

/** Milliseconds since the epoch of a day's start; undefined for text that names no day. */
export function dateMs(text: string): number | undefined {
  const match = DATE.exec(text);
  return match === null ? undefined : dayMs(Number(match[1]), Number(match[2]), Number(match[3]));
}

/**
 * ISO 8601 forms: a day, or a day and a time (`T` or a space; seconds and fraction optional) with `Z`, an offset or
 * nothing, which means UTC. Digits beyond microseconds are cut. Undefined for anything else.
 */
export function parseInstant(text: string): Instant | undefined {
  const match = INSTANT.exec(text);
  if (match === null) return undefined;
  const day = dayMs(Number(match[1]), Number(match[2]), Number(match[3]));
  const [hour, minute, second] = [Number(match[4] ?? 0), Number(match[5] ?? 0), Number(match[6] ?? 0)];
  if (day === undefined || hour > 23 || minute > 59 || second > 59) return undefined;
  const offset = offsetMinutes(match[8]);
  if (offset === undefined) return undefined;
  const fraction = (match[7] ?? '').padEnd(6, '0');
  const ms = day + ((hour * 60 + minute - offset) * 60 + second) * 1000 + Number(fraction.slice(0, 3));
  return inRange({ ms, micros: Number(fraction.slice(3, 6)) });
}

/**
 * Seconds since the epoch, milliseconds or microseconds, told apart by size: below 10^11 seconds (to the year 5138),
 * below 10^14 milliseconds, below 10^17 microseconds. Undefined beyond, and for negative numbers likewise.
 */
export function epochInstant(number: ExactNumber): Instant | undefined {
  const digits = wholeDigits(number);
  const unit = digits <= 11 ? 6 : digits <= 14 ? 3 : digits <= 17 ? 0 : undefined;
  if (unit === undefined) return undefined;
  const cut = cutAt(number, unit);
  const total = BigInt(scaledDigits(cut, unit) ?? '0') * (number.negative ? -1n : 1n);
  const micros = Number(((total % 1000n) + 1000n) % 1000n);
  return inRange({ ms: Number((total - BigInt(micros)) / 1000n), micros });
}

/** `2026-01-02T03:04:05.678901`, without zone. */
export function instantText(instant: Instant): string {
  return `${new Date(instant.ms).toISOString().slice(0, 23)}${String(instant.micros).padStart(3, '0')}`;
}

export function dateText(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function isMidnight(instant: Instant): boolean {
  return instant.micros === 0 && instant.ms % DAY_MS === 0;
}

/** Drops digits that are finer than a microsecond. */
function cutAt(number: ExactNumber, unit: number): ExactNumber {
  const excess = -(number.exponent + unit);
  if (excess <= 0) return number;
  const digits = number.digits.slice(0, Math.max(0, number.digits.length - excess));
  return { ...number, digits, exponent: -unit };
}

function dayMs(year: number, month: number, day: number): number | undefined {
  if (year < 1 || month < 1 || month > 12 || day < 1 || day > 31) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCDate() === day ? date.getTime() : undefined;
}

function offsetMinutes(zone: string | undefined): number | undefined {
  if (zone === undefined || /^(?:z|utc)$/i.test(zone)) return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  if (hours > 18 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function inRange(instant: Instant): Instant | undefined {
  return instant.ms >= FIRST_MS && instant.ms < END_MS ? instant : undefined;
}

function yearStartMs(year: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, 0, 1);
  return date.getTime();
}
