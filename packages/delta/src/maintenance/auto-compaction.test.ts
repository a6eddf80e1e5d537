/** When files are joined in the background, and how often a row is written for it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddFile } from '../log/actions.ts';
import { FileSet } from '../snapshot/file-set.ts';
import { autoCompactionDue, type AutoCompactionPolicy, tierOf } from './auto-compaction.ts';

const ROW_BYTES = 50;

function file(name: string, rows: number, extra: Partial<AddFile> = {}): AddFile {
  return {
    path: name,
    partitionValues: {},
    size: rows * ROW_BYTES,
    modificationTime: 0,
    dataChange: true,
    stats: `{"numRecords":${rows}}`,
    ...extra,
  };
}

function due(
  files: readonly AddFile[],
  policy: AutoCompactionPolicy = {},
  configuration: Record<string, string> = { 'delta.autoOptimize.autoCompact': 'true' },
): ReturnType<typeof autoCompactionDue> {
  const metadata = {
    id: '',
    format: { provider: 'parquet' },
    schemaString: '',
    partitionColumns: [],
    configuration,
  };
  return autoCompactionDue(
    { metadata, files: FileSet.empty().advance(0, { adds: files, removes: [] }) },
    policy,
  );
}

function many(count: number, rows: number, extra: Partial<AddFile> = {}): AddFile[] {
  return Array.from({ length: count }, (_, at) =>
    file(`${JSON.stringify(extra.partitionValues)}${rows}-${at}`, rows, extra),
  );
}

describe('auto compaction', () => {
  it('waits for as many files of one tier as are joined', () => {
    assert.equal(due(many(9, 100)), undefined);
    assert.equal(due(many(10, 100))?.files, 10);
    assert.equal(due([...many(9, 100), ...many(9, 2_000)]), undefined);
    assert.equal(due([...many(9, 100), ...many(10, 2_000)])?.files, 19, 'what is below goes along');
    assert.equal(due([...many(9, 2_000), ...many(10, 100)])?.files, 10, 'what is above does not');
  });

  it('fills final files early, and leaves them alone', () => {
    const policy = { targetFileSizeBytes: 10_000 * ROW_BYTES };
    assert.equal(due(many(50, 5_000), policy), undefined);
    assert.equal(due(many(2, 4_900), policy)?.files, 2);
  });

  it('does as the table says, and the policy where it says nothing', () => {
    const files = many(10, 100);
    const all = { tables: 'unless-refused' } as const;
    assert.equal(due(files, {}, {}), undefined);
    assert.equal(due(files, all, {})?.files, 10);
    assert.equal(due(files, all, { 'delta.autoOptimize.autoCompact': 'false' }), undefined);
    assert.equal(due(files, {}, { 'delta.autoOptimize': 'true' })?.files, 10);
  });

  it('keeps partitions apart, and bounds what one compaction reads', () => {
    const files = ['a', 'b', 'c'].flatMap((p, at) => many(10 + at, 100, { partitionValues: { p } }));
    const plan = due(files);
    assert.deepEqual(
      plan?.bins.map((bin) => bin.files.length),
      [12, 11, 10],
    );
    assert.ok(
      plan?.bins.every((bin) =>
        bin.files.every(
          (one) =>
            one.partitionValues === bin.files[0]?.partitionValues ||
            one.partitionValues.p === bin.partitionValues.p,
        ),
      ),
    );
    assert.equal(due(files, { planBytesMax: 1 })?.bins.length, 1);
  });

  it('takes up large files of which too much is deleted, and no clustered ones', () => {
    const deletionVector = { storageType: 'i', pathOrInlineDv: '', sizeInBytes: 1, cardinality: 600 };
    const policy = { targetFileSizeBytes: 1_000 };
    assert.equal(due([file('x', 1_000, { deletionVector })], policy)?.files, 1);
    assert.equal(due([file('x', 100_000, { deletionVector })], policy), undefined);
    assert.equal(due(many(10, 100, { clusteringProvider: 'liquid' })), undefined);
  });

  it('writes each row a logarithmic number of times', () => {
    for (const { rowsOf, fanIn } of [
      { rowsOf: () => 100, fanIn: 10 },
      { rowsOf: () => 1, fanIn: 4 },
      { rowsOf: (at: number) => 1 + ((at * 7919) % 3_000), fanIn: 8 },
    ]) {
      const finalRows = 500_000;
      const policy = { fanIn, targetFileSizeBytes: finalRows * ROW_BYTES };
      let files: AddFile[] = [];
      let appended = 0;
      let rewritten = 0;
      let most = 0;
      for (let at = 0; at < 5_000; at += 1) {
        const rows = rowsOf(at);
        appended += rows;
        files.push(file(`f${at}`, rows));
        for (let round = 0; ; round += 1) {
          assert.ok(round < 20, 'compaction comes to an end');
          const plan = due(files, policy);
          if (plan === undefined) break;
          for (const [index, bin] of plan.bins.entries()) {
            const sum = bin.files.reduce((total, one) => total + one.size / ROW_BYTES, 0);
            rewritten += sum;
            files = files.filter((one) => !bin.files.includes(one));
            files.push(file(`c${at}-${round}-${index}`, sum));
          }
        }
        most = Math.max(most, files.length);
      }
      const bound = Math.ceil(Math.log(finalRows) / Math.log(fanIn)) + 1;
      assert.ok(rewritten <= appended * bound, `${rewritten / appended} times, at most ${bound}`);
      assert.ok(most <= fanIn * bound + appended / (finalRows / 2), `${most} files`);
    }
  });

  it('counts tiers by powers', () => {
    assert.deepEqual(
      [0, 1, 9, 10, 99, 100, 1_000].map((rows) => tierOf(rows, 10)),
      [0, 0, 0, 1, 1, 2, 3],
    );
  });
});
