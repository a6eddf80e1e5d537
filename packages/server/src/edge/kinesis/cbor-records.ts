/** Records as CBOR, in the form that GetRecords and the events of subscriptions share: no object for a record. */
import { sequenceNumberOf, type RecordRun, type ShardRef } from '../../modules/streams/index.ts';
import {
  ARRAY,
  BYTES,
  EPOCH_BYTES_MAX,
  HEAD_BYTES_MAX,
  MAP,
  TEXT,
  writeEpoch,
  writeHead,
} from '../aws-cbor/index.ts';
import { incrementDigits, writeDigits } from './digits.ts';

/** The key of a member, and the head of a text of this length after it. */
export function keyText(name: string, length?: number): Buffer {
  const text = Buffer.alloc(name.length + 2 * HEAD_BYTES_MAX);
  let at = writeHead(text, 0, TEXT, name.length);
  at += text.write(name, at);
  if (length !== undefined) at = writeHead(text, at, TEXT, length);
  return text.subarray(0, at);
}

/** Of a sequence number, and a member that has one: before it, and with it. */
const NUMBER_LENGTH = sequenceNumberOf({ uid: 0 }, 0).length;
export const NUMBER_KEY = keyText('SequenceNumber', NUMBER_LENGTH);
export const NUMBER_BYTES = NUMBER_KEY.length + NUMBER_LENGTH;

/** The last member of what is encrypted. */
export const ENCRYPTION = Buffer.concat([keyText('EncryptionType', 3), Buffer.from('KMS')]);

const MAP_OF_4 = (MAP << 5) | 4;
const MAP_OF_5 = (MAP << 5) | 5;
const NUMBER_AT = 1 + NUMBER_KEY.length;
const NUMBER_END = 1 + NUMBER_BYTES;
const ARRIVAL_KEY = keyText('ApproximateArrivalTimestamp');
const DATA_KEY = keyText('Data');
const KEY_KEY = keyText('PartitionKey');
/** Of a record beside its data and its key. */
const RECORD_BYTES_MORE =
  NUMBER_END +
  ARRIVAL_KEY.length +
  EPOCH_BYTES_MAX +
  DATA_KEY.length +
  KEY_KEY.length +
  ENCRYPTION.length +
  2 * HEAD_BYTES_MAX;

/** Bytes that `writeCborRecords` needs at most. */
export function cborRecordsBytesMax(runs: readonly RecordRun[]): number {
  let bytesMax = HEAD_BYTES_MAX;
  for (const { count, bounds } of runs)
    bytesMax += count * RECORD_BYTES_MORE + bounds[2 * count]! - bounds[0]!;
  return bytesMax;
}

/** Writes the list from `from` on; gives where it ends. */
export function writeCborRecords(
  target: Buffer,
  from: number,
  of: {
    readonly shard: ShardRef;
    readonly runs: readonly RecordRun[];
    readonly timestampsPerSecond: 1 | 1000;
  },
): number {
  let count = 0;
  for (const run of of.runs) count += run.count;
  let at = writeHead(target, from, ARRAY, count);
  for (const run of of.runs) at = writeRun(target, at, { ...of, run });
  return at;
}

function writeRun(
  target: Buffer,
  from: number,
  of: { readonly shard: ShardRef; readonly run: RecordRun; readonly timestampsPerSecond: 1 | 1000 },
): number {
  const { firstOffset, count, arrivalMs, encrypted, bytes, bounds } = of.run;
  // All but its digits is the same for each record up to its data.
  const head = Buffer.alloc(RECORD_BYTES_MORE);
  head[0] = encrypted ? MAP_OF_5 : MAP_OF_4;
  head.set(NUMBER_KEY, 1);
  head.write(sequenceNumberOf(of.shard, 0), NUMBER_AT, 'latin1');
  writeDigits(head, NUMBER_END, firstOffset);
  head.set(ARRIVAL_KEY, NUMBER_END);
  let end = writeEpoch(head, NUMBER_END + ARRIVAL_KEY.length, arrivalMs, of.timestampsPerSecond);
  head.set(DATA_KEY, end);
  end += DATA_KEY.length;
  let at = from;
  for (let index = 0; index < count; index++) {
    const keyAt = bounds[2 * index]!;
    const dataAt = bounds[2 * index + 1]!;
    const dataEnd = bounds[2 * index + 2]!;
    head.copy(target, at, 0, end);
    incrementDigits(head, NUMBER_END);
    at = writeHead(target, at + end, BYTES, dataEnd - dataAt);
    at = copyBytes(bytes, { from: dataAt, to: dataEnd }, target, at);
    at = copyBytes(KEY_KEY, { from: 0, to: KEY_KEY.length }, target, at);
    at = writeHead(target, at, TEXT, dataAt - keyAt);
    at = copyBytes(bytes, { from: keyAt, to: dataAt }, target, at);
    if (encrypted) at = copyBytes(ENCRYPTION, { from: 0, to: ENCRYPTION.length }, target, at);
  }
  return at;
}

/** Up to here a loop is faster than a native call. */
const LOOPED_BYTES_MAX = 48;

function copyBytes(
  source: Buffer,
  { from, to }: { readonly from: number; readonly to: number },
  target: Buffer,
  at: number,
): number {
  const length = to - from;
  if (length > LOOPED_BYTES_MAX) source.copy(target, at, from, to);
  else for (let index = 0; index < length; index++) target[at + index] = source[from + index]!;
  return at + length;
}
