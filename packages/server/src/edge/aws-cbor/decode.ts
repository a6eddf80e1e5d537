/**
 * Reads a request's CBOR by the shape that it has to have. It is strict about the format, and leaves constraints of the
 * shape (lengths, patterns, what is required) to the check that all protocols share:
 *
 * C1 Memory and work are bounded by the body's bytes: a length is believed only as far as bytes are there, and what the
 *    shape doesn't know is skipped, not kept.
 * C2 Every byte belongs to the one value; a tag stands only on a timestamp, a byte string only for a blob.
 * C3 A value of another type than the shape's is given as an empty one of its type, for the check to refuse in the words
 *    of AWS.
 *
 * A general decoder would keep what is unknown, resolve tags by itself, take later duplicates of a key and lose the
 * difference between a number and a timestamp. Maps, lists and strings of indefinite length are taken: the SDKs for
 * Java write all maps and lists so.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Shape } from '../aws-json/shapes.ts';
import {
  ARRAY,
  BREAK,
  BYTES,
  EPOCH_TAG,
  FALSE,
  IN_1_BYTE,
  IN_2_BYTES,
  IN_4_BYTES,
  IN_8_BYTES,
  INDEFINITE,
  MAP,
  NEGATIVE,
  NULL,
  SIMPLE,
  TAG,
  TEXT,
  TRUE,
  TWO_32,
  UNDEFINED,
  UNSIGNED,
} from './format.ts';

/** Why a body can't be read; the message is for the client. */
export class CborProblem extends Error {}

export interface DecodedCbor {
  readonly value: unknown;
  /** There may be members that are null. */
  readonly nulls: boolean;
}

/** Maps and lists within one another. */
export const DEPTH_MAX = 64;
/** Values of a body, whose smallest ones have one byte and cost far more as objects. */
export const VALUES_MAX = 1_000_000;

/**
 * Blobs are views of `body`, which must not change while they are used. Timestamps are seconds since 1970. Throws
 * `CborProblem`.
 */
export function decodeCbor(
  body: Buffer,
  shape: Shape,
  { timestampsPerSecond }: { readonly timestampsPerSecond: 1 | 1000 },
): DecodedCbor {
  const reader = new Reader(body, timestampsPerSecond);
  const value = reader.value(shape, 0);
  reader.end();
  return { value, nulls: reader.nulls };
}

class Reader {
  readonly #body: Buffer;
  readonly #perSecond: number;
  #at = 0;
  #values = 0;
  nulls = false;

  constructor(body: Buffer, perSecond: number) {
    this.#body = body;
    this.#perSecond = perSecond;
  }

  end(): void {
    if (this.#at !== this.#body.length) this.#fail('bytes follow the value');
  }

  value(shape: Shape, depth: number): unknown {
    if (++this.#values > VALUES_MAX) this.#fail(`there are more than ${VALUES_MAX} values`);
    const head = this.#byte();
    const minor = head & 31;
    switch (head >> 5) {
      case UNSIGNED:
        return this.#number(shape, this.#argument(minor));
      case NEGATIVE:
        return this.#number(shape, -1 - this.#argument(minor));
      case BYTES:
        if (shape.kind !== 'blob') this.#fail('a byte string is found where not expected');
        return minor === INDEFINITE ? this.#chunks(BYTES) : this.#bytes(this.#length(minor));
      case TEXT:
        if (shape.kind === 'blob') this.#fail('a text is found where a byte string is expected');
        return minor === INDEFINITE ? this.#utf8(this.#chunks(TEXT)) : this.#text(this.#length(minor));
      case ARRAY:
        return this.#list(shape, minor, depth + 1);
      case MAP:
        return this.#map(shape, minor, depth + 1);
      case TAG:
        return this.#tagged(shape, this.#argument(minor));
      default:
        return this.#simple(shape, minor);
    }
  }

  #list(shape: Shape, minor: number, depth: number): unknown[] {
    if (shape.kind !== 'list') {
      this.#skipItems(minor, 1, depth);
      return [];
    }
    this.#checkDepth(depth);
    const list: unknown[] = [];
    for (let left = this.#count(minor, 1); this.#more(left); left--) list.push(this.value(shape.of, depth));
    return list;
  }

  #map(shape: Shape, minor: number, depth: number): object {
    if (shape.kind === 'structure') return this.#structure(shape, minor, depth);
    if (shape.kind !== 'map') {
      this.#skipItems(minor, 2, depth);
      return {};
    }
    this.#checkDepth(depth);
    const map: Record<string, unknown> = {};
    for (let left = this.#count(minor, 2); this.#more(left); left--) {
      const key = this.#key();
      if (Object.hasOwn(map, key)) this.#fail('a key is there twice');
      set(map, key, this.value(shape.value, depth));
    }
    return map;
  }

  #structure(shape: Shape & { kind: 'structure' }, minor: number, depth: number): object {
    this.#checkDepth(depth);
    const members = membersOf(shape);
    const found: Record<string, unknown> = {};
    for (let left = this.#count(minor, 2); this.#more(left); left--) {
      let member = this.#member(members);
      if (member === undefined) {
        const key = this.#key();
        member = members.find(({ name }) => name === key);
        if (member === undefined) {
          if (Object.hasOwn(found, key)) this.#fail('a member is there twice');
          set(found, key, this.#unknown(depth));
          continue;
        }
      }
      if (found[member.name] !== undefined) this.#fail(`the member ${member.name} is there twice`);
      found[member.name] = this.value(member.shape, depth);
    }
    return found;
  }

  /** Steps over the key of a known member in its usual form, and only over that. */
  #member(members: readonly KnownMember[]): KnownMember | undefined {
    const body = this.#body;
    const head = body[this.#at];
    if (head === undefined || head >> 5 !== TEXT) return undefined;
    const minor = head & 31;
    const long = minor === IN_1_BYTE;
    if (minor > IN_1_BYTE) return undefined;
    const length = long ? body[this.#at + 1] : minor;
    const from = this.#at + (long ? 2 : 1);
    for (let index = 0; index < members.length; index++) {
      const member = members[index]!;
      const { text } = member;
      if (text.length !== length) continue;
      let at = 0;
      while (at < length && body[from + at] === text[at]) at++;
      if (at !== length) continue;
      this.#at = from + length;
      return member;
    }
    return undefined;
  }

  #key(): string {
    const head = this.#byte();
    if (head >> 5 !== TEXT) this.#fail('a key is not a text');
    const minor = head & 31;
    return minor === INDEFINITE ? this.#utf8(this.#chunks(TEXT)) : this.#text(this.#length(minor));
  }

  /** The value of a member that the shape doesn't know: only whether it is null counts. */
  #unknown(depth: number): unknown {
    const head = this.#body[this.#at];
    this.#skip(depth);
    if (head !== ((SIMPLE << 5) | NULL) && head !== ((SIMPLE << 5) | UNDEFINED)) return undefined;
    this.nulls = true;
    return null;
  }

  #skip(depth: number): void {
    if (++this.#values > VALUES_MAX) this.#fail(`there are more than ${VALUES_MAX} values`);
    const head = this.#byte();
    const minor = head & 31;
    switch (head >> 5) {
      case UNSIGNED:
      case NEGATIVE:
        this.#argument(minor);
        return;
      case BYTES:
      case TEXT:
        if (minor === INDEFINITE) this.#chunks(head >> 5);
        else this.#bytes(this.#length(minor));
        return;
      case ARRAY:
        return this.#skipItems(minor, 1, depth + 1);
      case MAP:
        return this.#skipItems(minor, 2, depth + 1);
      case TAG:
        this.#argument(minor);
        this.#checkDepth(depth + 1);
        return this.#skip(depth + 1);
      default:
        this.#simple({ kind: 'document' }, minor);
    }
  }

  #skipItems(minor: number, valuesEach: 1 | 2, depth: number): void {
    this.#checkDepth(depth);
    for (let left = this.#count(minor, valuesEach); this.#more(left); left--) {
      this.#skip(depth);
      if (valuesEach === 2) this.#skip(depth);
    }
  }

  #number(shape: Shape, value: number): number {
    if (shape.kind === 'timestamp') this.#fail('a timestamp has to have the tag 1');
    return value;
  }

  #tagged(shape: Shape, tag: number): number {
    if (tag !== EPOCH_TAG || shape.kind !== 'timestamp')
      this.#fail(`the tag ${tag} is found where not expected`);
    const head = this.#byte();
    const minor = head & 31;
    const major = head >> 5;
    let value = Number.NaN;
    if (major === UNSIGNED) value = this.#argument(minor);
    else if (major === NEGATIVE) value = -1 - this.#argument(minor);
    else if (major === SIMPLE && minor >= IN_2_BYTES && minor <= IN_8_BYTES) value = this.#float(minor);
    if (!Number.isFinite(value)) this.#fail('a timestamp has to be a number');
    return value / this.#perSecond;
  }

  #simple(shape: Shape, minor: number): number | boolean | null {
    switch (minor) {
      case FALSE:
        return false;
      case TRUE:
        return true;
      case NULL:
      case UNDEFINED:
        this.nulls = true;
        return null;
      case IN_2_BYTES:
      case IN_4_BYTES:
      case IN_8_BYTES:
        return this.#number(shape, this.#float(minor));
      default:
        return this.#fail(
          minor === INDEFINITE ? 'nothing is there to end' : `the simple value ${minor} has no meaning`,
        );
    }
  }

  #float(minor: number): number {
    const from = this.#at;
    const body = this.#body;
    this.#take(minor === IN_2_BYTES ? 2 : minor === IN_4_BYTES ? 4 : 8);
    if (minor === IN_2_BYTES) return halfFloat(body.readUInt16BE(from));
    return minor === IN_4_BYTES ? body.readFloatBE(from) : body.readDoubleBE(from);
  }

  /** Infinity for a map or list without a length. */
  #count(minor: number, valuesEach: 1 | 2): number {
    if (minor === INDEFINITE) return Number.POSITIVE_INFINITY;
    const count = this.#argument(minor);
    if (count * valuesEach > this.#body.length - this.#at)
      this.#fail(`${count} values are announced and not there`);
    return count;
  }

  #more(left: number): boolean {
    if (left !== Number.POSITIVE_INFINITY) return left > 0;
    if (this.#body[this.#at] !== BREAK) return true;
    this.#at++;
    return false;
  }

  /** Of a string; so many bytes are there. */
  #length(minor: number): number {
    const length = this.#argument(minor);
    if (length > this.#body.length - this.#at) this.#fail(`${length} bytes are announced and not there`);
    return length;
  }

  #bytes(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    return this.#body.subarray(from, from + length);
  }

  #text(length: number): string {
    const body = this.#body;
    const from = this.#at;
    const to = from + length;
    if (length > LOOPED_LENGTH_MAX) return this.#utf8(this.#bytes(length));
    let all = 0;
    for (let at = from; at < to; at++) all |= body[at]!;
    if (all > 127) return this.#utf8(this.#bytes(length));
    this.#at = to;
    return body.toString('latin1', from, to);
  }

  #utf8(bytes: Buffer): string {
    if (isAscii(bytes)) return bytes.toString('latin1');
    if (!isUtf8(bytes)) this.#fail('a text is not UTF-8');
    return bytes.toString('utf8');
  }

  /** The pieces of a string without a length, each of which has one. */
  #chunks(major: number): Buffer {
    const chunks: Buffer[] = [];
    for (;;) {
      const head = this.#byte();
      if (head === BREAK) return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      if (head >> 5 !== major || (head & 31) === INDEFINITE)
        this.#fail('a piece of a string is of another type');
      if (++this.#values > VALUES_MAX) this.#fail(`there are more than ${VALUES_MAX} values`);
      const chunk = this.#bytes(this.#length(head & 31));
      // A piece of a text is a text, so that no character is cut.
      if (major === TEXT && !isUtf8(chunk)) this.#fail('a text is not UTF-8');
      chunks.push(chunk);
    }
  }

  /** Over 2^53 it is not exact, which no length and no number of the services is. */
  #argument(minor: number): number {
    if (minor < IN_1_BYTE) return minor;
    const from = this.#at;
    const body = this.#body;
    switch (minor) {
      case IN_1_BYTE:
        return this.#byte();
      case IN_2_BYTES:
        this.#take(2);
        return body.readUInt16BE(from);
      case IN_4_BYTES:
        this.#take(4);
        return body.readUInt32BE(from);
      case IN_8_BYTES:
        this.#take(8);
        return body.readUInt32BE(from) * TWO_32 + body.readUInt32BE(from + 4);
      default:
        return this.#fail(
          minor === INDEFINITE ? 'a length is missing' : `the length form ${minor} is reserved`,
        );
    }
  }

  #byte(): number {
    const byte = this.#body[this.#at];
    if (byte === undefined) return this.#fail('it ends too early');
    this.#at++;
    return byte;
  }

  #take(bytes: number): void {
    if (bytes > this.#body.length - this.#at) this.#fail('it ends too early');
    this.#at += bytes;
  }

  #checkDepth(depth: number): void {
    if (depth > DEPTH_MAX) this.#fail(`it nests deeper than ${DEPTH_MAX}`);
  }

  #fail(what: string): never {
    throw new CborProblem(`The body is not CBOR of this operation: ${what}, before byte ${this.#at}.`);
  }
}

/** From here on the native checks are faster than a loop. */
const LOOPED_LENGTH_MAX = 64;

interface KnownMember {
  readonly name: string;
  readonly text: Buffer;
  readonly shape: Shape;
}

const known = new WeakMap<Shape, readonly KnownMember[]>();

function membersOf(shape: Shape & { kind: 'structure' }): readonly KnownMember[] {
  let members = known.get(shape);
  if (members === undefined) {
    members = Object.entries(shape.members).map(([name, member]) => ({
      name,
      text: Buffer.from(name),
      shape: member.shape,
    }));
    known.set(shape, members);
  }
  return members;
}

/** `__proto__` is a key like any other. */
function set(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else target[key] = value;
}

/** RFC 8949, appendix D. */
function halfFloat(bits: number): number {
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3_ff;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (fraction + 1024) * 2 ** (exponent - 25);
  return bits & 0x80_00 ? -size : size;
}
