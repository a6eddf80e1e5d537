/**
 * What the log knows of one column in each file of a block, as arrays: seventeen bytes for a file, or nine and the bounds
 * themselves for one of texts.
 */
import { assert } from '../errors.ts';
import { type FileBlock, ROW_SEPARATOR } from '../log/file-block.ts';
import { decimalOf } from '../schema/types.ts';
import { maximumOf, MILLISECOND_SLACK_MICROS, minimumOf } from './bounds.ts';
import type { Comparable } from './comparable.ts';
import { type ColumnFacts, factsOf, partitionFacts, type TableColumn } from './file-facts.ts';
import { NONE } from './json-bytes.ts';
import { numberRange } from './number-range.ts';
import { type PlainForm, plainForm, plainNumber } from './plain-bound.ts';
import { StatisticsScanner } from './statistics-scanner.ts';

export const MAY_BE_NULL = 1;
export const MAY_BE_VALUE = 2;
export const HAS_MIN = 4;
export const HAS_MAX = 8;
/** A bound lies between the number that is kept and the next: what it does not rule out is for the exact test. */
export const IS_ROUNDED = 16;

/** Facts of each file of a block, by its place. */
export interface ColumnBounds {
  /** Which of the constants above hold. */
  readonly flags: Uint8Array;
  /** Bounds of numbers, moments and the like; never above the least value, never below the greatest. */
  readonly min: Float64Array;
  readonly max: Float64Array;
  /** Bounds of texts, UTF-8: of each file the least, then the greatest. */
  readonly text: Uint8Array;
  /** Where each bound in `text` begins, and where the last ends. */
  readonly textStarts: Uint32Array;
}

const NO_NUMBERS = new Float64Array(0);
const NO_OFFSETS = new Uint32Array(0);
const NO_TEXT = new Uint8Array(0);
const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const SEPARATOR = ROW_SEPARATOR.charCodeAt(0);
const NOTHING_KNOWN: ColumnFacts = { mayBeNull: true, mayBeValue: true };
/** Of both bounds of a file; more are made room for. */
const TEXT_BYTES_GUESS = 32;

export function columnBounds(block: FileBlock, column: TableColumn): ColumnBounds {
  const builder = new BoundsBuilder(block.count, column);
  if (column.isPartition) {
    let lastValues: object | undefined;
    let facts: ColumnFacts | undefined;
    for (const values of block.partitionValues()) {
      if (facts === undefined || values !== lastValues) {
        facts = partitionFacts(values, column.physicalNames[0] ?? '', column.type);
      }
      lastValues = values;
      builder.add(facts);
    }
    return builder.finish();
  }
  const statistics = block.statistics();
  const scanner = new StatisticsScanner(column.physicalNames);
  for (let at = 0; at < block.count; at += 1) {
    if (!builder.addPlain(scanner, statistics)) builder.add(factsOf(block.file(at).stats, column));
  }
  return builder.finish();
}

/** The digits behind the point that a column's numbers are kept with, as whole numbers. */
export function scaleOf({ type }: Pick<TableColumn, 'type'>): number {
  return decimalOf(type)?.scale ?? 0;
}

class BoundsBuilder {
  readonly #column: TableColumn;
  readonly #scale: number;
  readonly #form: PlainForm;
  readonly #flags: Uint8Array;
  readonly #min: Float64Array;
  readonly #max: Float64Array;
  readonly #textStarts: Uint32Array;
  #text: Uint8Array;
  /** Where the statistics of the next file begin. */
  #position = 0;
  #textLength = 0;
  /** Texts that were taken. */
  #bounds = 0;
  #count = 0;

  constructor(count: number, column: TableColumn) {
    const isText = column.type === 'string';
    this.#column = column;
    this.#scale = scaleOf(column);
    this.#form = plainForm(column.type);
    this.#flags = new Uint8Array(count);
    this.#min = isText ? NO_NUMBERS : new Float64Array(count);
    this.#max = isText ? NO_NUMBERS : new Float64Array(count);
    this.#textStarts = isText ? new Uint32Array(2 * count + 1) : NO_OFFSETS;
    this.#text = isText ? new Uint8Array(count * TEXT_BYTES_GUESS) : NO_TEXT;
  }

  /** Takes the facts of the next file from plain statistics, or none; false, and nothing taken, if they aren't. */
  addPlain(scanner: StatisticsScanner, bytes: Uint8Array): boolean {
    const start = this.#position;
    if (start >= bytes.length || bytes[start] === SEPARATOR) {
      this.#position = start + 1;
      this.add(NOTHING_KNOWN);
      return true;
    }
    const end = scanner.scan(bytes, start);
    const isWhole = end === bytes.length || (end !== NONE && bytes[end] === SEPARATOR);
    this.#position = 1 + (isWhole ? end : endOf(bytes, start));
    if (!isWhole) return false;
    const { rows, nullCount } = scanner;
    const mayBeValue = rows === undefined || nullCount !== rows;
    const flags = (nullCount === 0 ? 0 : MAY_BE_NULL) | (mayBeValue ? MAY_BE_VALUE : 0);
    const bounds =
      this.#column.type === 'string' ? this.#plainTexts(bytes, scanner) : this.#plainNumbers(bytes, scanner);
    if (bounds === undefined) return false;
    this.#flags[this.#count] = flags | bounds;
    this.#count += 1;
    return true;
  }

  /** Takes the facts of the next file. */
  add({ mayBeNull, mayBeValue, min, max }: ColumnFacts): void {
    let flags = (mayBeNull ? MAY_BE_NULL : 0) | (mayBeValue ? MAY_BE_VALUE : 0);
    if (this.#column.type === 'string') {
      for (const bound of [min, max]) {
        const utf8 = bound?.kind === 'text' ? bound.utf8 : NO_TEXT;
        this.#addText(utf8, 0, utf8.length);
      }
      flags |= (min?.kind === 'text' ? HAS_MIN : 0) | (max?.kind === 'text' ? HAS_MAX : 0);
    } else {
      if (min !== undefined) flags |= this.#addMin(min);
      if (max !== undefined) flags |= this.#addMax(max);
    }
    this.#flags[this.#count] = flags;
    this.#count += 1;
  }

  /** To be called once, when all files were taken. */
  finish(): ColumnBounds {
    assert(this.#count === this.#flags.length, 'a block has bounds for each of its files');
    return {
      flags: this.#flags,
      min: this.#min,
      max: this.#max,
      text: this.#text.slice(0, this.#textLength),
      textStarts: this.#textStarts,
    };
  }

  /** The flags of the bounds; undefined if they aren't plain. */
  #plainTexts(bytes: Uint8Array, scanner: StatisticsScanner): number | undefined {
    const { minStart, minEnd, maxStart, maxEnd } = scanner;
    if (!isPlainText(bytes, minStart, minEnd) || !isPlainText(bytes, maxStart, maxEnd)) return undefined;
    // What old writers put in the place of what they cut off.
    if (endsInReplacement(bytes, maxStart, maxEnd)) return undefined;
    // Without the quotes, where there are any.
    this.#addText(bytes, minStart + 1, minEnd - 1);
    this.#addText(bytes, maxStart + 1, maxEnd - 1);
    return (minEnd > minStart ? HAS_MIN : 0) | (maxEnd > maxStart ? HAS_MAX : 0);
  }

  /** As `#plainTexts`. */
  #plainNumbers(bytes: Uint8Array, scanner: StatisticsScanner): number | undefined {
    const { minStart, minEnd, maxStart, maxEnd } = scanner;
    const [form, scale, at] = [this.#form, this.#scale, this.#count];
    let flags = 0;
    if (minEnd > minStart) {
      const min = plainNumber(bytes, { start: minStart, end: minEnd }, { form, scale });
      if (Number.isNaN(min)) {
        const text = valueText(bytes, { start: minStart, end: minEnd }, this.#column);
        if (text === undefined) return undefined;
        const bound = minimumOf(text, this.#column);
        if (bound !== undefined) flags |= this.#addMin(bound);
      } else {
        this.#min[at] = form === 'floating' ? this.#leastFloating(min) : min;
        flags |= HAS_MIN;
      }
    }
    // Greatest values of floating numbers bound nothing.
    if (maxEnd > maxStart && form !== 'floating') {
      const max = plainNumber(bytes, { start: maxStart, end: maxEnd }, { form, scale });
      if (Number.isNaN(max)) {
        const text = valueText(bytes, { start: maxStart, end: maxEnd }, this.#column);
        if (text === undefined) return undefined;
        const bound = maximumOf(text, this.#column);
        if (bound !== undefined) flags |= this.#addMax(bound);
      } else {
        this.#max[at] = form === 'moment' ? max + Number(MILLISECOND_SLACK_MICROS) : max;
        flags |= HAS_MAX;
      }
    }
    return flags;
  }

  #leastFloating(value: number): number {
    if (this.#column.type === 'float') return Math.fround(value);
    return this.#column.wasWidened ? Math.min(value, Math.fround(value)) : value;
  }

  #addMin(bound: Comparable): number {
    const { low, high } = numberRange(bound, this.#scale);
    this.#min[this.#count] = low;
    return low === high ? HAS_MIN : HAS_MIN | IS_ROUNDED;
  }

  #addMax(bound: Comparable): number {
    const { low, high } = numberRange(bound, this.#scale);
    this.#max[this.#count] = high;
    return low === high ? HAS_MAX : HAS_MAX | IS_ROUNDED;
  }

  /** The next bound: of each file the least comes first, then the greatest. */
  #addText(bytes: Uint8Array, start: number, end: number): void {
    const length = Math.max(0, end - start);
    if (this.#textLength + length > this.#text.length) {
      const larger = new Uint8Array(2 * (this.#textLength + length));
      larger.set(this.#text);
      this.#text = larger;
    }
    const text = this.#text;
    for (let at = 0; at < length; at += 1) text[this.#textLength + at] = bytes[start + at] ?? 0;
    this.#textLength += length;
    this.#bounds += 1;
    this.#textStarts[this.#bounds] = this.#textLength;
  }
}

/** Where the text that begins at a position ends. */
function endOf(bytes: Uint8Array, start: number): number {
  const end = bytes.indexOf(SEPARATOR, start);
  return end < 0 ? bytes.length : end;
}

/** A JSON string that is its own text, or none at all. */
function isPlainText(bytes: Uint8Array, start: number, end: number): boolean {
  return start === end || (bytes[start] === QUOTE && !hasEscape(bytes, start, end));
}

function hasEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] === BACKSLASH) return true;
  return false;
}

/** Whether the last character of a JSON string is U+FFFD. */
function endsInReplacement(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > 4 && bytes[end - 4] === 0xef && bytes[end - 3] === 0xbf && bytes[end - 2] === 0xbd;
}

/** The text of a bound as `JSON.parse` and the digits would give it; undefined where it takes the parser to tell. */
function valueText(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  { type }: TableColumn,
): string | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
  if (type === 'date' || type === 'timestamp' || type === 'timestamp_ntz') {
    return text.startsWith('"') && !text.includes('\\') ? text.slice(1, -1) : undefined;
  }
  // A number with many digits keeps them.
  const isNumber =
    decimalOf(type) === undefined ? /^-?\d+$/.test(text) && type === 'long' : !text.startsWith('"');
  return isNumber ? text : undefined;
}
