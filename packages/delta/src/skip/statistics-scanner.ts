/**
 * Finds, in a file's statistics (protocol: "Per-file Statistics"), the few members that tests of one column need, without
 * making an object of the rest.
 *
 * Invariant: what it takes for plain is JSON, in which the members are where `JSON.parse` would find them; of all other
 * texts it says so, and the caller parses them.
 */
import { BRACE, BRACKET, NONE, QUOTE, skipSpace, skipValue, valueOfMember } from './json-bytes.ts';
import { StatisticsTemplate } from './statistics-template.ts';

const [COMMA, BRACE_END, ZERO, SMALL_N] = [0x2c, 0x7d, 0x30, 0x6e];
/** Digits of a whole number that a double holds exactly. */
const SHORT_DIGITS_MAX = 15;

const MEMBERS = ['numRecords', 'minValues', 'maxValues', 'nullCount'].map((name) => Buffer.from(name));
const [ROWS, MIN, MAX, NULLS] = [0, 1, 2, 3] as const;

/** Looks for the statistics of one column; what it found stays until the next text. */
export class StatisticsScanner {
  /** Undefined where absent. */
  rows: number | undefined;
  nullCount: number | undefined;
  readonly #names: readonly Uint8Array[];
  /** Whether texts without escapes can have the names at all. */
  readonly #isPlainName: boolean;
  /** By member, where its value for the column begins and ends; equal where there is none. */
  readonly #starts = new Uint32Array(MEMBERS.length);
  readonly #ends = new Uint32Array(MEMBERS.length);
  readonly #template = new StatisticsTemplate();
  /** By member, the number of its value in the template; undefined while there is no template. */
  #values: readonly number[] | undefined;

  /** @param names as statistics call the column, from the outermost struct to the column. */
  constructor(names: readonly string[]) {
    this.#names = names.map((name) => Buffer.from(name));
    // oxlint-disable-next-line no-control-regex -- the characters that JSON escapes
    this.#isPlainName = names.every((name) => !/["\\\u0000-\u001f]/.test(name) && name.isWellFormed());
  }

  /** Where the text of the least value begins, quotes included; `minEnd` where there is none. */
  get minStart(): number {
    return this.#starts[MIN] ?? 0;
  }

  get minEnd(): number {
    return this.#ends[MIN] ?? 0;
  }

  /** As `minStart`, of the greatest value. */
  get maxStart(): number {
    return this.#starts[MAX] ?? 0;
  }

  get maxEnd(): number {
    return this.#ends[MAX] ?? 0;
  }

  /**
   * Looks through the text that begins at `start`; the position behind it, and behind what space follows, or
   * {@link NONE} if it isn't plain: what was found counts for nothing then. The caller tells whether that is its end.
   */
  scan(bytes: Uint8Array, start: number): number {
    if (!this.#isPlainName) return NONE;
    let end = this.#matchTemplate(bytes, start);
    if (end === NONE) {
      this.#starts.fill(0);
      this.#ends.fill(0);
      const after = this.#root(bytes, start);
      if (after === NONE) return NONE;
      end = skipSpace(bytes, after);
      this.#template.learn(bytes, start, end);
      this.#values = [...this.#starts].map((at, member) =>
        at === this.#ends[member] ? NONE : this.#template.valueAt(at - start),
      );
    }
    this.rows = this.#count(bytes, ROWS);
    this.nullCount = this.#count(bytes, NULLS);
    // Neither a text nor a fraction counts anything; what the parser makes of it is its matter.
    return Number.isNaN(this.rows) || Number.isNaN(this.nullCount) ? NONE : end;
  }

  #matchTemplate(bytes: Uint8Array, start: number): number {
    const end = this.#values === undefined ? NONE : this.#template.match(bytes, start);
    if (end === NONE || this.#values === undefined) return NONE;
    for (let member = 0; member < MEMBERS.length; member += 1) {
      const value = this.#values[member] ?? NONE;
      this.#starts[member] = this.#template.starts[value] ?? 0;
      this.#ends[member] = this.#template.ends[value] ?? 0;
    }
    return end;
  }

  /** NaN for what is no whole number of few digits. */
  #count(bytes: Uint8Array, member: number): number | undefined {
    const [start = 0, end = 0] = [this.#starts[member], this.#ends[member]];
    if (end === start) return undefined;
    if (end - start > SHORT_DIGITS_MAX) return Number.NaN;
    let value = 0;
    for (let at = start; at < end; at += 1) {
      const digit = (bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) return Number.NaN;
      value = value * 10 + digit;
    }
    return value;
  }

  #root(bytes: Uint8Array, start: number): number {
    let at = skipSpace(bytes, start);
    if (bytes[at] !== BRACE) return NONE;
    at = skipSpace(bytes, at + 1);
    if (bytes[at] === BRACE_END) return at + 1;
    let found = 0;
    for (;;) {
      const key = at + 1;
      const value = valueOfMember(bytes, at);
      if (value === NONE) return NONE;
      const member = MEMBERS.findIndex((name) => isName(bytes, key, name));
      // Of members with one name the last counts; which that is, is left to the parser.
      if (member !== NONE && (found & (1 << member)) !== 0) return NONE;
      if (member !== NONE) found |= 1 << member;
      if (member > ROWS) at = this.#within(bytes, value, { member, level: 0 });
      else at = member === ROWS ? this.#leaf(bytes, value, member) : skipValue(bytes, value, 0);
      if (at === NONE) return NONE;
      at = skipSpace(bytes, at);
      if (bytes[at] === BRACE_END) return at + 1;
      if (bytes[at] !== COMMA) return NONE;
      at = skipSpace(bytes, at + 1);
    }
  }

  /** Finds the column's own value in what `minValues` and its like hold. */
  #within(bytes: Uint8Array, start: number, place: { member: number; level: number }): number {
    const { member, level } = place;
    const name = this.#names[level];
    if (name === undefined) return this.#leaf(bytes, start, member);
    // Within a list, a name may be a place.
    if (bytes[start] === BRACKET) return NONE;
    if (bytes[start] !== BRACE) return skipValue(bytes, start, level);
    let at = skipSpace(bytes, start + 1);
    if (bytes[at] === BRACE_END) return at + 1;
    let isFound = false;
    for (;;) {
      const key = at + 1;
      const value = valueOfMember(bytes, at);
      if (value === NONE) return NONE;
      if (!isName(bytes, key, name)) {
        at = skipValue(bytes, value, level);
      } else {
        if (isFound) return NONE;
        isFound = true;
        at = this.#within(bytes, value, { member, level: level + 1 });
      }
      if (at === NONE) return NONE;
      at = skipSpace(bytes, at);
      if (bytes[at] === BRACE_END) return at + 1;
      if (bytes[at] !== COMMA) return NONE;
      at = skipSpace(bytes, at + 1);
    }
  }

  /** An object, a list and null have no text of their own: as if the value were not there. */
  #leaf(bytes: Uint8Array, start: number, member: number): number {
    const end = skipValue(bytes, start, 0);
    const first = bytes[start];
    if (end === NONE || first === BRACE || first === BRACKET || first === SMALL_N) return end;
    // Words are a part of the template, which has no numbers for them.
    if (first !== QUOTE && first !== 0x2d && (first ?? 0) > 0x39) return NONE;
    this.#starts[member] = start;
    this.#ends[member] = end;
    return end;
  }
}

/** Whether a key is so called. */
function isName(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  if (bytes[start + name.length] !== QUOTE) return false;
  for (let at = 0; at < name.length; at += 1) if (bytes[start + at] !== name[at]) return false;
  return true;
}
