/**
 * Random tables and random predicates: a query over the files that pruning leaves gives what it gives over them all.
 * `SEED` replays a run.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { DuckDbEngine } from '../duckdb/index.ts';
import { type DataType, DeltaTable, LocalStore, quoteText, struct } from '../index.ts';
import {
  and,
  type ComparisonOperator,
  compare,
  isIn,
  isNotNull,
  isNull,
  type Literal,
  not,
  or,
  type Predicate,
} from './predicate.ts';
import { randomFrom } from '../testing/random.ts';

const seed = Number(process.env.SEED ?? 20261121);
const FILES = 12;
const PREDICATES = 150;
const directory = mkdtempSync(join(tmpdir(), 'sluice-prune-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const random = randomFrom(seed);
const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)] as Item;
const below = (limit: number): number => Math.floor(random() * limit);

const COLUMNS = {
  n: 'long',
  i: 'integer',
  d: 'double',
  f: 'float',
  x: 'decimal(12,3)',
  s: 'string',
  day: 'date',
  moment: 'timestamp',
  local: 'timestamp_ntz',
  ok: 'boolean',
  p: 'string',
  q: 'date',
} as const satisfies Record<string, DataType>;
type Column = keyof typeof COLUMNS;
const NAMES = Object.keys(COLUMNS) as Column[];

/** A value of a column around a centre, so that files differ and overlap. */
function valueNear(column: Column, centre: number): unknown {
  const near = centre + below(20) - 10;
  const day = new Date(Date.UTC(2020, 0, 1) + near * 86_400_000).toISOString().slice(0, 10);
  const instant = `${day} ${String(below(24)).padStart(2, '0')}:00:00.${String(below(1000000)).padStart(6, '0')}`;
  switch (column) {
    case 'n':
      return 9007199254740992n + BigInt(near);
    case 'i':
      return near;
    case 'd':
      return pick<number>([
        near / 3,
        near,
        -0,
        near,
        random() < 0.6 ? Number.NaN : near,
        random() < 0.1 ? Infinity : near,
      ]);
    case 'f':
      return near / 10;
    case 'x':
      return `${near}.${String(below(1000)).padStart(3, '0')}`;
    case 's':
    case 'p':
      return pick([
        '',
        `v${near}`,
        `${'long-'.repeat(8)}${near}`,
        `\u{1F680}${near}`,
        `\uFFFD${near}`,
        'é'.repeat(40),
      ]);
    case 'day':
    case 'q':
      return day;
    case 'moment':
      return `${instant}Z`;
    case 'local':
      return instant;
    default:
      return random() < 0.5;
  }
}

/** Values that rows have, by column. */
const used = new Map<Column, unknown[]>();

function literalOf(column: Column): { literal: Literal; sql: string } {
  // Mostly values that are there, since bounds matter most where they are met exactly.
  const known = used.get(column) ?? [];
  const value = known.length > 0 && random() < 0.7 ? pick(known) : valueNear(column, below(FILES) * 8);
  const type: DataType = COLUMNS[column];
  switch (type) {
    case 'long':
    case 'integer':
      return { literal: { type: 'integer', value: BigInt(value as bigint | number) }, sql: String(value) };
    case 'double':
    case 'float': {
      const finite = Number.isFinite(value) ? (value as number) : 1;
      return {
        literal: { type: 'double', value: finite },
        sql: `CAST(${quoteText(String(finite))} AS DOUBLE)`,
      };
    }
    case 'boolean':
      return { literal: { type: 'boolean', value: value as boolean }, sql: String(value) };
    case 'date':
      return { literal: { type: 'date', value: value as string }, sql: `DATE ${quoteText(value as string)}` };
    case 'timestamp':
      return {
        literal: { type: 'timestamp', value: value as string },
        sql: `TIMESTAMPTZ ${quoteText((value as string).replace('Z', '+00'))}`,
      };
    case 'timestamp_ntz':
      return {
        literal: { type: 'timestamp_ntz', value: value as string },
        sql: `TIMESTAMP ${quoteText(value as string)}`,
      };
    case 'string':
      return { literal: { type: 'string', value: value as string }, sql: quoteText(value as string) };
    default:
      return { literal: { type: 'decimal', value: value as string }, sql: value as string };
  }
}

function condition(depth: number): { predicate: Predicate; sql: string } {
  if (depth > 0 && random() < 0.6) {
    const [left, right] = [condition(depth - 1), condition(depth - 1)];
    const kind = pick(['and', 'or', 'not']);
    if (kind === 'not') return { predicate: not(left.predicate), sql: `NOT (${left.sql})` };
    return {
      predicate: kind === 'and' ? and(left.predicate, right.predicate) : or(left.predicate, right.predicate),
      sql: `((${left.sql}) ${kind.toUpperCase()} (${right.sql}))`,
    };
  }
  const column = pick(NAMES);
  const kind = below(10);
  if (kind === 0) return { predicate: isNull(column), sql: `${column} IS NULL` };
  if (kind === 1) return { predicate: isNotNull(column), sql: `${column} IS NOT NULL` };
  if (kind === 2) {
    const literals = Array.from({ length: 3 }, () => literalOf(column));
    return {
      predicate: isIn(
        column,
        literals.map(({ literal }) => literal),
      ),
      sql: `${column} IN (${literals.map(({ sql }) => sql).join(', ')})`,
    };
  }
  const operator = pick<ComparisonOperator>(['=', '<>', '<', '<=', '>', '>=']);
  const { literal, sql } = literalOf(column);
  return { predicate: compare(column, operator, literal), sql: `${column} ${operator} ${sql}` };
}

it(`pruning never loses a matching row (seed ${seed})`, async () => {
  const engine = await DuckDbEngine.create({ threads: 2 });
  const table = await DeltaTable.create({
    store: new LocalStore(directory),
    engine,
    root: 't',
    now: Date.now,
    schema: struct(COLUMNS),
    partitionColumns: ['p', 'q'],
    properties: { 'delta.checkpointInterval': '1000' },
  });
  for (let file = 0; file < FILES; file += 1) {
    const [p, q] = [valueNear('p', file * 8), valueNear('q', file * 8)];
    const empty = pick([...NAMES, undefined, undefined]);
    const rows = Array.from({ length: 1 + below(12) }, () =>
      Object.fromEntries(
        NAMES.map((name) => [
          name,
          name === empty || random() < 0.1
            ? null
            : name === 'p'
              ? p
              : name === 'q'
                ? q
                : valueNear(name, file * 8),
        ]),
      ),
    );
    for (const name of NAMES) {
      const values = rows.map((row) => row[name]).filter((value) => value !== null);
      used.set(name, [...(used.get(name) ?? []), ...values]);
    }
    await table.append({ source: { kind: 'rows', rows } });
  }
  const snapshot = await table.snapshot();
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
  await connection.run(`CREATE TABLE whole AS ${(await snapshot.scan()).sql}`);
  const count = async (from: string, where: string): Promise<string> => {
    const [[found] = []] = (
      await connection.runAndReadAll(`SELECT count(*) FROM ${from} WHERE ${where}`)
    ).getRowsJson();
    return JSON.stringify(found);
  };
  let skipped = 0;
  for (let at = 0; at < PREDICATES; at += 1) {
    const { predicate, sql } = condition(below(4));
    const scan = await snapshot.scan({ predicate });
    skipped += scan.filesSkipped;
    if (scan.filesSkipped === 0) continue;
    assert.equal(await count(`(${scan.sql})`, sql), await count('whole', sql), `predicate ${at}: ${sql}`);
  }
  assert.ok(skipped > PREDICATES, `pruning must do something: ${skipped} files skipped`);
  connection.closeSync();
  await engine.close();
});
