import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { packedAdds, type PackedBlock, ROW_SEPARATOR } from './packed-files.ts';

/** Keys of the same end, as those of Spark's files are. */
const keyOf = (at: number): string => `part-${at}-c000.snappy.parquet`;

function block(keys: readonly string[]): PackedBlock {
  return {
    count: keys.length,
    keys: Buffer.from(keys.join(ROW_SEPARATOR)),
    rows: Buffer.from(keys.map(() => '').join(ROW_SEPARATOR)),
    stats: Buffer.from(keys.map(() => '').join(ROW_SEPARATOR)),
  };
}

describe('packed files', () => {
  const blocks = Array.from({ length: 10 }, (_, at) =>
    block(Array.from({ length: 100 }, (__, row) => keyOf(at * 100 + row))),
  );

  it('are found by key, whether their keys were looked through at once or bit by bit', () => {
    const atOnce = packedAdds(blocks);
    const inTurns = packedAdds(blocks);
    const done: boolean[] = [];
    for (let turn = 0; turn < 4; turn += 1) done.push(inTurns.indexSome(300));
    assert.deepEqual(done, [false, false, false, true], 'a turn takes no more blocks than it needs');
    const begun = packedAdds(blocks);
    begun.indexSome(100);
    for (const files of [atOnce, inTurns, begun]) {
      for (const at of [0, 99, 100, 555, 999]) assert.equal(files.find(keyOf(at)), at);
      assert.equal(files.find(keyOf(1000)), -1);
      assert.equal(files.find('part-1'), -1);
    }
  });

  it('are the last of those with one key', () => {
    assert.equal(packedAdds([block(['a', 'b', 'a']), block(['c', 'b'])]).find('b'), 4);
    assert.equal(packedAdds([block(['a', 'b', 'a']), block(['c', 'b'])]).find('a'), 2);
  });

  it('may be none', () => {
    assert.equal(packedAdds([]).indexSome(1), true);
    assert.equal(packedAdds([]).find('a'), -1);
  });
});
