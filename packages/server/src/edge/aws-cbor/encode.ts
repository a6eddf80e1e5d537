import {
  ARRAY,
  BYTES,
  EPOCH_TAG_BYTE,
  FALSE,
  IN_1_BYTE,
  IN_2_BYTES,
  IN_4_BYTES,
  IN_8_BYTES,
  MAP,
  NEGATIVE,
  NULL,
  SIMPLE,
  TEXT,
  TRUE,
  TWO_32,
  UNSIGNED,
} from './format.ts';

export interface EncodeOptions {
  /** Names of members whose numbers are timestamps in seconds since 1970. */
  readonly timestampMembers: ReadonlySet<string>;
  /** 1,000 writes whole milliseconds. */
  readonly timestampsPerSecond: 1 | 1000;
}

/**
 * The output of an operation: what JSON has, and byte strings for `Uint8Array`s. Members that are undefined are left
 * out; all lengths are definite. The bytes are the caller's.
 */
export function encodeCbor(output: object, options: EncodeOptions): Buffer {
  const writer = new Writer(options);
  writer.value(output);
  return writer.whole;
}

/** Of a head with its argument. */
export const HEAD_BYTES_MAX = 9;

/** Writes a head, and gives where it ends; `HEAD_BYTES_MAX` bytes must be free. */
export function writeHead(target: Buffer, at: number, major: number, argument: number): number {
  const first = major << 5;
  if (argument < IN_1_BYTE) {
    target[at] = first | argument;
    return at + 1;
  }
  if (argument < 0x1_00) {
    target[at] = first | IN_1_BYTE;
    target[at + 1] = argument;
    return at + 2;
  }
  if (argument < 0x1_00_00) {
    target[at] = first | IN_2_BYTES;
    target[at + 1] = argument >> 8;
    target[at + 2] = argument;
    return at + 3;
  }
  if (argument < TWO_32) {
    target[at] = first | IN_4_BYTES;
    return target.writeUInt32BE(argument, at + 1);
  }
  target[at] = first | IN_8_BYTES;
  target.writeUInt32BE(Math.floor(argument / TWO_32), at + 1);
  return target.writeUInt32BE(argument % TWO_32, at + 5);
}

export const EPOCH_BYTES_MAX = 10;

/** Writes a tagged timestamp, and gives where it ends; `EPOCH_BYTES_MAX` bytes must be free. */
export function writeEpoch(
  target: Buffer,
  at: number,
  timeMs: number,
  timestampsPerSecond: 1 | 1000,
): number {
  target[at] = EPOCH_TAG_BYTE;
  return writeNumber(target, at + 1, timestampsPerSecond === 1000 ? Math.round(timeMs) : timeMs / 1000);
}

function writeNumber(target: Buffer, at: number, value: number): number {
  if (Number.isSafeInteger(value)) {
    return value < 0 ? writeHead(target, at, NEGATIVE, -1 - value) : writeHead(target, at, UNSIGNED, value);
  }
  target[at] = (SIMPLE << 5) | IN_8_BYTES;
  return target.writeDoubleBE(value, at + 1);
}

const FIRST_BYTES = 512;

class Writer {
  readonly #options: EncodeOptions;
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  constructor(options: EncodeOptions) {
    this.#options = options;
  }

  get whole(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  value(value: unknown): void {
    switch (typeof value) {
      case 'string': {
        const length = Buffer.byteLength(value);
        this.#head(TEXT, length);
        this.#reserve(length);
        this.#at += this.#bytes.write(value, this.#at, length);
        return;
      }
      case 'number':
        this.#reserve(HEAD_BYTES_MAX);
        this.#at = writeNumber(this.#bytes, this.#at, value);
        return;
      case 'boolean':
        return this.#head(SIMPLE, value ? TRUE : FALSE);
      case 'object':
        if (value === null) return this.#head(SIMPLE, NULL);
        if (value instanceof Uint8Array) return this.#blob(value);
        if (Array.isArray(value)) {
          this.#head(ARRAY, value.length);
          for (const item of value) this.value(item ?? null);
          return;
        }
        return this.#structure(value as Record<string, unknown>);
      default:
        throw new TypeError(`no protocol carries a ${typeof value}`);
    }
  }

  #structure(value: Readonly<Record<string, unknown>>): void {
    const { timestampMembers, timestampsPerSecond } = this.#options;
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    this.#head(MAP, members.length);
    for (const [name, member] of members) {
      this.value(name);
      if (typeof member === 'number' && timestampMembers.has(name)) {
        this.#reserve(EPOCH_BYTES_MAX);
        this.#at = writeEpoch(this.#bytes, this.#at, member * 1000, timestampsPerSecond);
      } else {
        this.value(member);
      }
    }
  }

  #blob(value: Uint8Array): void {
    this.#head(BYTES, value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  #head(major: number, argument: number): void {
    this.#reserve(HEAD_BYTES_MAX);
    this.#at = writeHead(this.#bytes, this.#at, major, argument);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + bytes));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
