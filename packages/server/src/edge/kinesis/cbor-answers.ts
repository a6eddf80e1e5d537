/** The answers of the hot path in CBOR: byte strings instead of base64, and no object for a record. */
import { assert } from '../../base/assert.ts';
import {
  sequenceNumberOf,
  type Appended,
  type ReadResult,
  type ShardRef,
} from '../../modules/streams/index.ts';
import {
  ARRAY,
  BYTES,
  encodeCbor,
  EPOCH_BYTES_MAX,
  HEAD_BYTES_MAX,
  MAP,
  TEXT,
  UNSIGNED,
  writeEpoch,
  writeHead,
} from '../aws-cbor/index.ts';

const PLAIN = { timestampMembers: new Set<string>(), timestampsPerSecond: 1 } as const;

export function putRecordCbor(appended: Appended): Buffer {
  const shard = appended.shards[0]!;
  return encodeCbor(
    {
      ShardId: shard.shardId,
      SequenceNumber: sequenceNumberOf(shard, appended.offsets[0]!),
      ...(appended.encrypted === true && { EncryptionType: 'KMS' }),
    },
    PLAIN,
  );
}

/** The key of a member, and the head of a text of this length after it. */
const keyText = (name: string, length?: number): Buffer => {
  const text = Buffer.alloc(name.length + 2 * HEAD_BYTES_MAX);
  let at = writeHead(text, 0, TEXT, name.length);
  at += text.write(name, at);
  if (length !== undefined) at = writeHead(text, at, TEXT, length);
  return text.subarray(0, at);
};

const ANY_SHARD: ShardRef = { uid: 0, shardId: 'shardId-000000000000' };
const NUMBER_LENGTH = sequenceNumberOf(ANY_SHARD, 0).length;
const MAP_OF_2 = Buffer.from([(MAP << 5) | 2]);
const MAP_OF_3 = Buffer.from([(MAP << 5) | 3]);
const MAP_OF_4 = Buffer.from([(MAP << 5) | 4]);
const MAP_OF_5 = Buffer.from([(MAP << 5) | 5]);
const NUMBER_KEY = keyText('SequenceNumber', NUMBER_LENGTH);
const RECORDS_KEY = keyText('Records');

/** The last member of what is encrypted. */
const ENCRYPTION = Buffer.concat([keyText('EncryptionType', 3), Buffer.from('KMS')]);
const NO_ENCRYPTION = Buffer.alloc(0);

const PUT_REST = [keyText('FailedRecordCount'), Buffer.from([0]), RECORDS_KEY];
const PUT_HEAD = Buffer.concat([MAP_OF_2, ...PUT_REST]);
const ENCRYPTED_PUT_HEAD = Buffer.concat([MAP_OF_3, ...PUT_REST]);

/** Sequence numbers and shard ids have fixed widths, and so have entries; the last digits of the number are the offset. */
const entryBytes = (shard: ShardRef): Buffer =>
  Buffer.concat([
    MAP_OF_2,
    NUMBER_KEY,
    Buffer.from(sequenceNumberOf(shard, 0)),
    keyText('ShardId', shard.shardId.length),
    Buffer.from(shard.shardId),
  ]);
const ENTRY_BYTES = entryBytes(ANY_SHARD).length;
const NUMBER_END = MAP_OF_2.length + NUMBER_KEY.length + NUMBER_LENGTH;

const ENTRIES_MAX = 8192;
const entries = new Map<number, Buffer>();

export function putRecordsCbor({
  shards,
  offsets,
  encrypted,
}: Pick<Appended, 'shards' | 'offsets' | 'encrypted'>): Buffer {
  const tail = encrypted === true ? ENCRYPTION : NO_ENCRYPTION;
  const answer = Buffer.allocUnsafe(
    PUT_HEAD.length + HEAD_BYTES_MAX + shards.length * ENTRY_BYTES + tail.length,
  );
  answer.set(encrypted === true ? ENCRYPTED_PUT_HEAD : PUT_HEAD);
  let at = writeHead(answer, PUT_HEAD.length, ARRAY, shards.length);
  for (let index = 0; index < shards.length; index++) {
    answer.set(entryOf(shards[index]!), at);
    writeDigits(answer, at + NUMBER_END, offsets[index]!);
    at += ENTRY_BYTES;
  }
  answer.set(tail, at);
  return answer.subarray(0, at + tail.length);
}

function entryOf(shard: ShardRef): Buffer {
  const known = entries.get(shard.uid);
  if (known !== undefined) return known;
  const entry = entryBytes(shard);
  assert(entry.length === ENTRY_BYTES, `entries have one width: ${shard.shardId}`);
  if (entries.size >= ENTRIES_MAX) entries.clear();
  entries.set(shard.uid, entry);
  return entry;
}

function writeDigits(target: Buffer, end: number, value: number): void {
  for (let at = end - 1, rest = value; rest > 0; at--) {
    const tenth = Math.floor(rest / 10);
    target[at] = 0x30 + (rest - tenth * 10);
    rest = tenth;
  }
}

const ARRIVAL_KEY = keyText('ApproximateArrivalTimestamp');
const DATA_KEY = keyText('Data');
const KEY_KEY = keyText('PartitionKey');
const MILLIS_KEY = keyText('MillisBehindLatest');
const ITERATOR_KEY = keyText('NextShardIterator');
const CHILDREN_KEY = keyText('ChildShards');
const GET_HEAD = Buffer.concat([MAP_OF_3, RECORDS_KEY]);
/** Of a record beside its data and its key. */
const RECORD_BYTES_MORE =
  MAP_OF_4.length +
  NUMBER_KEY.length +
  NUMBER_LENGTH +
  ARRIVAL_KEY.length +
  EPOCH_BYTES_MAX +
  DATA_KEY.length +
  KEY_KEY.length +
  ENCRYPTION.length +
  2 * HEAD_BYTES_MAX;

/** `next` is the next iterator, or at the end of a closed shard those that go on. */
export function getRecordsCbor(
  shard: ShardRef,
  result: ReadResult,
  next: string | readonly object[],
  timestampsPerSecond: 1 | 1000,
): Buffer {
  const onward =
    typeof next === 'string'
      ? Buffer.concat([ITERATOR_KEY, encodeText(next)])
      : Buffer.concat([CHILDREN_KEY, encodeCbor(next, { ...PLAIN, timestampsPerSecond })]);
  let count = 0;
  let bytesMax = GET_HEAD.length + HEAD_BYTES_MAX + MILLIS_KEY.length + HEAD_BYTES_MAX + onward.length;
  for (const { count: inRun, bounds } of result.runs) {
    count += inRun;
    bytesMax += inRun * RECORD_BYTES_MORE + bounds[2 * inRun]! - bounds[0]!;
  }
  const answer = Buffer.allocUnsafe(bytesMax);
  answer.set(GET_HEAD);
  let at = writeHead(answer, GET_HEAD.length, ARRAY, count);
  for (const run of result.runs) at = writeRun(answer, at, shard, run, timestampsPerSecond);
  answer.set(onward, at);
  at += onward.length;
  answer.set(MILLIS_KEY, at);
  at = writeHead(answer, at + MILLIS_KEY.length, UNSIGNED, Math.floor(result.millisBehindLatest));
  return answer.subarray(0, at);
}

function writeRun(
  answer: Buffer,
  from: number,
  shard: ShardRef,
  { firstOffset, count, arrivalMs, encrypted, bytes, bounds }: ReadResult['runs'][number],
  timestampsPerSecond: 1 | 1000,
): number {
  // All but its digits is the same for each record up to its data.
  const head = Buffer.alloc(RECORD_BYTES_MORE);
  head.set(encrypted ? MAP_OF_5 : MAP_OF_4);
  head.set(NUMBER_KEY, MAP_OF_4.length);
  head.write(sequenceNumberOf(shard, 0), NUMBER_END - NUMBER_LENGTH, 'latin1');
  head.set(ARRIVAL_KEY, NUMBER_END);
  let end = writeEpoch(head, NUMBER_END + ARRIVAL_KEY.length, arrivalMs, timestampsPerSecond);
  head.set(DATA_KEY, end);
  end += DATA_KEY.length;
  let at = from;
  for (let index = 0; index < count; index++) {
    const keyAt = bounds[2 * index]!;
    const dataAt = bounds[2 * index + 1]!;
    const dataEnd = bounds[2 * index + 2]!;
    head.copy(answer, at, 0, end);
    writeDigits(answer, at + NUMBER_END, firstOffset + index);
    at = writeHead(answer, at + end, BYTES, dataEnd - dataAt);
    at = copyBytes(bytes, dataAt, dataEnd, answer, at);
    at = copyBytes(KEY_KEY, 0, KEY_KEY.length, answer, at);
    at = writeHead(answer, at, TEXT, dataAt - keyAt);
    at = copyBytes(bytes, keyAt, dataAt, answer, at);
    if (encrypted) at = copyBytes(ENCRYPTION, 0, ENCRYPTION.length, answer, at);
  }
  return at;
}

/** Up to here a loop is faster than a native call. */
const LOOPED_BYTES_MAX = 48;

function copyBytes(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  const length = to - from;
  if (length > LOOPED_BYTES_MAX) source.copy(target, at, from, to);
  else for (let index = 0; index < length; index++) target[at + index] = source[from + index]!;
  return at + length;
}

function encodeText(text: string): Buffer {
  const encoded = Buffer.alloc(text.length + HEAD_BYTES_MAX);
  const at = writeHead(encoded, 0, TEXT, text.length);
  // Iterators are base64.
  return encoded.subarray(0, at + encoded.write(text, at, 'latin1'));
}
