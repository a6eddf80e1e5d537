import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { SeededRandom } from '../../../adapters/sim/index.ts';
import type { RecordsIn } from '../api.ts';
import { BatchEncoder, placeBatch, type EncodedBatch } from './batch-encoder.ts';
import { AT } from './batch-format.ts';
import { checkBatch, cutRun, sectionCountOf, sectionOf } from './batch-reader.ts';
import { evenRanges, Router } from './routing.ts';

const PLACEMENT = { position: 4096, durableTo: 2048, salt: 0.125, arrivalMs: 1_700_000_000_000 };
const EXPECTED = { position: 4096, salt: 0.125, bytesMax: 2 ** 24 };
const allocate = (size: number) => Buffer.from(new ArrayBuffer(size));

function encode(records: RecordsIn, shards: number): EncodedBatch {
  const result = new BatchEncoder().encode(records, new Router(evenRanges(shards)), {
    uidOf: (shard) => 100 + shard,
    allocate,
    bytesMax: 2 ** 24,
  });
  assert.ok('buffer' in result);
  placeBatch(result.buffer, result.sectionShards.length, {
    ...PLACEMENT,
    firstOffsetOf: (section) => 1_000 * section,
  });
  return result;
}

function sample(random: SeededRandom, count: number): RecordsIn {
  const keys = [
    'a',
    'key-é',
    '鍵',
    'k'.repeat(256),
    ...Array.from({ length: 20 }, (_, index) => `key-${index}`),
  ];
  const bytes = Array.from({ length: count }, () => Buffer.from(random.bytes(random.below(50))));
  return {
    partitionKeys: bytes.map(() => random.pick(keys)),
    data: bytes.map((data, index) => (index % 2 === 0 ? data.toString('base64') : data)),
  };
}

test('what is encoded is read back, in order within each shard', () => {
  const random = new SeededRandom(1);
  for (const shards of [1, 2, 7, 300]) {
    const records = sample(random, 400);
    const { buffer, recordSections } = encode(records, shards);
    assert.deepEqual(checkBatch(buffer, 0, EXPECTED), { kind: 'valid', bytes: buffer.length });
    const read: { key: string; data: string }[][] = [];
    for (let section = 0; section < sectionCountOf(buffer); section++) {
      const { firstOffset, count } = sectionOf(buffer, section);
      const cut = cutRun(buffer, section, {
        from: firstOffset,
        recordsMax: count,
        bytesMax: Infinity,
        first: true,
      });
      assert.equal(cut?.run.count, count);
      const { bytes, bounds } = cut.run;
      read.push(
        Array.from({ length: count }, (_, index) => ({
          key: bytes.toString('utf8', bounds[2 * index], bounds[2 * index + 1]),
          data: bytes.toString('base64', bounds[2 * index + 1], bounds[2 * index + 2]),
        })),
      );
    }
    for (const [index, key] of records.partitionKeys.entries()) {
      const data = records.data[index]!;
      const expected = { key, data: typeof data === 'string' ? data : Buffer.from(data).toString('base64') };
      assert.deepEqual(read[recordSections[index]!]!.shift(), expected);
    }
    assert.ok(read.every((rest) => rest.length === 0));
  }
});

test('a run obeys the limits, and gives one record that is larger than them when it is the first', () => {
  const data = [10, 20, 30, 40].map((size) => Buffer.alloc(size));
  const { buffer } = encode({ partitionKeys: ['k', 'k', 'k', 'k'], data }, 1);
  const cut = (from: number, recordsMax: number, bytesMax: number, first = false) =>
    cutRun(buffer, 0, { from, recordsMax, bytesMax, first })?.run.count;
  assert.equal(cut(0, 10, 1_000), 4);
  assert.equal(cut(0, 2, 1_000), 2);
  assert.equal(cut(0, 10, 11), 1);
  assert.equal(cut(0, 10, 31), 1);
  assert.equal(cut(0, 10, 32), 2);
  assert.equal(cut(1, 10, 52), 2);
  assert.equal(cut(3, 10, 5), undefined);
  assert.equal(cut(3, 10, 5, true), 1);
});

test('what is not base64 or no hash key is refused with its position', () => {
  const attempt = (records: RecordsIn) =>
    new BatchEncoder().encode(records, new Router(evenRanges(2)), {
      uidOf: (shard) => shard,
      allocate,
      bytesMax: 1_000,
    });
  for (const text of ['a', 'ab', 'abc', '!!!!', 'ab=c', 'abcd efg', 'YWJj\n===', '===='])
    assert.deepEqual(
      attempt({ partitionKeys: ['k', 'k'], data: ['YWJj', text] }),
      { record: 1, problem: 'base64' },
      text,
    );
  for (const hash of ['', '-1', '01', '1e3', String(1n << 128n), '9'.repeat(39), 'x'])
    assert.deepEqual(
      attempt({ partitionKeys: ['k'], explicitHashKeys: [hash], data: ['YWJj'] }),
      { record: 0, problem: 'explicit-hash-key' },
      hash,
    );
  assert.deepEqual(attempt({ partitionKeys: ['k'], data: [Buffer.alloc(1_000)] }), {
    record: 0,
    problem: 'too-large',
  });
});

test('an explicit hash key overrides the partition key', () => {
  const explicitHashKeys = ['0', String((1n << 128n) - 1n), undefined];
  const { sectionShards, recordSections } = encode(
    { partitionKeys: ['k', 'k', 'k'], explicitHashKeys, data: ['', '', ''] },
    2,
  );
  assert.deepEqual(
    Array.from(recordSections.slice(0, 2), (section) => sectionShards[section]),
    [0, 1],
  );
});

test('every changed byte is noticed', () => {
  const { buffer } = encode(sample(new SeededRandom(2), 20), 3);
  for (let at = 0; at < buffer.length; at++) {
    buffer[at]! ^= 1 << (at % 8);
    assert.notEqual(checkBatch(buffer, 0, EXPECTED).kind, 'valid', `byte ${at}`);
    buffer[at]! ^= 1 << (at % 8);
  }
  for (let size = 0; size < buffer.length; size++)
    assert.notEqual(checkBatch(buffer.subarray(0, size), 0, EXPECTED).kind, 'valid');
  assert.equal(checkBatch(buffer, 0, { ...EXPECTED, position: 0 }).kind, 'invalid');
  assert.equal(checkBatch(buffer, 0, { ...EXPECTED, salt: 1 }).kind, 'invalid');
});

test('bytes that a correct checksum vouches for are still read within their bounds', () => {
  const random = new SeededRandom(3);
  const { buffer: whole } = encode(sample(random, 20), 3);
  let valid = 0;
  for (let round = 0; round < 20_000; round++) {
    const buffer = allocate(whole.length);
    whole.copy(buffer);
    for (let change = random.below(4); change >= 0; change--)
      buffer[AT.sectionCount + random.below(400)] = random.below(256);
    buffer.writeUInt32LE(crc32(buffer.subarray(AT.length)), AT.crc);
    if (checkBatch(buffer, 0, EXPECTED).kind !== 'valid') continue;
    valid++;
    for (let section = 0; section < sectionCountOf(buffer); section++) {
      const { firstOffset, count } = sectionOf(buffer, section);
      const cut = cutRun(buffer, section, {
        from: firstOffset,
        recordsMax: count,
        bytesMax: Infinity,
        first: true,
      });
      assert.ok(cut !== undefined && cut.run.bounds.at(-1)! <= buffer.length);
    }
  }
  assert.ok(valid > 0);
});
