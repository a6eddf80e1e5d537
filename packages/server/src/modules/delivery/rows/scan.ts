/**
 * The cheap path: says of a row's bytes that the engine reads them exactly as the rules of SPEC.md do, so that they go
 * on as they are. Whatever is unusual (a key in another case or with an escape, a number in a string, an exponent, a
 * map, a pretty-printed object …) is left to the full reader: a row is never accepted here that the casts would refuse
 * or change. Numbers are judged by their text, so 64-bit integers stay exact.
 */
import type { DataType, StructField } from '@sluice/delta';
import { fold } from './casts.ts';
import { DEPTH_MAX } from './json-text.ts';

type Node =
  | { readonly kind: 'string' | 'boolean' | 'date' | 'timestamp' | 'other' }
  | { readonly kind: 'integer'; readonly digitsMax: number }
  | { readonly kind: 'float'; readonly digitsMax: number }
  | { readonly kind: 'decimal'; readonly wholeMax: number; readonly scale: number }
  | { readonly kind: 'array'; readonly element: Node; readonly containsNull: boolean }
  | StructNode;

interface StructNode {
  readonly kind: 'struct';
  readonly fields: readonly FieldNode[];
  readonly required: readonly FieldNode[];
  /** Verdicts on keys that are not a field's exact bytes: whether they only look like no field. */
  readonly strangers: Map<string, boolean>;
  readonly folded: ReadonlySet<string>;
}

interface FieldNode {
  readonly key: Buffer;
  readonly node: Node;
  readonly nullable: boolean;
  /** Stamp of the object that last had this key. */
  seen: number;
}

/** The next position, or this: the full reader must decide. */
const UNSURE = -1;
/** Digits that a double, through which the engine reads a decimal that stands as a number, keeps exactly. */
const EXACT_DIGITS = 15;
/** Keys that are no column, remembered by each struct. */
const STRANGERS_MAX = 1_000;

const DIGITS_MAX: Readonly<Record<string, number>> = { byte: 2, short: 4, integer: 9, long: 18 };
const DAYS_SURE = 28;

export class RowScanner {
  /** Members that are no column, in the rows accepted since it was last set to 0. */
  fieldsIgnored = 0;
  /** Whether the last row holds bytes above 127, so that its UTF-8 is still to be checked. */
  nonAscii = false;

  readonly #root: StructNode;
  readonly #ignoreUnknown: boolean;
  #bytes: Uint8Array = new Uint8Array();
  #end = 0;
  #stamp = 0;
  #depth = 0;

  constructor(fields: readonly StructField[], options: { readonly ignoreUnknown: boolean }) {
    this.#root = structNode(fields);
    this.#ignoreUnknown = options.ignoreUnknown;
  }

  /** Position after the object that starts at `start`, or -1 when the full reader must look at it. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    this.#bytes = bytes;
    this.#end = end;
    this.#depth = 0;
    this.nonAscii = false;
    const before = this.fieldsIgnored;
    const stamp = this.#stamp + 1;
    const next = bytes[start] === 0x7b ? this.#object(this.#root, start) : UNSURE;
    // An object without any column is read by the engine in its own way.
    if (next !== UNSURE && this.#root.fields.some((field) => field.seen === stamp)) return next;
    this.fieldsIgnored = before;
    return UNSURE;
  }

  #object(struct: StructNode, start: number): number {
    const bytes = this.#bytes;
    const { fields } = struct;
    const stamp = ++this.#stamp;
    let expected = 0;
    let at = this.#space(start + 1);
    if (bytes[at] === 0x7d) return this.#complete(struct, stamp) ? at + 1 : UNSURE;
    for (;;) {
      if (bytes[at] !== 0x22) return UNSURE;
      const keyStart = at + 1;
      at = keyStart;
      for (let byte = bytes[at]; byte !== 0x22; byte = bytes[++at])
        if (byte === undefined || byte < 0x20 || byte === 0x5c || at >= this.#end) return UNSURE;
      const keyEnd = at;
      const position = findField(fields, expected, bytes, keyStart, keyEnd);
      at = this.#space(at + 1);
      if (bytes[at] !== 0x3a) return UNSURE;
      at = this.#space(at + 1);
      if (position === -1) {
        if (!this.#ignoreUnknown || !this.#isStranger(struct, keyStart, keyEnd)) return UNSURE;
        this.fieldsIgnored++;
        at = this.#skip(at);
      } else {
        const field = fields[position]!;
        if (field.seen === stamp) return UNSURE;
        field.seen = stamp;
        expected = position + 1;
        at = this.#value(field.node, field.nullable, at);
      }
      if (at === UNSURE) return UNSURE;
      at = this.#space(at);
      const byte = bytes[at];
      if (byte === 0x7d) break;
      if (byte !== 0x2c) return UNSURE;
      at = this.#space(at + 1);
    }
    // A truncated record's bytes go on in its neighbour.
    return at < this.#end && this.#complete(struct, stamp) ? at + 1 : UNSURE;
  }

  #complete(struct: StructNode, stamp: number): boolean {
    for (const field of struct.required) if (field.seen !== stamp) return false;
    return true;
  }

  #value(node: Node, nullable: boolean, at: number): number {
    const byte = this.#bytes[at];
    if (byte === 0x6e) return nullable ? this.#word(at, 0x75, 0x6c, 0x6c) : UNSURE;
    switch (node.kind) {
      case 'string':
        return byte === 0x22 ? this.#string(at) : UNSURE;
      case 'integer':
        return this.#integer(at, node.digitsMax);
      case 'float':
        return this.#decimal(at, node.digitsMax, node.digitsMax, true);
      case 'decimal':
        return this.#decimal(at, node.wholeMax, node.scale, false);
      case 'boolean':
        if (byte === 0x74) return this.#word(at, 0x72, 0x75, 0x65);
        return byte === 0x66 && this.#bytes[at + 4] === 0x65 && this.#word(at, 0x61, 0x6c, 0x73) !== UNSURE
          ? at + 5
          : UNSURE;
      case 'date':
        return this.#date(at);
      case 'timestamp':
        return this.#timestamp(at);
      case 'struct':
        return byte === 0x7b ? this.#object(node, at) : UNSURE;
      case 'array':
        return byte === 0x5b ? this.#array(node.element, node.containsNull, at) : UNSURE;
      default:
        return UNSURE;
    }
  }

  #array(element: Node, containsNull: boolean, start: number): number {
    let at = this.#space(start + 1);
    if (this.#bytes[at] === 0x5d) return at + 1;
    for (;;) {
      at = this.#value(element, containsNull, at);
      if (at === UNSURE) return UNSURE;
      at = this.#space(at);
      const byte = this.#bytes[at];
      if (byte === 0x5d) return at + 1;
      if (byte !== 0x2c) return UNSURE;
      at = this.#space(at + 1);
    }
  }

  #string(start: number): number {
    const bytes = this.#bytes;
    for (let at = start + 1; at < this.#end; at++) {
      const byte = bytes[at]!;
      if (byte === 0x22) return at + 1;
      if (byte >= 0x80) this.nonAscii = true;
      else if (byte < 0x20) return UNSURE;
      else if (byte === 0x5c) {
        const escaped = bytes[++at]!;
        if (escaped === 0x75) {
          if (!this.#isPlainEscape(at + 1)) return UNSURE;
          at += 4;
        } else if (!isEscape(escaped)) return UNSURE;
      }
    }
    return UNSURE;
  }

  /** Four hexadecimal digits of a character that is no half of a surrogate pair and not NUL. */
  #isPlainEscape(at: number): boolean {
    let code = 0;
    for (let digit = 0; digit < 4; digit++) {
      const value = hexValue(this.#bytes[at + digit] ?? 0);
      if (value < 0) return false;
      code = code * 16 + value;
    }
    return code > 0 && (code < 0xd800 || code > 0xdfff);
  }

  #integer(start: number, digitsMax: number): number {
    const bytes = this.#bytes;
    let at = bytes[start] === 0x2d ? start + 1 : start;
    const first = at;
    while (isDigit(bytes[at]!)) at++;
    const digits = at - first;
    if (digits === 0 || digits > digitsMax || (digits > 1 && bytes[first] === 0x30)) return UNSURE;
    const byte = bytes[at];
    return byte === 0x2e || byte === 0x65 || byte === 0x45 ? UNSURE : at;
  }

  /** Digits before and after the point within bounds, no exponent; `-0` has no sign for the engine, so it is unsure. */
  #decimal(start: number, wholeMax: number, fractionMax: number, together: boolean): number {
    const bytes = this.#bytes;
    const negative = bytes[start] === 0x2d;
    let at = negative ? start + 1 : start;
    const first = at;
    while (isDigit(bytes[at]!)) at++;
    const whole = at - first;
    if (whole === 0 || (whole > 1 && bytes[first] === 0x30)) return UNSURE;
    if (negative && bytes[first] === 0x30 && bytes[at] !== 0x2e) return UNSURE;
    let fraction = 0;
    if (bytes[at] === 0x2e) {
      const point = at++;
      while (isDigit(bytes[at]!)) at++;
      fraction = at - point - 1;
      if (fraction === 0) return UNSURE;
    }
    if (
      together
        ? whole + fraction > wholeMax
        : (whole > wholeMax && !(whole === 1 && bytes[first] === 0x30)) || fraction > fractionMax
    )
      return UNSURE;
    const byte = bytes[at];
    return byte === 0x65 || byte === 0x45 ? UNSURE : at;
  }

  #date(start: number): number {
    if (this.#bytes[start] !== 0x22 || !this.#isDay(start + 1)) return UNSURE;
    return this.#bytes[start + 11] === 0x22 ? start + 12 : UNSURE;
  }

  /** `YYYY-MM-DDTHH:MM:SS` with at most six digits of a fraction and a `Z` or nothing. */
  #timestamp(start: number): number {
    const bytes = this.#bytes;
    if (bytes[start] !== 0x22 || !this.#isDay(start + 1)) return UNSURE;
    const separator = bytes[start + 11];
    if (separator !== 0x54 && separator !== 0x20) return UNSURE;
    if (!(this.#pair(start + 12) < 24 && bytes[start + 14] === 0x3a)) return UNSURE;
    if (!(this.#pair(start + 15) < 60 && bytes[start + 17] === 0x3a)) return UNSURE;
    if (!(this.#pair(start + 18) < 60)) return UNSURE;
    let at = start + 20;
    if (bytes[at] === 0x2e) {
      const point = at++;
      while (isDigit(bytes[at]!)) at++;
      if (at - point < 2 || at - point > 7) return UNSURE;
    }
    if (bytes[at] === 0x5a) at++;
    return bytes[at] === 0x22 ? at + 1 : UNSURE;
  }

  /** A day that exists in every month: the others are looked up by the full reader. */
  #isDay(at: number): boolean {
    const bytes = this.#bytes;
    const year = this.#pair(at) * 100 + this.#pair(at + 2);
    const [month, day] = [this.#pair(at + 5), this.#pair(at + 8)];
    if (bytes[at + 4] !== 0x2d || bytes[at + 7] !== 0x2d) return false;
    return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= DAYS_SURE;
  }

  /** Two digits; NaN when they are none. */
  #pair(at: number): number {
    const [high, low] = [this.#bytes[at]!, this.#bytes[at + 1]!];
    return isDigit(high) && isDigit(low) ? (high - 0x30) * 10 + low - 0x30 : NaN;
  }

  /** Any JSON value of a member that is no column; checked, since the engine refuses a file for one bad value. */
  #skip(at: number): number {
    const bytes = this.#bytes;
    switch (bytes[at]) {
      case 0x22:
        return this.#string(at);
      case 0x74:
        return this.#word(at, 0x72, 0x75, 0x65);
      case 0x66:
        return bytes[at + 4] === 0x65 && this.#word(at, 0x61, 0x6c, 0x73) !== UNSURE ? at + 5 : UNSURE;
      case 0x6e:
        return this.#word(at, 0x75, 0x6c, 0x6c);
      case 0x7b:
      case 0x5b:
        return this.#skipNested(at);
      default:
        return this.#decimal(at, 300, 300, true);
    }
  }

  #skipNested(start: number): number {
    if (++this.#depth > DEPTH_MAX) return UNSURE;
    const bytes = this.#bytes;
    const isObject = bytes[start] === 0x7b;
    const close = isObject ? 0x7d : 0x5d;
    let at = this.#space(start + 1);
    if (bytes[at] !== close) {
      for (;;) {
        if (isObject) {
          if (bytes[at] !== 0x22) return UNSURE;
          at = this.#string(at);
          if (at === UNSURE) return UNSURE;
          at = this.#space(at);
          if (bytes[at] !== 0x3a) return UNSURE;
          at = this.#space(at + 1);
        }
        at = this.#skip(at);
        if (at === UNSURE) return UNSURE;
        at = this.#space(at);
        if (bytes[at] === close) break;
        if (bytes[at] !== 0x2c) return UNSURE;
        at = this.#space(at + 1);
      }
    }
    this.#depth--;
    return at + 1;
  }

  #word(at: number, second: number, third: number, fourth: number): number {
    const bytes = this.#bytes;
    return bytes[at + 1] === second && bytes[at + 2] === third && bytes[at + 3] === fourth ? at + 4 : UNSURE;
  }

  /** Spaces and tabs only: a line break within a row would end it for the engine. */
  #space(at: number): number {
    const bytes = this.#bytes;
    while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
    return at;
  }

  #isStranger(struct: StructNode, start: number, end: number): boolean {
    const key = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString(
      'latin1',
    );
    const known = struct.strangers.get(key);
    if (known !== undefined) return known;
    // oxlint-disable-next-line no-control-regex
    const stranger = /^[\u0000-\u007f]*$/.test(key) && !struct.folded.has(fold(key));
    if (struct.strangers.size < STRANGERS_MAX) struct.strangers.set(key, stranger);
    return stranger;
  }
}

/** Position of the field with exactly these bytes as its name, most likely the expected one; -1 for none. */
function findField(
  fields: readonly FieldNode[],
  expected: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const length = end - start;
  for (let step = 0; step < fields.length; step++) {
    const position = expected + step < fields.length ? expected + step : expected + step - fields.length;
    const { key } = fields[position]!;
    if (key.length !== length) continue;
    let at = 0;
    while (at < length && key[at] === bytes[start + at]) at++;
    if (at === length) return position;
  }
  return -1;
}

function structNode(fields: readonly StructField[]): StructNode {
  const nodes = fields.map((field) => ({
    key: Buffer.from(field.name),
    node: nodeOf(field.type),
    nullable: field.nullable,
    seen: 0,
  }));
  return {
    kind: 'struct',
    fields: nodes,
    required: nodes.filter((node) => !node.nullable),
    strangers: new Map(),
    folded: new Set(fields.map((field) => fold(field.name))),
  };
}

function nodeOf(type: DataType): Node {
  if (typeof type !== 'string') {
    if (type.type === 'struct') return structNode(type.fields);
    if (type.type === 'array')
      return { kind: 'array', element: nodeOf(type.elementType), containsNull: type.containsNull };
    return { kind: 'other' };
  }
  switch (type) {
    case 'string':
    case 'boolean':
    case 'date':
      return { kind: type };
    case 'timestamp':
    case 'timestamp_ntz':
      return { kind: 'timestamp' };
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return { kind: 'integer', digitsMax: DIGITS_MAX[type]! };
    case 'float':
    case 'double':
      return { kind: 'float', digitsMax: 17 };
    case 'binary':
      return { kind: 'other' };
    default: {
      const [precision, scale] = type.slice(8, -1).split(',').map(Number) as [number, number];
      if (scale > EXACT_DIGITS) return { kind: 'other' };
      return { kind: 'decimal', scale, wholeMax: Math.min(precision, EXACT_DIGITS) - scale };
    }
  }
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isEscape(byte: number): boolean {
  // " \ / b f n r t
  return (
    byte === 0x22 ||
    byte === 0x5c ||
    byte === 0x2f ||
    byte === 0x62 ||
    byte === 0x66 ||
    byte === 0x6e ||
    byte === 0x72 ||
    byte === 0x74
  );
}

function hexValue(byte: number): number {
  if (isDigit(byte)) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
