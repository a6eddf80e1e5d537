/** Conditions as DuckDB parses them, against what statistics can be asked of them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { type SqlSession, withSession } from '../engine.ts';
import { struct } from '../schema/types.ts';
import { and, compare, isIn, isNotNull, isNull, not, or, type Predicate, unknown } from './predicate.ts';
import { type WhereOptions, wherePredicate } from './where.ts';

const SCHEMA = struct({
  a: 'integer',
  x: 'decimal(10,2)',
  d: 'double',
  name: 'string',
  flag: 'boolean',
  day: 'date',
  ts: 'timestamp',
  local: 'timestamp_ntz',
  s: struct({ x: 'long' }),
  'we ird': 'long',
});

const integer = (value: number): { type: 'integer'; value: bigint } => ({
  type: 'integer',
  value: BigInt(value),
});

const CASES: readonly (readonly [where: string, predicate: Predicate, options?: WhereOptions])[] = [
  ['a = 1', and(compare('a', '=', integer(1)))],
  ['2 > A', compare('A', '<', integer(2))],
  [
    'a = 1 AND (a < 2 OR NOT a >= -3)',
    and(compare('a', '=', integer(1)), or(compare('a', '<', integer(2)), compare('a', '<', integer(-3)))),
  ],
  ['a BETWEEN 1 AND 2', and(compare('a', '>=', integer(1)), compare('a', '<=', integer(2)))],
  ['a NOT IN (1, 2)', not(isIn('a', [integer(1), integer(2)]))],
  ['a IN (1, NULL)', unknown()],
  ['s.x IS NULL AND "we ird" IS NOT NULL', and(isNull(['s', 'x']), isNotNull('we ird'))],
  ['x = 1.50', compare('x', '=', { type: 'decimal', value: '150e-2' })],
  ["x = '1.5'", compare('x', '=', { type: 'decimal', value: '1.5' })],
  ["x = '1.555'", unknown()],
  ['d > 5e3', compare('d', '>', { type: 'double', value: 5000 })],
  ["name = 'it''s'", compare('name', '=', { type: 'string', value: "it's" })],
  ['flag', compare('flag', '=', { type: 'boolean', value: true })],
  [
    'NOT flag AND flag = false',
    and(
      not(compare('flag', '=', { type: 'boolean', value: true })),
      compare('flag', '=', { type: 'boolean', value: false }),
    ),
  ],
  [
    "day = '2024-01-02' AND day < DATE '2024-02-20'",
    and(
      compare('day', '=', { type: 'date', value: '2024-01-02' }),
      compare('day', '<', { type: 'date', value: '2024-02-20' }),
    ),
  ],
  [
    "ts >= TIMESTAMPTZ '2024-01-02 03:04:05+02'",
    compare('ts', '>=', { type: 'timestamp', value: '2024-01-02 03:04:05+02' }),
  ],
  [
    "local >= DATE '2024-01-02'",
    compare('local', '>=', { type: 'timestamp_ntz', value: '2024-01-02 00:00:00' }),
  ],
  ["local = '2024-01-02 03:04:05+02'", unknown()],
  ["day = TIMESTAMP '2024-01-02 00:00:00'", unknown()],
  [
    "name LIKE 'ab%c'",
    and(
      and(
        compare('name', '>=', { type: 'string', value: 'ab' }),
        compare('name', '<', { type: 'string', value: 'ac' }),
      ),
      unknown(),
    ),
  ],
  ["name LIKE '%c'", unknown()],
  ['a + 1 = 2', unknown()],
  ['a = a', unknown()],
  ['a IN (SELECT 1)', unknown()],
  ['random() < 0.5 OR a = 1', or(unknown(), compare('a', '=', integer(1)))],
  ['other.a = 1', unknown()],
  [
    'target.a = 1 AND Target.s.x = 2',
    and(compare('a', '=', integer(1)), compare(['s', 'x'], '=', integer(2))),
    { alias: 'target' },
  ],
  // Of the table that is called so, or of the column: DuckDB takes the table's.
  ['s.x = 1', unknown(), { alias: 's' }],
  ['a = 1 -- said', compare('a', '=', integer(1))],
  ['a IS DISTINCT FROM 1', unknown()],
  ['a = 12345678901234567890123', unknown()],
];

describe('conditions', () => {
  let engine: DuckDbEngine;
  before(async () => {
    engine = await DuckDbEngine.create({ threads: 1 });
  });
  after(() => engine.close());
  const parsed = (where: string, options?: WhereOptions): Promise<Predicate> =>
    withSession(engine, (session: SqlSession) => wherePredicate(session, { schema: SCHEMA }, where, options));

  for (const [where, predicate, options] of CASES) {
    it(where, async () => {
      const expected = predicate.kind === 'and' && predicate.of.length === 1 ? predicate.of[0] : predicate;
      assert.deepEqual(await parsed(where, options), expected);
    });
  }

  it('refuses what is no condition', async () => {
    for (const where of ['a =', '1) OR (', 'a = 1; DROP TABLE t', '']) {
      await assert.rejects(parsed(where), { code: 'invalid-expression' }, where);
    }
  });
});
