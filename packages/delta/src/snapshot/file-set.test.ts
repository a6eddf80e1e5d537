import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddFile, RemoveFile } from '../log/actions.ts';
import { NO_TOTALS, packedAdds, ROW_SEPARATOR } from '../log/packed-files.ts';
import { struct } from '../schema/types.ts';
import { compare } from '../skip/predicate.ts';
import { filesTest } from '../skip/prune.ts';
import { FileSet } from './file-set.ts';

const TABLE = { schema: struct({ n: 'long' }), partitionColumns: [] };

/** Two of a hundred match `n = 7`. */
function statsOf(at: number): string {
  return at % 7 === 0
    ? ''
    : `{"numRecords":1,"minValues":{"n":${at % 100}},"maxValues":{"n":${(at % 100) + 1}}}`;
}

function addOf(at: number): AddFile {
  const stats = statsOf(at);
  const add = { path: `f${at}`, partitionValues: {}, size: 1, modificationTime: 0, dataChange: true };
  return stats === '' ? add : { ...add, stats };
}

function removeOf(at: number): RemoveFile {
  return { path: `f${at}`, dataChange: true };
}

/** A checkpoint's files, in blocks of a thousand. */
function packed(count: number) {
  const bytes = (texts: string[]): Uint8Array => new Uint8Array(Buffer.from(texts.join(ROW_SEPARATOR)));
  const blocks = Array.from({ length: Math.ceil(count / 1000) }, (_, block) => {
    const numbers = Array.from(
      { length: Math.min(1000, count - block * 1000) },
      (_own, at) => block * 1000 + at,
    );
    return {
      count: numbers.length,
      keys: bytes(numbers.map((at) => `f${at}`)),
      rows: bytes(numbers.map(() => ['1', '0', '1', '', '', '{}', '', '', ''].join('\u0001'))),
      stats: bytes(numbers.map(statsOf)),
    };
  });
  return { files: packedAdds(blocks), totals: { ...NO_TOTALS, sizeBytes: count } };
}

describe('files that may match', () => {
  const tests = filesTest(compare('n', '=', { type: 'integer', value: 7n }), TABLE);
  const paths = (files: Iterable<AddFile>): string[] => [...files].map(({ path }) => path);
  const check = (set: FileSet): number => {
    const found = paths([...set.matching(tests)].flat());
    assert.deepEqual(found, paths([...set.files()].filter(tests.file)));
    return found.length;
  };

  it('are those of the version, whether from a checkpoint or from commits, also after later changes', () => {
    const builder = FileSet.builder(packed(3500));
    const range = (from: number, to: number): number[] =>
      Array.from({ length: to - from }, (_, at) => from + at);
    for (const at of range(3500, 6000)) builder.add(addOf(at));
    for (const at of range(0, 50)) builder.remove(`f${at}`);
    const sets = [builder.build(1)];
    for (let version = 2; version < 12; version += 1) {
      const from = 6000 + version * 400;
      const next = sets.at(-1)?.advance(version, {
        adds: range(from, from + 400).map(addOf),
        removes: range(version * 100, version * 100 + 90).map(removeOf),
      });
      assert.ok(next !== undefined);
      sets.push(next);
      assert.ok(check(next) > 100);
    }
    // A branch from an old version, and all of the versions again.
    sets.push(sets[3]?.advance(40, { adds: [addOf(100_001)], removes: [removeOf(7)] }) as FileSet);
    for (const set of sets) check(set);
  });

  it('are all of an empty set: none', () => {
    assert.equal(check(FileSet.empty()), 0);
  });
});
