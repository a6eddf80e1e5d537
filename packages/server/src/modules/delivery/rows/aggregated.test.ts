import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { field } from '@sluice/delta';
import { aggregate } from '@sluice/sdk/aggregated-record';
import type { BatchRequest } from '../../../ports/row-writer.ts';
import { mergeDecisions } from '../commit.ts';
import { requestFor, runOf } from '../testing/runs.ts';
import { BatchEncoder } from './encoder.ts';

const A = [field('a', 'long')];

function encode(data: readonly (string | Uint8Array)[], options: Partial<BatchRequest> = {}) {
  const [rows, rejected]: [Buffer[], Buffer[]] = [[], []];
  const encoder = new BatchEncoder(requestFor(A, options), {
    rows: (bytes) => rows.push(Buffer.from(bytes)),
    rejected: (bytes) => rejected.push(Buffer.from(bytes)),
  });
  encoder.add(runOf(data, { firstOffset: 10 }));
  encoder.flush();
  const lines = (parts: Buffer[]) => Buffer.concat(parts).toString().split('\n').slice(0, -1);
  return {
    lines: lines(rows),
    rejects: lines(rejected).map((line) => JSON.parse(line) as Record<string, unknown>),
    encoder,
  };
}

const together = (...data: (string | Uint8Array)[]): Buffer =>
  aggregate(data.map((each, at) => ({ partitionKey: `user-${at}`, data: Buffer.from(each as string) })));

test('an aggregated record becomes the rows of its records, in their order among the others', () => {
  const { lines, rejects, encoder } = encode([
    '{"a":1}',
    together('{"a":2}', '{"a":3}{"a":4}', gzipSync('{"a":5}')),
    '{"a":6}',
  ]);
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { a: number }).a),
    [1, 2, 3, 4, 5, 6],
  );
  assert.deepEqual(rejects, []);
  assert.equal(encoder.rowCount, 6);
});

test('each record of a user is judged alone, and a rejected one has both of its numbers and its own key', () => {
  const { lines, rejects, encoder } = encode([
    together('{"a":1}', '{"a":"x"}', 'no', '{"a":2}', '{"a":3}{"a":'),
    '{"a":"y"}',
  ]);
  assert.deepEqual(lines, ['{"a":1}', '{"a":2}']);
  assert.deepEqual(
    rejects.map((row) => [
      row['sequence_number'],
      row['sub_sequence_number'],
      row['partition_key'],
      row['data'],
    ]),
    [
      ['49000000000000000001000000000000000010', 1, 'user-1', '{"a":"x"}'],
      ['49000000000000000001000000000000000010', 2, 'user-2', 'no'],
      ['49000000000000000001000000000000000010', 4, 'user-4', '{"a":3}{"a":'],
      ['49000000000000000001000000000000000011', null, 'key', '{"a":"y"}'],
    ],
  );
  assert.deepEqual(
    [...encoder.rejectedParts],
    [
      [
        1,
        [
          [
            10,
            [
              [1, 2],
              [4, 4],
            ],
          ],
        ],
      ],
    ],
  );
  assert.deepEqual([...encoder.rejectedOffsets], [[1, [[11, 11]]]]);
});

test('what was rejected of an aggregated record before is left out, and the rest of it is not', () => {
  const record = together('{"a":1}', '{"a":2}', '{"a":"x"}');
  const { lines, rejects } = encode([record], {
    decided: [{ uid: 1, to: 10, rejected: [], rejectedParts: [[10, [[1, 1]]]] }],
  });
  assert.deepEqual(lines, ['{"a":1}']);
  assert.deepEqual(
    rejects.map((row) => row['sub_sequence_number']),
    [2],
  );
});

test("one that can't be taken apart, or holds nothing, is rejected whole", () => {
  const record = together('{"a":1}', '{"a":2}');
  const { lines, rejects, encoder } = encode([record.subarray(0, -1), aggregate([])]);
  assert.deepEqual(lines, []);
  assert.deepEqual(
    rejects.map((row) => [row['error_code'], row['sub_sequence_number'], row['partition_key']]),
    [
      ['bad-aggregate', null, 'key'],
      ['empty-record', null, 'key'],
    ],
  );
  assert.equal(rejects[0]!['data_base64'], record.subarray(0, -1).toString('base64'));
  assert.deepEqual([...encoder.rejectedOffsets], [[1, [[10, 11]]]]);
});

test('a decision takes over the parts of the one in force', () => {
  const inForce = {
    id: 1,
    shards: [
      { uid: 1, to: 9, rejected: [], rejectedParts: [[4, [[0, 1]]] as const, [9, [[3, 3]]] as const] },
    ],
  };
  const merged = mergeDecisions(inForce, new Map([[1, 12]]), {
    rejectedOffsets: new Map([[1, [[11, 11]]]]),
    rejectedParts: new Map([[1, [[4, [[2, 2]]] as const, [12, [[0, 0]]] as const]]]),
  });
  assert.deepEqual(merged, [
    {
      uid: 1,
      to: 12,
      rejected: [[11, 11]],
      rejectedParts: [
        [4, [[0, 2]]],
        [9, [[3, 3]]],
        [12, [[0, 0]]],
      ],
    },
  ]);
});
