import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ReadResult, ShardState } from '../../modules/streams/index.ts';
import { decodeCbor } from '../aws-cbor/index.ts';
import { blob, integer, list, string, structure, timestamp } from '../aws-json/index.ts';
import { getRecordsCbor, putRecordCbor, putRecordsCbor } from './cbor-answers.ts';
import { getRecordsAnswer, putRecordAnswer, putRecordsAnswer } from './hot-path.ts';

const ANSWER = structure({
  ShardId: string(),
  SequenceNumber: string(),
  FailedRecordCount: integer(),
  EncryptionType: string(),
  Records: list(
    structure({
      ShardId: string(),
      SequenceNumber: string(),
      ApproximateArrivalTimestamp: timestamp(),
      Data: blob(),
      PartitionKey: string(),
      EncryptionType: string(),
    }),
  ),
  NextShardIterator: string(),
  ChildShards: list(structure({ ShardId: string(), ParentShards: list(string()) })),
  MillisBehindLatest: integer(),
});
const shard = (uid: number, index: number): ShardState => ({
  uid,
  shardId: `shardId-${String(index).padStart(12, '0')}`,
  hashKeyStart: 0n,
  hashKeyEnd: 0n,
  openedMs: 0,
  trimOffset: 0,
  nextOffset: 0,
});

const decoded = (answer: Buffer, timestampsPerSecond: 1 | 1000 = 1000) =>
  decodeCbor(answer, ANSWER, { timestampsPerSecond }).value;

/** As JSON says it, with base64 decoded. */
const fromJson = (answer: string | Buffer): unknown =>
  JSON.parse(answer.toString(), (name, value: unknown) =>
    name === 'Data' ? Buffer.from(value as string, 'base64') : value,
  );

function run(
  firstOffset: number,
  arrivalMs: number,
  records: readonly [string, Buffer][],
): ReadResult['runs'][number] {
  const parts = records.flatMap(([key, data]) => [Buffer.from(key), data]);
  const bounds = Uint32Array.from({ length: parts.length + 1 }, (_, at) =>
    parts.slice(0, at).reduce((sum, { length }) => sum + length, 3),
  );
  return {
    firstOffset,
    count: records.length,
    arrivalMs,
    encrypted: firstOffset % 2 === 1,
    bytes: Buffer.concat([Buffer.alloc(3), ...parts]),
    bounds,
  };
}

suite('answers in CBOR are those in JSON', () => {
  test('PutRecord', () => {
    for (const encrypted of [undefined, false, true]) {
      const appended = {
        shards: [shard(7, 2)],
        offsets: Float64Array.of(1_000_000),
        arrivalMs: 0,
        encrypted,
      };
      assert.deepEqual(decoded(putRecordCbor(appended)), fromJson(putRecordAnswer(appended)));
    }
  });
  for (const count of [1, 7, 23, 24, 255, 256, 500]) {
    test(`PutRecords with ${count} records`, () => {
      const [a, b] = [shard(7, 0), shard(123_456, 1)];
      const encrypted = count % 2 === 1;
      const appended = {
        encrypted,
        shards: Array.from({ length: count }, (_, at) => (at % 3 === 0 ? a : b)),
        offsets: Float64Array.from({ length: count }, (_, at) => at * 18_043_213_123),
      };
      assert.deepEqual(decoded(putRecordsCbor(appended)), fromJson(putRecordsAnswer(appended)));
    });
  }
  const sizes = [0, 1, 23, 24, 255, 256, 65_535, 65_536];
  const results: Record<string, ReadResult['runs']> = {
    'no records': [],
    'one record': [run(5, 1_787_036_486_712, [['ключ', Buffer.from([0, 255])]])],
    'runs of records of every size of head': [
      run(
        0,
        1_787_036_486_000,
        sizes.map((size) => ['k'.repeat(Math.min(256, size + 1)), Buffer.alloc(size, size)]),
      ),
      run(
        8,
        1_787_036_486_001,
        Array.from({ length: 300 }, (_, at) => [`key ${at}`, Buffer.alloc(at, at)]),
      ),
    ],
  };
  for (const [name, runs] of Object.entries(results)) {
    for (const timestampsPerSecond of [1, 1000] as const) {
      test(`GetRecords: ${name}, times by ${timestampsPerSecond}`, () => {
        const result = { runs, nextOffset: 9, tailOffset: 9, millisBehindLatest: 70_000.7, ended: false };
        for (const next of ['AAAA'.repeat(60), [{ ShardId: 'a', ParentShards: ['b', 'c'] }]]) {
          assert.deepEqual(
            decoded(getRecordsCbor(shard(3, 1), result, next, timestampsPerSecond), timestampsPerSecond),
            fromJson(getRecordsAnswer(shard(3, 1), result, next)),
          );
        }
      });
    }
  }
});
