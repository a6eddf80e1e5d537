import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { struct } from '../schema/types.ts';
import { fileStatistics } from './file-statistics.ts';
import { recordCount } from './record-count.ts';
import { textLowerBound, textUpperBound } from './text-bounds.ts';

const compareUtf8 = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

describe('bounds of strings', () => {
  it('keep short values, and enclose long ones', () => {
    assert.equal(textLowerBound('abc'), 'abc');
    assert.equal(textUpperBound('abc'), 'abc');
    const rocket = '\u{1F680}';
    const last = '\u{10FFFF}';
    for (const value of [
      'z'.repeat(33),
      rocket.repeat(40),
      'é'.repeat(33),
      `${'a'.repeat(31)}${rocket}b`,
      `${'a'.repeat(32)}${rocket}`,
      `${'a'.repeat(32)}${last}b`,
      `${'a'.repeat(32)}\u007Fb`,
      '\uFFFF'.repeat(40),
    ]) {
      const [low, high] = [textLowerBound(value), textUpperBound(value)];
      assert.ok(low !== undefined && high !== undefined);
      assert.ok(low.isWellFormed() && high.isWellFormed(), 'no surrogate pair is split');
      assert.ok(Array.from(low).length <= 32);
      assert.ok(
        compareUtf8(low, value) <= 0 && compareUtf8(value, high) <= 0,
        JSON.stringify([low, value, high]),
      );
    }
    assert.equal(textUpperBound(`${'a'.repeat(32)}b`), `${'a'.repeat(32)}\u007F`);
  });

  it('are left out for ill-formed text', () => {
    assert.equal(textLowerBound('\uD800'), undefined);
    assert.equal(textUpperBound('\uD800'), undefined);
  });
});

describe('statistics of a file', () => {
  const of = (text: string, type: 'double' | 'long' | 'date' | 'boolean' | 'timestamp', hasNan = false) =>
    fileStatistics(
      { rows: 1, columns: [{ path: ['c'], nullCount: 0, min: text, max: text, hasNan }] },
      { schema: struct({ c: type }), partitionColumns: [], indexed: 32 },
    );

  it('keep every digit', () => {
    assert.match(of('9223372036854775807', 'long'), /"minValues":\{"c":9223372036854775807\}/);
  });

  it('leave out bounds that would mislead', () => {
    const none = '{"numRecords":1,"nullCount":{"c":0}}';
    assert.equal(of('1.0', 'double', true), none);
    assert.equal(of('Infinity', 'double'), none);
    assert.equal(of('infinity', 'date'), none);
    assert.equal(of('290001-01-01 (BC)', 'date'), none);
    assert.equal(of('1', 'boolean'), none);
  });

  it('cover the first leaves only, in schema order, by their nesting', () => {
    const columns = [['p'], ['s', 'b'], ['s', 'a'], ['z']].map((path) => ({
      path,
      nullCount: 0,
      min: '1',
      max: '2',
    }));
    const schema = struct({
      p: 'long',
      s: struct({ a: 'long', b: 'long' }),
      l: { type: 'array', elementType: 'long', containsNull: true },
      z: 'long',
    });
    const options = { schema, partitionColumns: ['p'], indexed: 3 };
    assert.deepEqual(JSON.parse(fileStatistics({ rows: 2, columns }, options)), {
      numRecords: 2,
      minValues: { s: { a: 1, b: 1 } },
      maxValues: { s: { a: 2, b: 2 } },
      nullCount: { s: { a: 0, b: 0 } },
    });
    assert.deepEqual(JSON.parse(fileStatistics({ rows: 2, columns }, { ...options, indexed: 0 })), {
      numRecords: 2,
    });
    assert.match(fileStatistics({ rows: 2, columns }, { ...options, indexed: -1 }), /"z":1/);
  });

  it('say how many rows there are, wherever they say it', () => {
    assert.equal(recordCount('{"numRecords":7,"minValues":{}}'), 7);
    assert.equal(recordCount('{"minValues":{"numRecords":3},"numRecords":8}'), 8);
    assert.equal(recordCount('{"minValues":{"numRecords":3}}'), undefined);
    for (const damaged of [null, undefined, '', '{', '[]', '"x"'])
      assert.equal(recordCount(damaged), undefined);
  });
});
