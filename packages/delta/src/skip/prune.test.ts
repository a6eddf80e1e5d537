import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddFile } from '../log/actions.ts';
import { type DataType, struct } from '../schema/types.ts';
import {
  and,
  compare,
  isIn,
  isNotNull,
  isNull,
  type Literal,
  not,
  or,
  type Predicate,
  unknown,
} from './predicate.ts';
import { filesTest } from './prune.ts';

const integer = (value: bigint): Literal => ({ type: 'integer', value });
const text = (value: string): Literal => ({ type: 'string', value });

function file(stats: unknown, partitionValues: Record<string, string | null> = {}): AddFile {
  const json = typeof stats === 'string' ? stats : JSON.stringify(stats);
  return { path: 'f', partitionValues, size: 1, modificationTime: 0, dataChange: true, stats: json };
}

function keeps(predicate: Predicate, add: AddFile, types: Record<string, DataType>): boolean {
  const partitionColumns = Object.keys(add.partitionValues);
  return filesTest(predicate, { schema: struct(types), partitionColumns }).file(add);
}

describe('pruning by statistics', () => {
  const add = file({
    numRecords: 10,
    minValues: { n: 5, s: 'b' },
    maxValues: { n: 9, s: 'd' },
    nullCount: { n: 0, s: 10 },
  });
  const types: Record<string, DataType> = { n: 'long', s: 'string', other: 'long' };
  const n = (operator: '=' | '<>' | '<' | '<=' | '>' | '>=', value: bigint) =>
    keeps(compare('n', operator, integer(value)), add, types);

  it('compares with the bounds, both inclusive', () => {
    assert.deepEqual(
      [4n, 5n, 9n, 10n].map((value) => n('=', value)),
      [false, true, true, false],
    );
    assert.deepEqual(
      [5n, 6n].map((value) => n('<', value)),
      [false, true],
    );
    assert.deepEqual(
      [4n, 5n].map((value) => n('<=', value)),
      [false, true],
    );
    assert.deepEqual(
      [8n, 9n].map((value) => n('>', value)),
      [true, false],
    );
    assert.deepEqual(
      [9n, 10n].map((value) => n('>=', value)),
      [true, false],
    );
    assert.equal(n('<>', 5n), true);
    const constant = file({ numRecords: 1, minValues: { n: 5 }, maxValues: { n: 5 } });
    assert.equal(keeps(compare('n', '<>', integer(5n)), constant, types), false);
  });

  it('follows SQL through AND, OR, NOT and IN', () => {
    const [no, yes] = [compare('n', '=', integer(1n)), compare('n', '=', integer(7n))];
    assert.equal(keeps(and(yes, no), add, types), false);
    assert.equal(keeps(or(yes, no), add, types), true);
    assert.equal(keeps(or(no, unknown()), add, types), true);
    assert.equal(keeps(and(no, unknown()), add, types), false);
    assert.equal(keeps(not(compare('n', '>=', integer(5n))), add, types), false);
    assert.equal(keeps(not(or(no, compare('n', '<', integer(100n)))), add, types), false);
    assert.equal(keeps(isIn('n', [integer(1n), integer(20n)]), add, types), false);
    assert.equal(keeps(not(isIn('n', [integer(1n), integer(20n)])), add, types), true);
    assert.equal(keeps(isIn('n', []), add, types), false);
    assert.equal(keeps(not(not(no)), add, types), false);
  });

  it('knows where nulls are', () => {
    assert.equal(keeps(isNull('n'), add, types), false);
    assert.equal(keeps(isNotNull('n'), add, types), true);
    assert.equal(keeps(isNotNull('s'), add, types), false);
    assert.equal(keeps(not(isNull('s')), add, types), false);
    assert.equal(keeps(compare('s', '=', text('c')), add, types), false, 'all values are null');
  });

  it('keeps the file where it knows nothing', () => {
    for (const predicate of [
      compare('other', '=', integer(1n)),
      compare('none', '=', integer(1n)),
      isNull('other'),
      compare('n', '=', text('1')),
      not(unknown()),
    ]) {
      assert.equal(
        keeps(predicate, add, types),
        true,
        JSON.stringify(predicate, (_, v: unknown) => String(v)),
      );
    }
    for (const stats of ['', '{', '[]', '{"numRecords":1}', '{"minValues":{"n":"x"}}']) {
      assert.equal(keeps(compare('n', '=', integer(1n)), file(stats), types), true, stats);
    }
  });

  it('does not lose digits, milliseconds, NaN or the order of bytes', () => {
    const long = file(
      '{"numRecords":1,"minValues":{"n":9007199254740993},"maxValues":{"n":9007199254740993}}',
    );
    assert.equal(keeps(compare('n', '=', integer(9007199254740993n)), long, types), true);
    assert.equal(keeps(compare('n', '=', integer(9007199254740992n)), long, types), false);
    const at = file({
      numRecords: 1,
      minValues: { t: '2020-01-01T00:00:00.123Z' },
      maxValues: { t: '2020-01-01T00:00:00.123Z' },
    });
    const later = compare('t', '=', { type: 'timestamp', value: '2020-01-01T00:00:00.123456Z' });
    assert.equal(keeps(later, at, { t: 'timestamp' }), true, 'the writer may have cut microseconds off');
    const double = file({ numRecords: 2, minValues: { d: 1 }, maxValues: { d: 2 } });
    assert.equal(
      keeps(compare('d', '>', { type: 'double', value: 5 }), double, { d: 'double' }),
      true,
      'NaN is above',
    );
    assert.equal(keeps(compare('d', '<', { type: 'double', value: 0 }), double, { d: 'double' }), false);
    const astral = file({ numRecords: 1, minValues: { s: '\uFF5E' }, maxValues: { s: '\u{1F680}' } });
    assert.equal(
      keeps(compare('s', '=', text('\u{1F600}')), astral, types),
      true,
      'UTF-16 would order them the other way',
    );
    const decimal = file('{"numRecords":1,"minValues":{"x":0.10},"maxValues":{"x":1E+1}}');
    assert.equal(
      keeps(compare('x', '>', { type: 'decimal', value: '9.99' }), decimal, { x: 'decimal(10,2)' }),
      true,
    );
    assert.equal(keeps(compare('x', '>', integer(10n)), decimal, { x: 'decimal(10,2)' }), false);
  });
});

describe('pruning by partition', () => {
  const types: Record<string, DataType> = { p: 'date', q: 'string', v: 'long' };
  const add = file({ numRecords: 1 }, { p: '2020-01-02', q: '' });

  it('takes the values from the log', () => {
    const day = (value: string): Literal => ({ type: 'date', value });
    assert.equal(keeps(compare('P', '=', day('2020-01-02')), add, types), true);
    assert.equal(keeps(compare('p', '<', day('2020-01-02')), add, types), false);
    assert.equal(keeps(isNull('p'), add, types), false);
    assert.equal(keeps(isNull('q'), add, types), true, "'' is null");
    assert.equal(keeps(compare('q', '=', text('')), add, types), false);
  });
});
