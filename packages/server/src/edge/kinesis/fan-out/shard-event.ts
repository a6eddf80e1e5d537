/** SubscribeToShardEvent as bytes that all subscriptions at one position share. */
import { assert } from '../../../base/assert.ts';
import { sequenceNumberOf, type RecordRun, type ShardRef } from '../../../modules/streams/index.ts';
import { ARRAY, BYTES, MAP, TEXT, writeEpoch, writeHead } from '../../aws-cbor/index.ts';
import { bodyOffset, END_BYTES, messageHeaders, openMessage, otherEnd, seal } from './event-stream.ts';

/**
 * How an event is written. The number of milliseconds behind is the last of its members and has a fixed width: it alone
 * differs between subscriptions that send the same records.
 */
export interface EventFormat {
  readonly headers: Buffer;
  readonly behindBytes: number;
  /** The whole message but for what `writeBehind` writes, and not sealed. */
  encode(shard: ShardRef, runs: readonly RecordRun[], continuation: string): Buffer;
  writeBehind(target: Buffer, at: number, behindMs: number): void;
}

export class ShardEvent {
  readonly startOffset: number;
  readonly nextOffset: number;
  /** Of keys and data; capacity counts it. */
  readonly dataBytes: number;
  /** Of the last record; undefined without records. */
  readonly arrivalMs: number | undefined;
  readonly #format: EventFormat;
  /** As for a subscription that is not behind. */
  readonly #message: Buffer;
  /** Checksum of what is before the end. */
  readonly #checksum: number;

  constructor(
    format: EventFormat,
    shard: ShardRef,
    read: { readonly from: number; readonly nextOffset: number; readonly runs: readonly RecordRun[] },
  ) {
    const { runs, nextOffset } = read;
    let dataBytes = 0;
    for (const { bounds, count } of runs) dataBytes += bounds[2 * count]! - bounds[0]!;
    this.startOffset = read.from;
    this.nextOffset = nextOffset;
    this.dataBytes = dataBytes;
    this.arrivalMs = runs.at(-1)?.arrivalMs;
    this.#format = format;
    this.#message = format.encode(shard, runs, continuationAt(shard, nextOffset));
    format.writeBehind(this.#message, this.#message.length - END_BYTES - format.behindBytes, 0);
    this.#checksum = seal(this.#message, format.behindBytes);
  }

  get bytes(): number {
    return this.#message.length;
  }

  /** The message, without a copy of the records. */
  chunks(behindMs: number): readonly Buffer[] {
    if (behindMs === 0) return [this.#message];
    const { behindBytes, writeBehind } = this.#format;
    const end = otherEnd({ bytes: behindBytes, before: this.#checksum }, (target) =>
      writeBehind(target, 0, behindMs),
    );
    return [this.#message.subarray(0, this.#message.length - end.length), end];
  }
}

/**
 * The number to go on after: that of the last record before `offset`, so that going on AT it repeats a record and AFTER
 * it loses none. Zero stands for the beginning.
 */
function continuationAt(shard: ShardRef, offset: number): string {
  return offset === 0 ? '0' : sequenceNumberOf(shard, offset - 1);
}

export function eventHeaders(contentType: string): Buffer {
  return messageHeaders({
    ':event-type': 'SubscribeToShardEvent',
    ':content-type': contentType,
    ':message-type': 'event',
  });
}

/** Digits of the largest safe integer. */
const BEHIND_DIGITS = 16;

export function jsonEvents(contentType: string): EventFormat {
  const headers = eventHeaders(contentType);
  return {
    headers,
    behindBytes: BEHIND_DIGITS + 1,
    encode(shard, runs, continuation) {
      const text = jsonText(shard, runs, continuation);
      const bytes = Buffer.byteLength(text);
      const target = openMessage(headers, bytes + BEHIND_DIGITS + 1);
      target.write(text, bodyOffset(headers));
      return target;
    },
    writeBehind(target, at, behindMs) {
      target.write(`${String(Math.floor(behindMs)).padStart(BEHIND_DIGITS)}}`, at, 'latin1');
    },
  };
}

function jsonText(shard: ShardRef, runs: readonly RecordRun[], continuation: string): string {
  let text = '{"Records":[';
  let separator = '';
  for (const { firstOffset, count, arrivalMs, bytes, bounds } of runs) {
    const arrival = `","ApproximateArrivalTimestamp":${arrivalMs / 1000},"Data":"`;
    for (let index = 0; index < count; index++) {
      const dataAt = bounds[2 * index + 1]!;
      const key = JSON.stringify(bytes.toString('utf8', bounds[2 * index], dataAt));
      const data = bytes.toString('base64', dataAt, bounds[2 * index + 2]);
      text += `${separator}{"SequenceNumber":"${sequenceNumberOf(shard, firstOffset + index)}${arrival}${data}","PartitionKey":${key}}`;
      separator = ',';
    }
  }
  return `${text}],"ContinuationSequenceNumber":"${continuation}","MillisBehindLatest":`;
}

const UINT_64 = 0x1b;
const BEHIND_BYTES = 9;
/** Of a record beside its key and data: names of members, heads, number and timestamp. */
const RECORD_BYTES_MORE = 160;
const EVENT_BYTES_MORE = 160;

/** Blobs are byte strings: a third less than in JSON. */
export function cborEvents(contentType: string, timestampsPerSecond: 1 | 1000): EventFormat {
  const headers = eventHeaders(contentType);
  return {
    headers,
    behindBytes: BEHIND_BYTES,
    encode(shard, runs, continuation) {
      let bytesMax = EVENT_BYTES_MORE;
      for (const { bounds, count } of runs)
        bytesMax += bounds[2 * count]! - bounds[0]! + count * RECORD_BYTES_MORE;
      const body = Buffer.allocUnsafe(bytesMax);
      const length = writeCbor(body, { shard, runs, continuation, timestampsPerSecond });
      const target = openMessage(headers, length + BEHIND_BYTES);
      target.set(body.subarray(0, length), bodyOffset(headers));
      return target;
    },
    writeBehind(target, at, behindMs) {
      target[at] = UINT_64;
      target.writeBigUInt64BE(BigInt(Math.floor(behindMs)), at + 1);
    },
  };
}

function writeCbor(
  target: Buffer,
  event: {
    readonly shard: ShardRef;
    readonly runs: readonly RecordRun[];
    readonly continuation: string;
    readonly timestampsPerSecond: 1 | 1000;
  },
): number {
  const { shard, runs, continuation, timestampsPerSecond } = event;
  let count = 0;
  for (const run of runs) count += run.count;
  let at = writeText(target, writeHead(target, 0, MAP, 3), 'Records');
  at = writeHead(target, at, ARRAY, count);
  for (const run of runs) {
    const { bytes, bounds } = run;
    for (let index = 0; index < run.count; index++) {
      const [keyAt, dataAt, end] = [bounds[2 * index]!, bounds[2 * index + 1]!, bounds[2 * index + 2]!];
      at = writeText(target, writeHead(target, at, MAP, 4), 'SequenceNumber');
      at = writeText(target, at, sequenceNumberOf(shard, run.firstOffset + index));
      at = writeText(target, at, 'ApproximateArrivalTimestamp');
      at = writeEpoch(target, at, run.arrivalMs, timestampsPerSecond);
      at = writeBytes(target, writeText(target, at, 'Data'), BYTES, bytes.subarray(dataAt, end));
      at = writeBytes(target, writeText(target, at, 'PartitionKey'), TEXT, bytes.subarray(keyAt, dataAt));
    }
  }
  at = writeText(target, writeText(target, at, 'ContinuationSequenceNumber'), continuation);
  at = writeText(target, at, 'MillisBehindLatest');
  assert(at <= target.length, 'an event must fit what is reckoned for it');
  return at;
}

/** Of ASCII. */
function writeText(target: Buffer, at: number, text: string): number {
  const start = writeHead(target, at, TEXT, text.length);
  return start + target.write(text, start, 'latin1');
}

function writeBytes(target: Buffer, at: number, major: number, bytes: Uint8Array): number {
  const start = writeHead(target, at, major, bytes.length);
  target.set(bytes, start);
  return start + bytes.length;
}
