import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { BatchRequest, RecordsToWrite, RowWriter } from './row-writer.ts';

const REQUEST: BatchRequest = {
  schemaJson: JSON.stringify({
    type: 'struct',
    fields: [{ name: 'a', type: 'long', nullable: true, metadata: {} }],
  }),
  unknownFields: 'ignore',
  columnsAddedMax: 0,
  delivery: 'd',
  stream: 's',
  rewriteAll: false,
  decided: [],
};

/** What every RowWriter does; `make` gives one over a new directory. */
export function rowWriterContract(name: string, make: () => { writer: RowWriter; directory: string }): void {
  test(`${name}: a batch holds the rows of its records in their order, and names those it refuses`, async () => {
    const { writer, directory } = make();
    const batch = writer.open(REQUEST);
    const first = runOf(['{"a":1}', '{"a":"x"}'], 0);
    const added = batch.add([first, runOf(['{"a":"2"}'], 2)]);
    first.bytes.fill(0);
    await added;
    await batch.add([runOf(['{"a":3}{"a":4}'], 3)]);
    const sealed = await batch.seal();
    assert.equal(readFileSync(sealed.rows!.file, 'utf8'), '{"a":1}\n{"a":2}\n{"a":3}\n{"a":4}\n');
    assert.deepEqual([sealed.rows!.rows, sealed.rejected!.rows], [4, 1]);
    assert.equal(sealed.rows!.bytes, readFileSync(sealed.rows!.file).length);
    assert.match(readFileSync(sealed.rejected!.file, 'utf8'), /^{"error_code":"type-mismatch".*}\n$/);
    assert.deepEqual([...sealed.rejectedOffsets], [[5, [[1, 1]]]]);
    assert.deepEqual(sealed.rejectedByCode, { 'type-mismatch': 1 });
    await batch.discard();
    await batch.discard();
    assert.ok(!existsSync(sealed.rows!.file));
    assert.deepEqual(readdirSync(directory), []);
    await writer.close();
  });

  test(`${name}: batches are apart from one another, and an empty one has no file`, async () => {
    const { writer } = make();
    const [one, two] = [writer.open(REQUEST), writer.open(REQUEST)];
    await Promise.all([one.add([runOf(['{"a":1}'], 0)]), two.add([runOf(['{"a":2}'], 0)])]);
    const [first, second] = [await one.seal(), await two.seal()];
    assert.equal(readFileSync(first.rows!.file, 'utf8'), '{"a":1}\n');
    assert.equal(readFileSync(second.rows!.file, 'utf8'), '{"a":2}\n');
    const empty = await writer.open(REQUEST).seal();
    assert.deepEqual([empty.rows, empty.rejected], [undefined, undefined]);
    await writer.close();
  });

  test(`${name}: after its end it refuses, and leaves nothing`, async () => {
    const { writer, directory } = make();
    const batch = writer.open(REQUEST);
    await batch.add([runOf(['{"a":1}'], 0)]);
    await batch.seal();
    await writer.close();
    assert.deepEqual(readdirSync(directory), []);
    await assert.rejects(writer.open(REQUEST).add([runOf(['{}'], 0)]), { code: 'stopped' });
    await batch.discard();
  });

  test(`${name}: what can't be written fails the batch and no other`, async () => {
    const { writer } = make();
    const broken = writer.open({ ...REQUEST, schemaJson: 'no schema' });
    await assert.rejects(broken.add([runOf(['{"a":1}'], 0)]));
    await broken.discard();
    const batch = writer.open(REQUEST);
    await batch.add([runOf(['{"a":1}'], 0)]);
    assert.equal((await batch.seal()).rows!.rows, 1);
    await writer.close();
  });
}

function runOf(data: readonly string[], firstOffset: number): RecordsToWrite {
  const bounds = [0];
  for (const each of data) bounds.push(bounds.at(-1)! + 1, bounds.at(-1)! + 1 + each.length);
  return {
    uid: 5,
    shardId: 'shardId-000000000000',
    firstOffset,
    count: data.length,
    arrivalMs: 0,
    bytes: new Uint8Array(Buffer.from(data.map((each) => `k${each}`).join(''))),
    bounds: Uint32Array.from(bounds),
  };
}
