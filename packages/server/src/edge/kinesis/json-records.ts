/**
 * Records as JSON, in the form that GetRecords and the events of subscriptions share. They are written as bytes: the
 * text of 10,000 records would be joined, measured and encoded, each time over all of it.
 */
import { assert } from '../../base/assert.ts';
import { sequenceNumberOf, type RecordRun, type ShardRef } from '../../modules/streams/index.ts';
import { incrementDigits, writeDigits } from './digits.ts';

/** What `toString('base64')` and `write(…, 'latin1')` call after checks of their arguments. */
type TextBuffer = Buffer & {
  base64Slice(from: number, to: number): string;
  latin1Write(text: string, at: number): number;
};

const NUMBER_MEMBER = '{"SequenceNumber":"';
const NUMBER_END = NUMBER_MEMBER.length + sequenceNumberOf({ uid: 0 }, 0).length;
const KEY_MEMBER = Buffer.from('","PartitionKey":');
const END = Buffer.from('},');
const ENCRYPTED_END = Buffer.from(',"EncryptionType":"KMS"},');
/** Members, number and time of a record, with a comma after it. */
const RECORD_BYTES_MORE = 192;
/** A control character is six. */
const KEY_GROWTH_MAX = 6;

/** Bytes that `writeJsonRecords` needs at most. */
export function jsonRecordsBytesMax(runs: readonly RecordRun[]): number {
  let bytesMax = 0;
  for (const { count, bounds } of runs) {
    let keyBytes = 0;
    for (let at = 0; at < 2 * count; at += 2) keyBytes += bounds[at + 1]! - bounds[at]!;
    const dataBytes = bounds[2 * count]! - bounds[0]! - keyBytes;
    bytesMax += count * RECORD_BYTES_MORE + keyBytes * KEY_GROWTH_MAX + Math.ceil((dataBytes * 4) / 3);
  }
  return bytesMax;
}

/** Writes the items of the list from `from` on, with commas between them; gives where they end. */
export function writeJsonRecords(
  target: Buffer,
  from: number,
  shard: ShardRef,
  runs: readonly RecordRun[],
): number {
  let at = from;
  for (const run of runs) at = writeRun(target, at, shard, run);
  // The last one's comma is not wanted.
  return at === from ? at : at - 1;
}

function writeRun(
  target: Buffer,
  from: number,
  shard: ShardRef,
  { firstOffset, count, arrivalMs, encrypted, bytes, bounds }: RecordRun,
): number {
  const head = Buffer.from(
    `${NUMBER_MEMBER}${sequenceNumberOf(shard, 0)}","ApproximateArrivalTimestamp":${arrivalMs / 1000},"Data":"`,
  );
  assert(
    head.length + KEY_MEMBER.length + ENCRYPTED_END.length < RECORD_BYTES_MORE - 8,
    'a record is bounded',
  );
  writeDigits(head, NUMBER_END, firstOffset);
  const end = encrypted ? ENCRYPTED_END : END;
  let at = from;
  for (let index = 0; index < count; index++) {
    const keyAt = bounds[2 * index]!;
    const dataAt = bounds[2 * index + 1]!;
    target.set(head, at);
    incrementDigits(head, NUMBER_END);
    at += head.length;
    const data = (bytes as TextBuffer).base64Slice(dataAt, bounds[2 * index + 2]!);
    at += (target as TextBuffer).latin1Write(data, at);
    target.set(KEY_MEMBER, at);
    at = writeKey(target, at + KEY_MEMBER.length, bytes, { from: keyAt, to: dataAt });
    target.set(end, at);
    at += end.length;
  }
  return at;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const PRINTABLE_MIN = 0x20;
const ASCII_MAX = 0x7f;

/** A key is nearly always plain ASCII, which JSON has as it is. */
function writeKey(
  target: Buffer,
  start: number,
  bytes: Buffer,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  let at = start;
  target[at++] = QUOTE;
  for (let index = from; index < to; index++) {
    const byte = bytes[index]!;
    if (byte < PRINTABLE_MIN || byte > ASCII_MAX || byte === QUOTE || byte === BACKSLASH)
      return start + target.write(JSON.stringify(bytes.toString('utf8', from, to)), start);
    target[at++] = byte;
  }
  target[at++] = QUOTE;
  return at;
}
