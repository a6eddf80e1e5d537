/**
 * Random sequences of operations on tables of every kind, each version compared with a plain DuckDB table that DuckDB's
 * own UPDATE, DELETE and MERGE INTO change. Change feeds must lead from each version to the next, and pruning by the
 * statistics that the operations leave must never lose a row.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { readChanges } from '../change-feed/read-changes.ts';
import { DuckDbEngine } from '../duckdb/index.ts';
import { withSession } from '../engine.ts';
import { scanFiles } from '../scan/scan-files.ts';
import { field, struct, type StructType } from '../schema/types.ts';
import { filesTest } from '../skip/prune.ts';
import { wherePredicate } from '../skip/where.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { appendRows } from '../write/append.ts';
import { createTable } from '../write/create-table.ts';
import { deleteRows, type MergeClause, mergeRows, overwriteRows, updateRows } from './index.ts';

const STEPS = 12;
const SEEDS = Number(process.env['DML_SEEDS'] ?? 1);
const FIRST_SEED = Number(process.env['DML_FIRST_SEED'] ?? 1);

let engine: DuckDbEngine;
let model: DuckDBConnection;
let instance: DuckDBInstance;
const root = mkdtempSync(join(tmpdir(), 'dml-'));
const store = new LocalStore(root);

before(async () => {
  engine = await DuckDbEngine.create({ threads: 2 });
  instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  model = await instance.connect();
  await model.run(`SET TimeZone = 'UTC'`);
});
after(async () => {
  model.closeSync();
  instance.closeSync();
  await engine.close();
  rmSync(root, { recursive: true, force: true });
});

const SCHEMA: StructType = struct([
  field('k', 'long'),
  field('n', 'integer'),
  field('x', 'double'),
  field('d', 'decimal(20,3)'),
  field('Text', 'string'),
  field('at', 'timestamp'),
  field('p', 'string'),
  field('q', 'date'),
  field('st', struct({ a: 'long', b: struct({ c: 'string' }) })),
  field('list', { type: 'array', elementType: 'integer', containsNull: true }),
]);

/** The whole of what is random: the same seed makes the same run. */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed * 2654435761) >>> 0 || 1;
  }

  /** From 0 (inclusive) to `bound` (exclusive). */
  below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * bound);
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

const TEXTS = [
  '',
  'a',
  'ä𐐷',
  "o'clock",
  'x'.repeat(40),
  '🦀'.repeat(20),
  '__HIVE_DEFAULT_PARTITION__',
  'a/b=c%20',
];

function value(dice: Dice, name: string): string {
  if (name !== 'k' && dice.below(6) === 0) return 'NULL';
  switch (name) {
    case 'k':
      return String(dice.below(40));
    case 'n':
      return String(dice.below(20) - 10);
    case 'x':
      return dice.of([
        `'nan'::DOUBLE`,
        `'inf'::DOUBLE`,
        `'-inf'::DOUBLE`,
        '-0.0',
        '1.5',
        '1e300',
        String(dice.below(9)),
      ]);
    case 'd':
      return dice.of(['12345678901234567.891', '-0.001', String(dice.below(9))]);
    case 'Text':
      return `'${dice.of(TEXTS).replaceAll("'", "''")}'`;
    case 'p':
      return `'${dice.of(TEXTS.slice(0, 4)).replaceAll("'", "''")}'`;
    case 'q':
      return `DATE '2020-01-0${1 + dice.below(3)}'`;
    case 'at':
      return `TIMESTAMPTZ '2020-01-01 00:00:00.00000${dice.below(9)}+00'`;
    case 'st':
      return `{'a': ${dice.below(5)}, 'b': ${dice.of(['NULL', `{'c': 'z${dice.below(3)}'}`])}}`;
    default:
      return dice.of(['[]', '[1, NULL]', `[${dice.below(5)}]`]);
  }
}

const TYPES: Record<string, string> = {
  k: 'BIGINT',
  n: 'INTEGER',
  x: 'DOUBLE',
  d: 'DECIMAL(20,3)',
  Text: 'VARCHAR',
  at: 'TIMESTAMP WITH TIME ZONE',
  p: 'VARCHAR',
  q: 'DATE',
  st: 'STRUCT(a BIGINT, b STRUCT(c VARCHAR))',
  list: 'INTEGER[]',
};
const NAMES = Object.keys(TYPES);

/** Rows as a SELECT; with `distinct` no two have the same k. */
function rowsSql(dice: Dice, { count, distinct }: { count: number; distinct: boolean }): string {
  const rows = Array.from({ length: count }, () => NAMES.map((name) => value(dice, name)).join(', '));
  const columns = NAMES.map((name) => `CAST("${name}" AS ${TYPES[name]}) AS "${name}"`).join(', ');
  const names = NAMES.map((name) => `"${name}"`).join(', ');
  const all = `SELECT ${columns} FROM (VALUES ${rows.map((row) => `(${row})`).join(', ')}) AS v(${names})`;
  return distinct ? `SELECT DISTINCT ON (k) * FROM (${all}) ORDER BY ALL` : all;
}

/** A condition over one row, with NULLs in many ways; `alias` qualifies the columns. */
function condition(dice: Dice, alias: string, depth = 0): string {
  const column = (name: string): string => `${alias}."${name}"`;
  if (depth < 2 && dice.below(3) === 0) {
    const [left, right] = [condition(dice, alias, depth + 1), condition(dice, alias, depth + 1)];
    return dice.of([`(${left} AND ${right})`, `(${left} OR ${right})`, `NOT (${left})`]);
  }
  return dice.of([
    `${column('k')} ${dice.of(['<', '>=', '=', '<>'])} ${dice.below(40)}`,
    `${column('N')} ${dice.of(['<', '>', '='])} ${dice.below(20) - 10}`,
    `${column('x')} ${dice.of(['<', '>', '=', '>='])} ${dice.of(['1.5', `'nan'::DOUBLE`, '0'])}`,
    `${column('d')} > ${dice.of(['12345678901234567.890', '0.5'])}`,
    `${column('text')} ${dice.of(['=', '<', '>='])} '${dice.of(TEXTS).replaceAll("'", "''")}'`,
    `${column('p')} ${dice.of(['=', '<>'])} 'a'`,
    `${column('p')} IS NULL`,
    `${column('q')} IN (DATE '2020-01-01', DATE '2020-01-02')`,
    `${column('at')} > TIMESTAMPTZ '2020-01-01 00:00:00.000004+00'`,
    `${column('st')}.a = ${dice.below(5)}`,
    `${column('st')}.b.c IS NULL`,
    `len(${column('list')}) > 0`,
    `${column('k')} % 3 = ${dice.below(3)}`,
    'true',
    'NULL',
  ]);
}

const SETTABLE = ['n', 'x', 'd', 'Text', 'p', 'q', 'st', 'list'];

function assignments(dice: Dice, aliases: readonly string[]): Record<string, string> {
  const set: Record<string, string> = {};
  for (let count = 1 + dice.below(3); count > 0; count -= 1) {
    const name = dice.of(SETTABLE);
    set[name] = dice.of([value(dice, name), `${dice.of(aliases)}."${name}"`]);
  }
  return set;
}

function setSql(set: Record<string, string>): string {
  return Object.entries(set)
    .map(([name, sql]) => `"${name}" = CAST(${sql} AS ${TYPES[name]})`)
    .join(', ');
}

/** Does one operation to the table and to the model. */
async function step(dice: Dice, context: TableContext, partitions: readonly string[]): Promise<string> {
  const kind = dice.of([
    'append',
    'append',
    'delete',
    'delete',
    'update',
    'update',
    'merge',
    'merge',
    'merge',
    'overwrite',
  ]);
  if (kind === 'append') {
    const sql = rowsSql(dice, { count: 1 + dice.below(40), distinct: false });
    await appendRows(context, { source: { kind: 'sql', sql } });
    await model.run(`INSERT INTO target ${sql}`);
    return 'append';
  }
  if (kind === 'delete') {
    const where = condition(dice, 'target');
    await deleteRows(context, { where });
    await model.run(`DELETE FROM target WHERE ${where}`);
    return `delete ${where}`;
  }
  if (kind === 'update') {
    const where = condition(dice, 'target');
    const set = assignments(dice, ['target']);
    await updateRows(context, { set, where });
    await model.run(`UPDATE target SET ${setSql(set)} WHERE ${where}`);
    return `update ${JSON.stringify(set)} where ${where}`;
  }
  if (kind === 'overwrite') return overwrite(dice, context, partitions);
  return merge(dice, context);
}

async function overwrite(dice: Dice, context: TableContext, partitions: readonly string[]): Promise<string> {
  const rows = rowsSql(dice, { count: 1 + dice.below(10), distinct: false });
  if (partitions.length > 0 && dice.below(3) === 0) {
    await overwriteRows(context, { source: { kind: 'sql', sql: rows }, mode: 'partitions' });
    const same = partitions.map(
      (name) =>
        `nullif(CAST(s."${name}" AS VARCHAR), '') IS NOT DISTINCT FROM CAST(target."${name}" AS VARCHAR)`,
    );
    await model.run(`DELETE FROM target WHERE EXISTS (FROM (${rows}) AS s WHERE ${same.join(' AND ')})`);
    await model.run(`INSERT INTO target ${rows}`);
    return `overwrite partitions`;
  }
  if (dice.below(4) === 0) {
    await overwriteRows(context, { source: { kind: 'sql', sql: rows }, mode: 'whole' });
    await model.run('DELETE FROM target');
    await model.run(`INSERT INTO target ${rows}`);
    return 'overwrite whole';
  }
  const where = condition(dice, 'target');
  const fitting = partitions.includes('p') ? `SELECT * REPLACE (nullif(p, '') AS p) FROM (${rows})` : rows;
  const source = `SELECT * FROM (${fitting}) AS target WHERE ${where}`;
  await overwriteRows(context, { source: { kind: 'sql', sql: source }, mode: { replaceWhere: where } });
  await model.run(`DELETE FROM target WHERE ${where}`);
  await model.run(`INSERT INTO target ${source}`);
  return `overwrite where ${where}`;
}

async function merge(dice: Dice, context: TableContext): Promise<string> {
  const source = rowsSql(dice, { count: 1 + dice.below(25), distinct: true });
  const on = dice.of([
    'target.k = source.k',
    'target.k = source.k',
    'source.k = target.k AND target.n > 0',
    `target.k = source.k AND target.p = source.p`,
    'target.k = source.k + 1 AND source.n IS NOT NULL',
  ]);
  const clauses: MergeClause[] = [];
  const sql: string[] = [];
  const add = (clause: MergeClause, when: string, action: string): void => {
    clauses.push(clause);
    sql.push(
      `WHEN ${when}${clause.condition === undefined ? '' : ` AND (${clause.condition})`} THEN ${action}`,
    );
  };
  const names = NAMES.map((name) => `"${name}"`).join(', ');
  const all = NAMES.map((name) => `"${name}" = source."${name}"`).join(', ');
  const isUpsert = dice.below(4) === 0;
  if (isUpsert) {
    const values = NAMES.map((name) => `source."${name}"`).join(', ');
    add({ kind: 'matched-update', set: 'all' }, 'MATCHED', `UPDATE SET ${all}`);
    add({ kind: 'insert', values: 'all' }, 'NOT MATCHED', `INSERT (${names}) VALUES (${values})`);
  }
  for (let left = isUpsert ? 0 : dice.below(3); left > 0; left -= 1) {
    const when =
      left === 1 && dice.below(2) === 0
        ? undefined
        : `${condition(dice, 'source')} AND ${condition(dice, 'target')}`;
    if (dice.below(3) === 0) add({ kind: 'matched-delete', condition: when }, 'MATCHED', 'DELETE');
    else if (dice.below(2) === 0)
      add({ kind: 'matched-update', condition: when, set: 'all' }, 'MATCHED', `UPDATE SET ${all}`);
    else {
      const set = assignments(dice, ['source', 'target']);
      add({ kind: 'matched-update', condition: when, set }, 'MATCHED', `UPDATE SET ${setSql(set)}`);
    }
  }
  if (!isUpsert && dice.below(3) > 0) {
    const when = dice.below(2) === 0 ? undefined : condition(dice, 'source');
    const values = NAMES.map((name) => `source."${name}"`).join(', ');
    if (dice.below(2) === 0)
      add(
        { kind: 'insert', condition: when, values: 'all' },
        'NOT MATCHED',
        `INSERT (${names}) VALUES (${values})`,
      );
    else
      add(
        { kind: 'insert', condition: when, values: { K: 'source.k', n: '7' } },
        'NOT MATCHED',
        'INSERT (k, n) VALUES (source.k, 7)',
      );
  }
  if (!isUpsert && (dice.below(3) === 0 || clauses.length === 0)) {
    const when = condition(dice, 'target');
    if (dice.below(2) === 0)
      add({ kind: 'by-source-delete', condition: when }, 'NOT MATCHED BY SOURCE', 'DELETE');
    else
      add(
        { kind: 'by-source-update', condition: when, set: { n: 'n + 1' } },
        'NOT MATCHED BY SOURCE',
        'UPDATE SET n = target.n + 1',
      );
  }
  await mergeRows(context, { source: { kind: 'sql', sql: source }, on, clauses });
  await model.run(`MERGE INTO target USING (${source}) AS source ON (${on}) ${sql.join(' ')}`);
  return `merge on ${on} ${sql.join(' ')}`;
}

async function count(sql: string): Promise<number> {
  return Number((await model.runAndReadAll(`SELECT count(*) FROM (${sql})`)).getRowsJS()[0]?.[0]);
}

async function assertSame(left: string, right: string, what: string): Promise<void> {
  assert.equal(await count(left), await count(right), `${what}: numbers of rows`);
  const difference = (await model.runAndReadAll(`(${left}) EXCEPT ALL (${right})`)).getRowsJson();
  assert.deepEqual(difference, [], what);
}

async function assertPrunes(dice: Dice, context: TableContext): Promise<void> {
  const state = await context.refresh();
  const files = [...state.files.files()];
  const all = await scanFiles(context, state, files);
  for (let round = 0; round < 4; round += 1) {
    const where = condition(dice, 'target');
    const predicate = await withSession(engine, (session) =>
      wherePredicate(session, state, where, { alias: 'target' }),
    );
    const test = filesTest(predicate, { ...state, partitionColumns: state.metadata.partitionColumns }).file;
    const kept = await scanFiles(context, state, files.filter(test));
    const matching = (sql: string): string => `SELECT * FROM (${sql}) AS target WHERE ${where}`;
    assert.equal(await count(matching(kept)), await count(matching(all)), `pruned by ${where}`);
  }
}

const KINDS: { name: string; partitions: string[]; properties: Record<string, string> }[] = [
  { name: 'copy-on-write', partitions: [], properties: {} },
  { name: 'partitions, copy-on-write', partitions: ['p', 'q'], properties: {} },
  { name: 'deletion vectors', partitions: [], properties: { 'delta.enableDeletionVectors': 'true' } },
  {
    name: 'partitions, deletion vectors, column mapping',
    partitions: ['p'],
    properties: { 'delta.enableDeletionVectors': 'true', 'delta.columnMapping.mode': 'name' },
  },
  { name: 'change feed', partitions: ['q'], properties: { 'delta.enableChangeDataFeed': 'true' } },
  {
    name: 'change feed, deletion vectors, mapping by id',
    partitions: ['p'],
    properties: {
      'delta.enableChangeDataFeed': 'true',
      'delta.enableDeletionVectors': 'true',
      'delta.columnMapping.mode': 'id',
    },
  },
];

describe('random operations leave what DuckDB’s own leave', () => {
  for (const [number, kind] of KINDS.entries()) {
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
      it(`${kind.name}, seed ${seed}`, async () => {
        const dice = new Dice(seed * 100 + number);
        const options = { store, engine, root: `t${number}-${seed}` };
        const context = createContext(options);
        const { partitions: partitionColumns, properties } = kind;
        await createTable(context, { ...options, schema: SCHEMA, partitionColumns, properties });
        const columns = NAMES.map((name) => `"${name}" ${TYPES[name]}`).join(', ');
        await model.run(`CREATE OR REPLACE TABLE target (${columns})`);
        await model.run('CREATE OR REPLACE TABLE previous AS FROM target');
        for (let at = 1; at <= STEPS; at += 1) {
          const since = (await context.refresh()).version;
          const what = `step ${at}: ${await step(dice, context, partitionColumns)}`;
          // In a partition '' is NULL.
          if (partitionColumns.includes('p')) await model.run(`UPDATE target SET p = NULL WHERE p = ''`);
          const state = await context.refresh();
          const scan = await scanFiles(context, state, [...state.files.files()]);
          await assertSame(scan, 'FROM target', what);
          assert.equal(state.files.rowCount, await count('FROM target'), `${what}: rows by the statistics`);
          if (properties['delta.enableChangeDataFeed'] === 'true') await assertFeed(context, { since, what });
          await model.run('CREATE OR REPLACE TABLE previous AS FROM target');
        }
        await assertPrunes(dice, context);
      });
    }
  }
});

/** The changes since a version lead from the rows before to the rows now. */
async function assertFeed(
  context: TableContext,
  { since, what }: { since: number; what: string },
): Promise<void> {
  const names = NAMES.map((name) => `"${name}"`).join(', ');
  const { version } = await context.refresh();
  if (version === since) return assertSame('FROM previous', 'FROM target', `${what}: no version, no change`);
  const changes = await readChanges(context, { from: { version: since + 1 } });
  await model.run(`CREATE OR REPLACE TABLE changes AS ${changes.sql}`);
  const of = (types: string): string => `SELECT ${names} FROM changes WHERE _change_type IN (${types})`;
  const gone = of(`'delete', 'update_preimage'`);
  const come = of(`'insert', 'update_postimage'`);
  assert.equal(
    await count(`(${gone}) EXCEPT ALL (FROM previous)`),
    0,
    `${what}: rows that were not there went`,
  );
  await assertSame(
    `((FROM previous) EXCEPT ALL (${gone})) UNION ALL (${come})`,
    'FROM target',
    `${what}: feed`,
  );
  const [before, after] = [await count(of(`'update_preimage'`)), await count(of(`'update_postimage'`))];
  assert.equal(before, after, `${what}: images of updates`);
}
