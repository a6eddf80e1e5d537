import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { struct } from '../schema/types.ts';
import { columnsReadBy } from './column-references.ts';
import { re2Pattern } from './spark-patterns.ts';
import { EXPRESSION_DEPTH_MAX, parseSparkExpression } from './spark-parser.ts';
import { translateExpression } from './translate.ts';

const SCHEMA = struct({
  id: 'long',
  f: 'float',
  d: 'double',
  dec: 'decimal(10,2)',
  name: 'string',
  'odd name`': 'string',
  day: 'date',
  at: 'timestamp',
  ok: 'boolean',
  bin: 'binary',
  s: struct({ Inner: 'integer' }),
  list: { type: 'array', elementType: 'long', containsNull: true },
});

describe('an expression', () => {
  it('binds as Spark does', () => {
    const same: [string, string][] = [
      ['a OR b AND NOT c = 1', '(a OR (b AND (NOT (c = 1))))'],
      ['a = 1 + 2 * 3', 'a = (1 + (2 * 3))'],
      ['a BETWEEN 1 AND 2 AND b', '(a BETWEEN 1 AND 2) AND b'],
      ['a NOT IN (1, 2) OR b', '(a NOT IN (1, 2)) OR b'],
      ['a > 1 IS NOT NULL', '(a > 1) IS NOT NULL'],
      ['! a = b', 'NOT (a = b)'],
      ['- - 1', '-(-1)'],
      ['a | b & c', 'a | (b & c)'],
      ['a IS DISTINCT FROM b', 'NOT (a <=> b)'],
    ];
    for (const [left, right] of same) {
      assert.deepEqual(parseSparkExpression(left), parseSparkExpression(right), left);
    }
  });

  it('names columns without regard to case, at any depth of structs', () => {
    const { sql, type, columns } = translateExpression("S.inner > ID AND `odd name``` = 'x'", SCHEMA);
    assert.equal(sql, `((struct_extract("s", 'Inner') > "id") AND ("odd name\`" = 'x'))`);
    assert.equal(type, 'boolean');
    assert.deepEqual(columns, [['s', 'Inner'], ['id'], ['odd name`']]);
  });

  it('is refused by what is in the way', () => {
    const refused: [string, RegExp][] = [
      ['id +', /it ends/],
      ['nope > 1', /no column "nope"/],
      ['s.nope > 1', /no column "s.nope"/],
      ['id > 1; DROP TABLE x', /";"/],
      ['id > 1 -- x', /comments/],
      ['(SELECT 1) = 1', /"SELECT" is not allowed/],
      ['EXISTS (SELECT 1)', /"EXISTS" is not allowed/],
      ["name = 'a''b'", /side by side/],
      ["name = 'a", /quote is not closed/],
      ['concat_ws(name)', /function concat_ws is not allowed/],
      ['toString(name)', /function tostring/],
      ['current_date() > day', /not the same each time/],
      ['rand() > 1', /function rand/],
      ['id / 0 > 1', /constant but 0/],
      ['id % id = 0', /constant but 0/],
      ['dec / 2 > 1', /operator \//],
      ['id ^ 2 = 1', /operator \^/],
      ['f + 1 > 2', /operator \+/],
      ['name > 1', /not compared alike/],
      ['list = list', /not compared alike/],
      ["at = 'yesterday'", /no timestamp/],
      ['CAST(d AS INT) > 1', /cast from double to integer/],
      ['CAST(name AS INT) > 1', /cast from string/],
      ['CAST(id AS ARRAY<INT>) > 1', /cast to array/],
      ["name LIKE 'a\\\\%'", /escapes/],
      ["name ILIKE 'a'", /ILIKE/],
      ["name RLIKE 'a(?=b)'", /don't mean the same/],
      ['id AND ok', /condition can't be a long/],
      ["date_format(at, 'EEE') = 'x'", /letters "EEE"/],
      ['substring(name, 0, 1) = name', /from 1/],
      ["X'00' = bin", /literals such as X/],
      ['99999999999999999999 > id', /beyond/],
      ['length(name, 1) > 1', /takes 1 arguments/],
    ];
    for (const [expression, message] of refused) {
      assert.throws(
        () => translateExpression(expression, SCHEMA),
        { code: 'invalid-expression', message },
        expression,
      );
    }
  });

  it('has a bounded depth', () => {
    const deep = (count: number): string => `${'('.repeat(count)}id > 1${')'.repeat(count)}`;
    translateExpression(deep(EXPRESSION_DEPTH_MAX - 1), SCHEMA);
    assert.throws(() => translateExpression(deep(EXPRESSION_DEPTH_MAX), SCHEMA), {
      code: 'invalid-expression',
    });
  });

  it('shows its columns even where it could not be evaluated', () => {
    assert.deepEqual(columnsReadBy('my_udf(a.b, CASE WHEN c THEN 1 ELSE d END) IN (e)'), [
      ['a', 'b'],
      ['d'],
      ['c'],
      ['e'],
    ]);
    assert.equal(columnsReadBy('transform(a, x -> x + 1) >'), undefined);
  });
});

describe('a regular expression', () => {
  it('is taken where it means the same', () => {
    assert.equal(
      re2Pattern('^[A-Z]{2,3}\\d+(?:-x)?$'),
      '\\A[A-Z]{2,3}\\d+(?:-x)?(?:\\r\\n|[\\n\\r\\x{85}\\x{2028}\\x{2029}])?\\z',
    );
    for (const pattern of [
      'a++',
      '(?i)a',
      '[a&&b]',
      '\\s',
      '\\bx',
      'a^',
      '$a',
      '(?<n>a)',
      '[]a]',
      'a{',
      '[a',
      '\\1',
    ]) {
      assert.equal(re2Pattern(pattern), undefined, pattern);
    }
  });
});
