/** Holds a table against its model. */
import assert from 'node:assert/strict';
import type { DuckDBConnection } from '@duckdb/node-api';
import { DeltaTable } from '../../table.ts';
import { randomCondition } from './conditions.ts';
import type { ModelContent } from './model.ts';
import { ofLibrary, rowsOfSql } from './readings.ts';
import { type ModelRow, rowText } from './values.ts';
import type { World } from './world.ts';

/** As a table in which rows stand in no order: what is in one list and not in the other is shown. */
function assertSameRows(found: readonly ModelRow[], expected: ModelContent, what: string): void {
  const left = new Map<string, number>();
  for (const row of expected.rows) count(left, rowText(row, expected.fields), -1);
  for (const row of found) count(left, rowText(row, expected.fields), 1);
  const lines = [...left]
    .filter(([, times]) => times !== 0)
    .map(([text, times]) => `${times > 0 ? '+' : '-'} ${text}`);
  assert.deepEqual(lines, [], `${what}: ${found.length} rows instead of ${expected.rows.length}`);
}

function count(counts: Map<string, number>, text: string, by: number): void {
  counts.set(text, (counts.get(text) ?? 0) + by);
}

async function read(
  table: DeltaTable,
  expected: ModelContent,
  options: { version?: number; where?: string } = {},
): Promise<ModelRow[]> {
  const rows: ModelRow[] = [];
  for await (const row of table.rows({ ...options, timestamps: 'micros' })) {
    assert.deepEqual(
      Object.keys(row),
      expected.fields.map(({ name }) => name),
    );
    rows.push(ofLibrary(row, expected.fields));
  }
  return rows;
}

/** The newest version by every way to read it, an earlier one, and some of its rows by conditions. */
export async function assertAgrees(world: World, connection: DuckDBConnection, what: string): Promise<void> {
  const { dice, model, table } = world;
  const { content } = model;
  const snapshot = await table.snapshot();
  assertSameRows(await read(table, content), content, `${what}: rows()`);
  assert.equal(snapshot.rowCount, content.rows.length, `${what}: rowCount`);
  assert.deepEqual(snapshot.partitionColumns, content.partitionColumns, what);
  const { sql, release } = await snapshot.scan();
  assertSameRows(await rowsOfSql(connection, sql, content.fields), content, `${what}: scan().sql`);
  release();
  const fresh = await DeltaTable.open(world.options);
  assert.equal((await fresh.snapshot()).version, snapshot.version);
  assertSameRows(await read(fresh, content), content, `${what}: a fresh open`);
  for (let round = 0; round < 2; round += 1) {
    const where = randomCondition(dice, content);
    const expected = { ...content, rows: content.rows.filter((row) => where.test(row) === true) };
    assertSameRows(
      await read(fresh, expected, { where: where.sql }),
      expected,
      `${what}: rows where ${where.sql}`,
    );
  }
  if (model.versions.size > 0) {
    const version = dice.of([...model.versions.keys()]);
    const then = model.versions.get(version);
    assert.ok(then);
    assertSameRows(await read(fresh, then, { version }), then, `${what}: version ${version}`);
  }
}

/** The changes since a version lead from what the table was to what it is. */
export async function assertFeedLeads(
  world: World,
  connection: DuckDBConnection,
  since: { readonly version: number; readonly content: ModelContent },
): Promise<void> {
  const { model, table } = world;
  const { version } = await table.snapshot();
  if (version === since.version) return;
  const changes = await table.changes({ from: { version: since.version + 1 }, to: { version } });
  const { fields } = model;
  const of = (types: string): Promise<ModelRow[]> => {
    const names = fields.map(({ name }) => `"${name.replaceAll('"', '""')}"`).join(', ');
    return rowsOfSql(
      connection,
      `SELECT ${names} FROM (${changes.sql}) WHERE _change_type IN (${types})`,
      fields,
    );
  };
  const [gone, come] = [await of(`'delete', 'update_preimage'`), await of(`'insert', 'update_postimage'`)];
  assertSameRows(
    [...since.content.rows, ...come],
    { ...model.content, rows: [...model.rows, ...gone] },
    `the change feed of version ${since.version + 1}`,
  );
  changes.release();
}

export async function assertSound({ table }: World, what: string): Promise<void> {
  const { findings } = await table.fsck({ deep: true });
  assert.deepEqual(findings, [], `${what}: fsck`);
}
