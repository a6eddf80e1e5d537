/** The answers of the hot path in CBOR: byte strings instead of base64, and no object for a record. */
import { assert } from '../../base/assert.ts';
import {
  sequenceNumberOf,
  type Appended,
  type ReadResult,
  type ShardRef,
} from '../../modules/streams/index.ts';
import { ARRAY, encodeCbor, HEAD_BYTES_MAX, MAP, TEXT, UNSIGNED, writeHead } from '../aws-cbor/index.ts';
import {
  cborRecordsBytesMax,
  ENCRYPTION,
  keyText,
  NUMBER_BYTES,
  NUMBER_KEY,
  writeCborRecords,
} from './cbor-records.ts';
import { writeDigits } from './digits.ts';

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

const ANY_SHARD: ShardRef = { uid: 0, shardId: 'shardId-000000000000' };
const MAP_OF_2 = Buffer.from([(MAP << 5) | 2]);
const MAP_OF_3 = Buffer.from([(MAP << 5) | 3]);
const RECORDS_KEY = keyText('Records');

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
const NUMBER_END = MAP_OF_2.length + NUMBER_BYTES;

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

const MILLIS_KEY = keyText('MillisBehindLatest');
const ITERATOR_KEY = keyText('NextShardIterator');
const CHILDREN_KEY = keyText('ChildShards');
const GET_HEAD = Buffer.concat([MAP_OF_3, RECORDS_KEY]);

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
  const { runs, millisBehindLatest } = result;
  const answer = Buffer.allocUnsafe(
    GET_HEAD.length + cborRecordsBytesMax(runs) + onward.length + MILLIS_KEY.length + HEAD_BYTES_MAX,
  );
  answer.set(GET_HEAD);
  let at = writeCborRecords(answer, GET_HEAD.length, { shard, runs, timestampsPerSecond });
  answer.set(onward, at);
  at += onward.length;
  answer.set(MILLIS_KEY, at);
  at = writeHead(answer, at + MILLIS_KEY.length, UNSIGNED, Math.floor(millisBehindLatest));
  return answer.subarray(0, at);
}

function encodeText(text: string): Buffer {
  const encoded = Buffer.alloc(text.length + HEAD_BYTES_MAX);
  const at = writeHead(encoded, 0, TEXT, text.length);
  // Iterators are base64.
  return encoded.subarray(0, at + encoded.write(text, at, 'latin1'));
}
