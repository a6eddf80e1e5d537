/** Cheap tests of puts, and the texts of answers, without an object for each record. */
import { assert } from '../../base/assert.ts';
import {
  sequenceNumberOf,
  type Appended,
  type ReadResult,
  type RecordsIn,
  type ShardRef,
} from '../../modules/streams/index.ts';
import {
  KEY_LENGTH_MAX,
  NAME_LENGTH_MAX,
  NAME_PATTERN,
  RECORD_BYTES_MAX,
  RECORDS_PER_REQUEST_MAX,
  type PutRecordsInput,
} from './inputs.ts';
import { writeDigits } from './digits.ts';
import { rateExceeded } from './errors.ts';
import { jsonRecordsBytesMax, writeJsonRecords } from './json-records.ts';

/** Error of a shard that has no capacity left. */
export const THROTTLED = 'ProvisionedThroughputExceededException';

const NAME = new RegExp(NAME_PATTERN);
const HASH_KEY = /^(0|[1-9]\d{0,38})$/;
/** No base64 up to it has more than the largest data. */
const DATA_LENGTH_MAX = Math.floor(RECORD_BYTES_MAX / 3) * 4;

type Members = Readonly<Record<string, unknown>>;

/** True only for members that the shape of PutRecord accepts; data that isn't base64 is refused when it is decoded. */
export function isCertainlyPutRecord(input: Members): boolean {
  for (const member in input)
    if (
      member !== 'StreamName' &&
      member !== 'Data' &&
      member !== 'PartitionKey' &&
      member !== 'ExplicitHashKey'
    )
      return false;
  return isName(input.StreamName) && isRecord(input);
}

export function isCertainlyPutRecords(input: Members): boolean {
  for (const member in input) if (member !== 'StreamName' && member !== 'Records') return false;
  const { Records: records } = input;
  if (!isName(input.StreamName) || !Array.isArray(records)) return false;
  if (records.length === 0 || records.length > RECORDS_PER_REQUEST_MAX) return false;
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as Members | null;
    if (typeof record !== 'object' || record === null || Array.isArray(record)) return false;
    for (const member in record)
      if (member !== 'Data' && member !== 'PartitionKey' && member !== 'ExplicitHashKey') return false;
    if (!isRecord(record)) return false;
  }
  return true;
}

function isName(name: unknown): boolean {
  return typeof name === 'string' && name.length <= NAME_LENGTH_MAX && NAME.test(name);
}

function isRecord(record: Members): boolean {
  const { Data: data, PartitionKey: key, ExplicitHashKey: hash } = record;
  return (
    typeof key === 'string' &&
    key.length > 0 &&
    key.length <= KEY_LENGTH_MAX &&
    (typeof data === 'string' ? isData(data) : isBytes(data)) &&
    (hash === undefined || (typeof hash === 'string' && HASH_KEY.test(hash)))
  );
}

function isData(data: string): boolean {
  return (
    data.length <= DATA_LENGTH_MAX &&
    (data.length & 3) === 0 &&
    // Decoding would take the URL alphabet too, and bits that stand for nothing.
    !data.includes('-') &&
    !data.includes('_') &&
    endsWhole(data)
  );
}

/** From CBOR. */
function isBytes(data: unknown): boolean {
  return data instanceof Uint8Array && data.length <= RECORD_BYTES_MAX;
}

const LAST_OF_1_BYTE = 'AQgw';
const LAST_OF_2_BYTES = 'AEIMQUYcgkosw048';

/** Whether the last character before padding has no bits beyond the last byte. */
function endsWhole(data: string): boolean {
  const { length } = data;
  if (length === 0 || data.charCodeAt(length - 1) !== PADDING) return true;
  return data.charCodeAt(length - 2) === PADDING
    ? LAST_OF_1_BYTE.includes(data.charAt(length - 3))
    : LAST_OF_2_BYTES.includes(data.charAt(length - 2));
}

const PADDING = 0x3d;

/** The columns of a PutRecords, and the bytes of its largest record and of all; a size counts key and data. */
export function columnsOf(records: PutRecordsInput['Records']): {
  columns: RecordsIn;
  largestBytes: number;
  largest: number;
  totalBytes: number;
} {
  const partitionKeys: string[] = [];
  const data: (string | Uint8Array)[] = [];
  let explicitHashKeys: (string | undefined)[] | undefined;
  let largestBytes = 0;
  let largest = 0;
  let totalBytes = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index]!;
    const bytes = recordBytes(record.PartitionKey, record.Data);
    totalBytes += bytes;
    if (bytes > largestBytes) {
      largestBytes = bytes;
      largest = index;
    }
    partitionKeys.push(record.PartitionKey);
    data.push(record.Data);
    if (record.ExplicitHashKey !== undefined) {
      explicitHashKeys ??= Array.from({ length: records.length }, () => undefined);
      explicitHashKeys[index] = record.ExplicitHashKey;
    }
  }
  const columns =
    explicitHashKeys === undefined ? { partitionKeys, data } : { partitionKeys, data, explicitHashKeys };
  return { columns, largestBytes, largest, totalBytes };
}

/** Of a record with its key. */
export function recordBytes(key: string, data: string | Uint8Array): number {
  if (typeof data !== 'string') return key.length + data.length;
  const length = data.length;
  const padding = data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0;
  return key.length + (length >> 2) * 3 - padding;
}

export function putRecordAnswer(appended: Appended): string {
  const shard = appended.shards[0]!;
  const encryption = appended.encrypted === true ? ',"EncryptionType":"KMS"' : '';
  return `{"ShardId":"${shard.shardId}","SequenceNumber":"${sequenceNumberOf(shard, appended.offsets[0]!)}"${encryption}}`;
}

const ANSWER_HEAD = Buffer.from('{"FailedRecordCount":0,"Records":[');
const ANSWER_TAIL = Buffer.from(']}');
const ENCRYPTED_TAIL = Buffer.from('],"EncryptionType":"KMS"}');

/**
 * As bytes: an answer of 500 records is 60 KB, and as text it would be joined, measured and encoded, each time over
 * all of it.
 */
export function putRecordsAnswer({
  shards,
  offsets,
  encrypted,
}: Pick<Appended, 'shards' | 'offsets' | 'encrypted'>): Buffer {
  const tail = encrypted === true ? ENCRYPTED_TAIL : ANSWER_TAIL;
  const answer = Buffer.allocUnsafe(ANSWER_HEAD.length + shards.length * ENTRY_BYTES - 1 + tail.length);
  answer.set(ANSWER_HEAD);
  let at = ANSWER_HEAD.length;
  for (let index = 0; index < shards.length; index++) {
    const entry = entryOf(shards[index]!);
    // The tail is written over the last one's comma.
    answer.set(entry, at);
    writeDigits(answer, at + NUMBER_END, offsets[index]!);
    at += ENTRY_BYTES;
  }
  answer.set(tail, at - 1);
  return answer;
}

/** Where some records had no capacity: each of them carries its error instead of a number. */
export function throttledAnswer(appended: Appended, throttled: Uint8Array, stream: string): object {
  const records = appended.shards.map((shard, index) =>
    throttled[index] === 1
      ? { ErrorCode: THROTTLED, ErrorMessage: rateExceeded(shard.shardId, stream) }
      : { SequenceNumber: sequenceNumberOf(shard, appended.offsets[index]!), ShardId: shard.shardId },
  );
  return {
    FailedRecordCount: throttled.reduce((sum, one) => sum + one, 0),
    Records: records,
    ...(appended.encrypted === true && { EncryptionType: 'KMS' }),
  };
}

/** A record at offset 0, with a comma after it; the last digits of its sequence number are the offset. */
const entryText = (shard: ShardRef): string => `${numberText(shard)}","ShardId":"${shard.shardId}"},`;
const numberText = (shard: ShardRef): string => `{"SequenceNumber":"${sequenceNumberOf(shard, 0)}`;

/** Sequence numbers and shard ids have fixed widths, and so have entries. */
const ANY_SHARD: ShardRef = { uid: 0, shardId: 'shardId-000000000000' };
const ENTRY_BYTES = entryText(ANY_SHARD).length;
const NUMBER_END = numberText(ANY_SHARD).length;

const ENTRIES_MAX = 8192;
const entries = new Map<number, Buffer>();

function entryOf(shard: ShardRef): Buffer {
  const known = entries.get(shard.uid);
  if (known !== undefined) return known;
  const entry = Buffer.from(entryText(shard));
  assert(entry.length === ENTRY_BYTES, `entries have one width: ${shard.shardId}`);
  if (entries.size >= ENTRIES_MAX) entries.clear();
  entries.set(shard.uid, entry);
  return entry;
}

const GET_HEAD = Buffer.from('{"Records":[');

/** `next` is the next iterator, or at the end of a closed shard those that go on. */
export function getRecordsAnswer(
  shard: ShardRef,
  { runs, millisBehindLatest }: ReadResult,
  next: string | readonly object[],
): Buffer {
  const onward =
    typeof next === 'string' ? `"NextShardIterator":"${next}"` : `"ChildShards":${JSON.stringify(next)}`;
  const tail = Buffer.from(`],${onward},"MillisBehindLatest":${Math.floor(millisBehindLatest)}}`);
  const answer = Buffer.allocUnsafe(GET_HEAD.length + jsonRecordsBytesMax(runs) + tail.length);
  answer.set(GET_HEAD);
  const end = writeJsonRecords(answer, GET_HEAD.length, shard, runs);
  answer.set(tail, end);
  return answer.subarray(0, end + tail.length);
}
