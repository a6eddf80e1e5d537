/** A snapshot in hand is read as the newest version is, whatever became of the table since. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { DeltaTable } from '../table.ts';

let directory: string;
let engine: DuckDbEngine;
let tables = 0;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-snapshot-rows-'));
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Version 1 has the rows 1 and 2; the newest has neither, and its columns are other ones. */
async function changedTable(): Promise<DeltaTable> {
  const table = await DeltaTable.create({
    store: new LocalStore(directory),
    engine,
    root: `t${(tables += 1)}`,
    schema: struct({ id: 'long', name: 'string' }),
    properties: { 'delta.columnMapping.mode': 'name', 'delta.enableDeletionVectors': 'true' },
  });
  await table.append({ source: { kind: 'rows', rows: [1, 2].map((id) => ({ id, name: `n${id}` })) } });
  await table.delete({ where: 'id = 1' });
  await table.alter.renameColumn({ column: 'name', to: 'title' });
  await table.delete({ where: 'true' });
  return table;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const BOTH = [
  { id: 1n, name: 'n1' },
  { id: 2n, name: 'n2' },
];

it('rows, batches and SQL are those of its version', async () => {
  const table = await changedTable();
  const first = await table.snapshot({ version: 1 });
  assert.deepEqual(await all(first.rows()), BOTH);
  assert.deepEqual(await all(first.rows({ columns: ['NAME'], where: 'id > 1', limit: 5 })), [{ name: 'n2' }]);
  const [batch] = await all(first.batches({ columns: ['id'] }));
  assert.deepEqual([batch?.names, batch?.columns, batch?.rows], [['id'], [[1n, 2n]], 2]);
  const sql = await first.toSql({ where: 'id = 2' });
  assert.deepEqual(await engine.session((session) => session.rows(`SELECT name FROM (${sql})`)), [['n2']]);
  const second = await table.snapshot({ version: 2 });
  assert.deepEqual(await all(second.rows()), BOTH.slice(1));
  assert.deepEqual(await all((await table.snapshot()).rows()), []);
});

it('the log may be cleaned up meanwhile', async () => {
  const table = await changedTable();
  const first = await table.snapshot({ version: 1 });
  await table.checkpoint();
  await table.cleanUpLog({ olderThanMs: 0 });
  await assert.rejects(all(table.rows({ version: 1 })), { code: 'version-not-found' });
  assert.deepEqual(await all(first.rows()), BOTH);
});

it('a vacuum of this process leaves its files alone while they are read, and not longer', async () => {
  const table = await changedTable();
  const first = await table.snapshot({ version: 1 });
  const reading = first.rows();
  assert.deepEqual((await reading.next()).value, BOTH[0]);
  const everything = { retentionMs: 0, retentionCheck: false };
  await table.vacuum(everything);
  assert.deepEqual(await all(reading), BOTH.slice(1));
  assert.deepEqual(await all(first.rows()), BOTH);
  await table.vacuum(everything);
  await assert.rejects(all(first.rows()), { code: 'not-found' });
});

it('another version can’t be asked for, nor what it does not know', async () => {
  const snapshot = await (await changedTable()).snapshot({ version: 1 });
  for (const wrong of [{ version: 2 }, { timestampMs: 0 }, { wher: 'id = 1' }, { columns: 'id' }, null]) {
    const options = wrong as never;
    for (const read of [
      () => all(snapshot.rows(options)),
      () => all(snapshot.batches(options)),
      () => snapshot.toSql(options),
    ]) {
      await assert.rejects(read, { code: 'invalid-data' }, JSON.stringify(wrong));
    }
  }
});
