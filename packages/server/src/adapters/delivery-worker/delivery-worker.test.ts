import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { rowWriterContract } from '../../ports/row-writer.contract.ts';
import { createInlineRowWriter, createWorkerRowWriter } from './index.ts';
import { packRuns, unpackRuns } from './protocol.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-row-writer-'));
after(() => rmSync(root, { recursive: true, force: true }));
let directories = 0;

for (const create of [createWorkerRowWriter, createInlineRowWriter]) {
  rowWriterContract(create.name, () => {
    const directory = join(root, String(++directories));
    return { writer: create({ directory }), directory };
  });

  test(`${create.name}: files of a process that crashed are removed at the start, others are left`, async () => {
    const directory = join(root, String(++directories));
    mkdirSync(directory);
    for (const name of ['delivery-7-rows.ndjson', 'other.txt']) writeFileSync(join(directory, name), '');
    const writer = create({ directory });
    assert.ok(!existsSync(join(directory, 'delivery-7-rows.ndjson')));
    assert.ok(existsSync(join(directory, 'other.txt')));
    await writer.close();
  });
}

test('runs come out of their buffers as they went in', () => {
  const bytes = Buffer.from('..k1ab..k2cde');
  const runs = [
    { uid: 1, shardId: 'a', firstOffset: 7, count: 1, arrivalMs: 3, bytes, bounds: Uint32Array.of(2, 4, 6) },
    {
      uid: 2,
      shardId: 'b',
      firstOffset: 9,
      count: 1,
      arrivalMs: 4,
      bytes,
      bounds: Uint32Array.of(8, 10, 13),
    },
  ];
  const out = unpackRuns(packRuns(runs));
  const texts = out.map((run) => Buffer.from(run.bytes).toString('utf8', run.bounds[0], run.bounds[2]));
  assert.deepEqual(texts, ['k1ab', 'k2cde']);
  assert.deepEqual(
    out.map(({ uid, shardId, firstOffset, count, arrivalMs }) => [
      uid,
      shardId,
      firstOffset,
      count,
      arrivalMs,
    ]),
    [
      [1, 'a', 7, 1, 3],
      [2, 'b', 9, 1, 4],
    ],
  );
});
