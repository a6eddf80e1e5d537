import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { struct } from '@sluice/delta';
import { predicateOf } from './predicates.ts';
import { classify } from './statement.ts';
import { blankLeadingComments } from './text.ts';
import { decodeToken, encodeToken } from './tokens.ts';

describe('kinds of statements', () => {
  for (const sql of [
    'select 1',
    ' \n( SELECT 1 )',
    'WITH a AS (SELECT 1) SELECT * FROM a',
    'VALUES (1)',
    'FROM t',
    'TABLE t',
    '-- DROP TABLE t\nSELECT 1',
    '/* SET x */ /* y */ SELECT 1;',
  ]) {
    test(sql, () => assert.deepEqual({ ...classify(sql), sql: '' }, { kind: 'query', type: 'DML', sql: '' }));
  }

  test('EXPLAIN is a utility', () => {
    assert.deepEqual(classify('explain select 1'), {
      kind: 'query',
      type: 'UTILITY',
      sql: 'explain select 1',
    });
  });

  const CATALOG: Readonly<Record<string, object>> = {
    'SHOW DATABASES': { kind: 'show-databases' },
    "show schemas like 'a*';": { kind: 'show-databases', pattern: 'a*' },
    'SHOW TABLES': { kind: 'show-tables' },
    "SHOW TABLES IN sales 'f*'": { kind: 'show-tables', database: 'sales', pattern: 'f*' },
    'SHOW TABLES FROM AwsDataCatalog.`odd db`': { kind: 'show-tables', database: 'odd db' },
    'SHOW COLUMNS IN sales.orders': { kind: 'show-columns', database: 'sales', table: 'orders' },
    'SHOW COLUMNS FROM orders IN sales': { kind: 'show-columns', database: 'sales', table: 'orders' },
    'DESCRIBE orders': { kind: 'describe', table: 'orders' },
    'DESCRIBE FORMATTED sales.orders': { kind: 'describe', database: 'sales', table: 'orders' },
    'desc "sluice"."sales" . "or""ders" -- x': { kind: 'describe', database: 'sales', table: 'or"ders' },
    'DESCRIBE extended': { kind: 'describe', table: 'extended' },
  };
  for (const [sql, statement] of Object.entries(CATALOG))
    test(sql, () => assert.deepEqual(classify(sql), statement));

  for (const sql of [
    'DROP TABLE t',
    'insert into t values (1)',
    'SET x = 1',
    '/* SELECT */ CALL enable_logging()',
    "ATTACH 'x'",
    'PRAGMA version',
    'PREPARE p AS SELECT 1',
    'BEGIN',
    "COPY t TO 'x'",
    'SHOW CREATE TABLE t',
    'SHOW',
    'DESCRIBE',
    'DESCRIBE a.b.c',
    'DESCRIBE SELECT 1',
    'SHOW TABLES; SELECT 1',
    'SHOW ALL TABLES',
  ]) {
    test(`${sql} is not supported`, () => assert.throws(() => classify(sql), { code: 'unsupported' }));
  }

  for (const sql of ['', ' ', '-- only', '/* open', 'SELEC 1', '42', ';', '\u0000', '(((']) {
    test(`${JSON.stringify(sql)} is none`, () => assert.throws(() => classify(sql), { code: 'invalid' }));
  }

  test('long and odd texts are judged at once', () => {
    for (const text of [
      '/*'.repeat(100_000),
      ' '.repeat(200_000),
      '(-- \n'.repeat(50_000),
      'SHOW '.repeat(50_000),
    ]) {
      assert.throws(() => classify(text));
    }
  });
});

test('comments before the statement become spaces of the same size', () => {
  const sql = '/* ü€\n */-- x\n SELECT /* y */ 1';
  const blank = blankLeadingComments(sql);
  assert.equal(Buffer.byteLength(blank), Buffer.byteLength(sql));
  assert.equal(blank.trim(), 'SELECT /* y */ 1');
  assert.equal(blank.split('\n').length, 3);
});

test('tokens belong to one list', () => {
  assert.equal(decodeToken('a', encodeToken('a', 5)), 5);
  for (const token of [
    '',
    'x',
    encodeToken('b', 5),
    `${encodeToken('a', 5)}=`,
    Buffer.from('a:-1').toString('base64url'),
    Buffer.from('a:1e3').toString('base64url'),
  ]) {
    assert.throws(() => decodeToken('a', token), { code: 'invalid' }, token);
  }
});

describe('conditions as predicates of the log', () => {
  const schema = struct({ n: 'long', d: 'decimal(10,2)', f: 'double', s: 'string' });
  const compare = (column: string, text: string) =>
    predicateOf({ kind: 'compare', column, operator: '=', value: { type: 'number', text } }, schema);

  test('take the type of the column', () => {
    const literals = [compare('N', '5'), compare('d', '5.00'), compare('f', '5e3')].map(
      (predicate) => 'value' in predicate && predicate.value,
    );
    assert.deepEqual(literals, [
      { type: 'integer', value: 5n },
      { type: 'decimal', value: '5.00' },
      { type: 'double', value: 5_000 },
    ]);
  });

  test('are unknown when column and value do not fit', () => {
    for (const predicate of [
      compare('s', '5'),
      compare('none', '5'),
      compare('n', '5.5'),
      compare('d', '1e3'),
    ]) {
      assert.deepEqual(predicate, { kind: 'unknown' });
    }
  });
});
