/**
 * Aggregated records of the Kinesis Producer Library: several records of users in the data of one Kinesis record.
 *
 * The format (aggregation-format.md of awslabs/amazon-kinesis-producer): 4 bytes of magic, a protocol buffer, and the
 * 16 bytes of its MD5. The message is proto2:
 *
 *     AggregatedRecord { repeated string partition_key_table = 1; repeated string explicit_hash_key_table = 2;
 *                        repeated Record records = 3 }
 *     Record           { required uint64 partition_key_index = 1; optional uint64 explicit_hash_key_index = 2;
 *                        required bytes data = 3; repeated Tag tags = 4 }
 *
 * Unknown fields and tags are skipped, as protocol buffers ask for; everything else that isn't whole is malformed.
 */
import { hash } from 'node:crypto';

export const AGGREGATED_MAGIC = Buffer.of(0xf3, 0x89, 0x9a, 0xc2);
const DIGEST_BYTES = 16;
/** Records of users in one record: what 10 MiB hold of records of some ten bytes, the largest that a stream takes. */
export const PARTS_MAX = 1_000_000;

/** One record of a user. `start` and `end` are positions of its data in the bytes that were given. */
export interface Part {
  readonly partitionKey: string;
  /** Decimal; undefined where the producer gave none. */
  readonly explicitHashKey: string | undefined;
  readonly start: number;
  readonly end: number;
}

export type Deaggregated =
  | { readonly kind: 'parts'; readonly parts: readonly Part[] }
  /** It has the magic and nothing else that an aggregated record needs. */
  | { readonly kind: 'malformed'; readonly reason: string };

/**
 * Whether data begins as an aggregated record does: four comparisons at most, and one for all others, since no UTF-8
 * text begins with these bytes.
 */
export function isAggregated(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    bytes[start] === 0xf3 &&
    end - start > 3 &&
    bytes[start + 1] === 0x89 &&
    bytes[start + 2] === 0x9a &&
    bytes[start + 3] === 0xc2
  );
}

/** The records of users in `bytes` from `start` to `end`, which `isAggregated` said yes to. Never throws for bad bytes. */
export function deaggregate(bytes: Uint8Array, start: number, end: number): Deaggregated {
  const from = start + AGGREGATED_MAGIC.length;
  const to = end - DIGEST_BYTES;
  if (to < from) return { kind: 'malformed', reason: 'it ends before its MD5' };
  const digest = hash('md5', bytes.subarray(from, to), 'buffer');
  if (Buffer.compare(digest, bytes.subarray(to, end)) !== 0)
    return { kind: 'malformed', reason: 'its MD5 is not that of its content' };
  try {
    return { kind: 'parts', parts: readAggregatedRecord(new WireReader(bytes, from, to)) };
  } catch (error) {
    if (error instanceof Malformed) return { kind: 'malformed', reason: error.message };
    throw error;
  }
}

export interface PartIn {
  readonly partitionKey: string;
  /** Decimal, 0 … 2^128 - 1. */
  readonly explicitHashKey?: string | undefined;
  readonly data: Uint8Array;
}

/** One record's data that holds all of `parts`, in the bytes that the Kinesis Producer Library writes. */
export function aggregate(parts: readonly PartIn[]): Buffer {
  const partitionKeys = new Map<string, number>();
  const hashKeys = new Map<string, number>();
  const records = parts.map(({ partitionKey, explicitHashKey, data }) => {
    const fields = [field(1, 0), varint(indexIn(partitionKeys, partitionKey))];
    if (explicitHashKey !== undefined) fields.push(field(2, 0), varint(indexIn(hashKeys, explicitHashKey)));
    return Buffer.concat([...fields, ...delimited(3, data)]);
  });
  const message = Buffer.concat([
    ...[...partitionKeys.keys()].flatMap((key) => delimited(1, Buffer.from(key))),
    ...[...hashKeys.keys()].flatMap((key) => delimited(2, Buffer.from(key))),
    ...records.flatMap((record) => delimited(3, record)),
  ]);
  return Buffer.concat([AGGREGATED_MAGIC, message, hash('md5', message, 'buffer')]);
}

class Malformed extends Error {}

interface RawPart {
  keyIndex: number;
  hashKeyIndex: number;
  start: number;
  end: number;
}

function readAggregatedRecord(reader: WireReader): Part[] {
  const partitionKeys: string[] = [];
  const hashKeys: string[] = [];
  const raw: RawPart[] = [];
  while (!reader.atEnd) {
    const tag = reader.varint();
    if (tag === 0x0a) partitionKeys.push(reader.text());
    else if (tag === 0x12) hashKeys.push(reader.text());
    else if (tag === 0x1a) {
      if (raw.length >= PARTS_MAX) throw new Malformed(`it holds more than ${PARTS_MAX} records`);
      raw.push(readRecord(reader.message()));
    } else reader.skip(tag);
  }
  // The tables may stand after the records that use them.
  return raw.map(({ keyIndex, hashKeyIndex, start, end }) => {
    const partitionKey = partitionKeys[keyIndex];
    if (partitionKey === undefined) throw new Malformed(`it has no partition key ${keyIndex}`);
    const explicitHashKey = hashKeyIndex === -1 ? undefined : hashKeys[hashKeyIndex];
    if (hashKeyIndex !== -1 && explicitHashKey === undefined)
      throw new Malformed(`it has no explicit hash key ${hashKeyIndex}`);
    return { partitionKey, explicitHashKey, start, end };
  });
}

function readRecord(reader: WireReader): RawPart {
  const part = { keyIndex: -1, hashKeyIndex: -1, start: -1, end: -1 };
  while (!reader.atEnd) {
    const tag = reader.varint();
    if (tag === 0x08) part.keyIndex = reader.varint();
    else if (tag === 0x10) part.hashKeyIndex = reader.varint();
    else if (tag === 0x1a) [part.start, part.end] = reader.range();
    else reader.skip(tag);
  }
  if (part.keyIndex === -1) throw new Malformed('one of its records has no partition key');
  if (part.start === -1) throw new Malformed('one of its records has no data');
  return part;
}

/** Reads the wire format of protocol buffers within bounds that it never leaves. */
class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Values beyond 2^53 lose their last bits, which no index nor length can have. */
  varint(): number {
    let value = 0;
    for (let scale = 1, count = 0; count < 10; count++, scale *= 128) {
      if (this.#at >= this.#end) throw new Malformed('it ends within a number');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new Malformed('one of its numbers has more than ten bytes');
  }

  range(): [start: number, end: number] {
    const length = this.varint();
    const start = this.#at;
    if (length > this.#end - start) throw new Malformed('one of its fields is longer than what is left');
    this.#at = start + length;
    return [start, this.#at];
  }

  text(): string {
    const [start, end] = this.range();
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + start, end - start).toString();
  }

  message(): WireReader {
    return new WireReader(this.#bytes, ...this.range());
  }

  /** Leaves out the value of a field that isn't known. Groups, which proto3 dropped, are refused. */
  skip(tag: number): void {
    const type = tag % 8;
    if (tag < 8) throw new Malformed('it has a field 0');
    if (type === 0) this.varint();
    else if (type === 2) this.range();
    else if (type === 1 || type === 5) this.#pass(type === 1 ? 8 : 4);
    else throw new Malformed(`it has a field of wire type ${type}`);
  }

  #pass(bytes: number): void {
    if (bytes > this.#end - this.#at) throw new Malformed('it ends within a number');
    this.#at += bytes;
  }
}

function indexIn(table: Map<string, number>, key: string): number {
  const known = table.get(key);
  if (known !== undefined) return known;
  table.set(key, table.size);
  return table.size - 1;
}

function delimited(number: number, bytes: Uint8Array): Uint8Array[] {
  return [field(number, 2), varint(bytes.length), bytes];
}

function field(number: number, wireType: number): Uint8Array {
  return Uint8Array.of(number * 8 + wireType);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
