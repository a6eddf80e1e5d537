/** SubscribeToShardEvent as bytes that all subscriptions at one position share. */
import { sequenceNumberOf, type RecordRun, type ShardRef } from '../../../modules/streams/index.ts';
import { MAP, TEXT, writeHead } from '../../aws-cbor/index.ts';
import { cborRecordsBytesMax, writeCborRecords } from '../cbor-records.ts';
import { jsonRecordsBytesMax, writeJsonRecords } from '../json-records.ts';
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

/** Of an event beside its records. */
const EVENT_BYTES_MORE = 160;

const JSON_HEAD = Buffer.from('{"Records":[');
/** Digits of the largest safe integer. */
const BEHIND_DIGITS = 16;

export function jsonEvents(contentType: string): EventFormat {
  const headers = eventHeaders(contentType);
  return {
    headers,
    behindBytes: BEHIND_DIGITS + 1,
    encode(shard, runs, continuation) {
      const body = Buffer.allocUnsafe(JSON_HEAD.length + jsonRecordsBytesMax(runs) + EVENT_BYTES_MORE);
      body.set(JSON_HEAD);
      let at = writeJsonRecords(body, JSON_HEAD.length, shard, runs);
      at += body.write(
        `],"ContinuationSequenceNumber":"${continuation}","MillisBehindLatest":`,
        at,
        'latin1',
      );
      return openWith(headers, body.subarray(0, at), BEHIND_DIGITS + 1);
    },
    writeBehind(target, at, behindMs) {
      target.write(`${String(Math.floor(behindMs)).padStart(BEHIND_DIGITS)}}`, at, 'latin1');
    },
  };
}

const UINT_64 = 0x1b;
const BEHIND_BYTES = 9;

/** Blobs are byte strings: a third less than in JSON. */
export function cborEvents(contentType: string, timestampsPerSecond: 1 | 1000): EventFormat {
  const headers = eventHeaders(contentType);
  return {
    headers,
    behindBytes: BEHIND_BYTES,
    encode(shard, runs, continuation) {
      const body = Buffer.allocUnsafe(cborRecordsBytesMax(runs) + EVENT_BYTES_MORE);
      let at = writeText(body, writeHead(body, 0, MAP, 3), 'Records');
      at = writeCborRecords(body, at, { shard, runs, timestampsPerSecond });
      at = writeText(body, writeText(body, at, 'ContinuationSequenceNumber'), continuation);
      at = writeText(body, at, 'MillisBehindLatest');
      return openWith(headers, body.subarray(0, at), BEHIND_BYTES);
    },
    writeBehind(target, at, behindMs) {
      target[at] = UINT_64;
      target.writeBigUInt64BE(BigInt(Math.floor(behindMs)), at + 1);
    },
  };
}

/** A message that has `body`, and room for more behind it. */
function openWith(headers: Buffer, body: Buffer, bytesMore: number): Buffer {
  const target = openMessage(headers, body.length + bytesMore);
  target.set(body, bodyOffset(headers));
  return target;
}

/** Of ASCII. */
function writeText(target: Buffer, at: number, text: string): number {
  const start = writeHead(target, at, TEXT, text.length);
  return start + target.write(text, start, 'latin1');
}
