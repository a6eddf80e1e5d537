/** Whatever changes rows, its changes lead from the rows before to the rows after. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { deleteRows, mergeInto, overwriteRows, updateRows } from '../dml/index.ts';
import { DuckDbEngine } from '../duckdb/index.ts';
import { optimize } from '../maintenance/optimize/optimize.ts';
import { restore } from '../maintenance/restore.ts';
import { readRows } from '../reading/read.ts';
import { field, struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { appendRows } from '../write/append.ts';
import { createTable } from '../write/create-table.ts';
import { readChanges } from './read-changes.ts';

const SCHEMA = struct([
  field('id', 'long'),
  field('part', 'string'),
  field('amount', 'decimal(10,2)'),
  field('tags', { type: 'array', elementType: 'string', containsNull: true }),
]);

const TABLES: { name: string; properties: Record<string, string>; partitionColumns: string[] }[] = [
  { name: 'rewritten files', properties: { 'delta.enableDeletionVectors': 'false' }, partitionColumns: [] },
  { name: 'deletion vectors', properties: { 'delta.enableDeletionVectors': 'true' }, partitionColumns: [] },
  { name: 'partitions', properties: { 'delta.enableDeletionVectors': 'true' }, partitionColumns: ['part'] },
  {
    name: 'a column mapping',
    properties: { 'delta.columnMapping.mode': 'name', 'delta.enableDeletionVectors': 'true' },
    partitionColumns: ['part'],
  },
];

function rows(first: number, count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, at) => ({
    id: first + at,
    part: at % 7 === 0 ? null : `p${at % 3}`,
    amount: `${at}.25`,
    tags: at % 2 === 0 ? ['x', null] : null,
  }));
}

function textOf(row: Readonly<Record<string, unknown>>): string {
  const values = SCHEMA.fields.map(({ name }) => row[name]);
  return JSON.stringify(values, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

/** How often each row is there. */
type Counts = Map<string, number>;

function count(counts: Counts, row: string, by: number): void {
  const next = (counts.get(row) ?? 0) + by;
  if (next === 0) counts.delete(row);
  else counts.set(row, next);
}

describe('the changes of row operations', () => {
  let directory: string;
  let engine: DuckDbEngine;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sluice-changes-'));
    engine = await DuckDbEngine.create({ threads: 1 });
  });
  after(async () => {
    await engine.close();
    await rm(directory, { recursive: true, force: true });
  });

  for (const [at, { name, properties, partitionColumns }] of TABLES.entries()) {
    it(`lead from each version to the next, with ${name}`, async () => {
      const options = { store: new LocalStore(directory), engine, root: `t${at}` };
      const context = createContext(options);
      await createTable(context, {
        ...options,
        schema: SCHEMA,
        partitionColumns,
        properties: { ...properties, 'delta.enableChangeDataFeed': 'true' },
      });
      await operate(context);
      const { version: newest } = await context.refresh();
      assert.ok(newest >= 8, `${newest} versions`);
      const types = await assertLeads(context, newest);
      assert.deepEqual([...types].toSorted(), ['delete', 'insert', 'update_postimage', 'update_preimage']);
    });
  }
});

/** Some of each operation. */
async function operate(context: TableContext): Promise<void> {
  await appendRows(context, { source: { kind: 'rows', rows: rows(0, 60) } });
  await appendRows(context, { source: { kind: 'rows', rows: rows(60, 60) } });
  await deleteRows(context, { where: 'id % 10 = 3' });
  await updateRows(context, {
    set: { amount: 'amount + 1', part: "'moved'" },
    where: 'id BETWEEN 20 AND 30',
  });
  await mergeInto(context, { source: { kind: 'rows', rows: rows(100, 40) }, on: 'target.id = source.id' })
    .whenMatchedDelete({ condition: 'target.id % 2 = 0' })
    .whenMatchedUpdate({ set: 'all' })
    .whenNotMatchedInsert({ values: 'all' })
    .execute();
  await optimize(context);
  await deleteRows(context, { where: "part = 'p1'" });
  await overwriteRows(context, { source: { kind: 'rows', rows: rows(500, 5) }, mode: 'whole' });
  await restore(context, { version: 3 });
  await deleteRows(context);
}

/** Returns the types of change that there were. */
async function assertLeads(context: TableContext, newest: number): Promise<Set<unknown>> {
  const byVersion = new Map<number, { row: string; by: number }[]>();
  const types = new Set<unknown>();
  for await (const change of (await readChanges(context, { from: { version: 0 } })).rows()) {
    const { _change_type: type, _commit_version: version } = change;
    types.add(type);
    const by = type === 'delete' || type === 'update_preimage' ? -1 : 1;
    const changes = byVersion.get(Number(version)) ?? [];
    byVersion.set(Number(version), changes);
    changes.push({ row: textOf(change), by });
  }
  const counts: Counts = new Map();
  for (let version = 0; version <= newest; version += 1) {
    for (const { row, by } of byVersion.get(version) ?? []) count(counts, row, by);
    const expected: Counts = new Map();
    for await (const row of readRows(context, await context.stateAt(version)))
      count(expected, textOf(row), 1);
    assert.deepEqual([...counts].toSorted(), [...expected].toSorted(), `version ${version}`);
  }
  return types;
}
