import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sequenceNumberOf, type RecordRun } from '../../modules/streams/index.ts';
import { jsonRecordsBytesMax, writeJsonRecords } from './json-records.ts';

const SHARD = { uid: 3, shardId: 'shardId-000000000001' };

function run(
  firstOffset: number,
  records: readonly (readonly [string, Buffer])[],
  { arrivalMs = 1_787_036_486_712, encrypted = false } = {},
): RecordRun {
  const parts = records.flatMap(([key, data]) => [Buffer.from(key), data]);
  let at = 5;
  const bounds = Uint32Array.from([at, ...parts.map((part) => (at += part.length))]);
  const bytes = Buffer.concat([Buffer.alloc(5, 'x'), ...parts, Buffer.alloc(5, 'x')]);
  return { firstOffset, count: records.length, arrivalMs, encrypted, bytes, bounds };
}

/** As the records were before they were bytes. */
const expected = (runs: readonly RecordRun[]): string =>
  runs
    .flatMap(({ firstOffset, count, arrivalMs, encrypted, bytes, bounds }) =>
      Array.from({ length: count }, (_, index) =>
        JSON.stringify({
          SequenceNumber: sequenceNumberOf(SHARD, firstOffset + index),
          ApproximateArrivalTimestamp: arrivalMs / 1000,
          Data: bytes.toString('base64', bounds[2 * index + 1], bounds[2 * index + 2]),
          PartitionKey: bytes.toString('utf8', bounds[2 * index], bounds[2 * index + 1]),
          ...(encrypted && { EncryptionType: 'KMS' }),
        }),
      ),
    )
    .join(',');

function written(runs: readonly RecordRun[]): string {
  const bytesMax = jsonRecordsBytesMax(runs);
  const target = Buffer.alloc(7 + bytesMax);
  const end = writeJsonRecords(target, 7, SHARD, runs);
  assert.ok(end <= 7 + bytesMax, `${end - 7} bytes are more than the ${bytesMax} that were reckoned`);
  return target.toString('utf8', 7, end);
}

const data = (bytes: number): Buffer => Buffer.alloc(bytes, 'data\0\xff', 'latin1');

test('records are what JSON.stringify makes of them, whatever their keys and sizes are', () => {
  const keys = [
    'k',
    'é',
    'ключ',
    '\u{1f30a}',
    '"',
    '\\',
    '\n',
    '\0',
    '\u001f ~\u007f',
    'ab"c\\d',
    '\u2028',
    '/',
  ];
  const long = ['k'.repeat(256), '\0'.repeat(256), '\u{1f30a}'.repeat(128), `${'k'.repeat(255)}"`];
  for (const key of [...keys, ...long])
    for (const encrypted of [false, true]) {
      const runs = [run(7, [[key, data(3)]], { encrypted })];
      assert.equal(written(runs), expected(runs));
    }
  for (const arrivalMs of [0, 1, 1_787_036_486_000, 1_787_036_486_120, 8.64e15]) {
    const runs = [
      run(
        0,
        Array.from({ length: 70 }, (_, size) => [`key-${size}`, data(size)]),
        { arrivalMs },
      ),
    ];
    assert.equal(written(runs), expected(runs));
  }
  assert.equal(written([]), '');
});

test('the numbers of a run go on over every carry, up to the greatest', () => {
  for (const first of [0, 8, 98, 999_998, 1_999_998, 4_294_967_294, Number.MAX_SAFE_INTEGER - 2]) {
    const records = [1, 2, 3].map((size) => ['k', data(size)] as const);
    const runs = [run(first, records), run(0, records, { encrypted: true })];
    assert.equal(written(runs), expected(runs));
  }
});
