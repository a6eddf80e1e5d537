/** Several processes that append to one table on one disk. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { promisify } from 'node:util';
import { DuckDBInstance } from '@duckdb/node-api';
import { DuckDbEngine } from './duckdb/index.ts';
import { DeltaTable, LocalStore, struct } from './index.ts';

const WRITERS = 4;
const APPENDS = 12;
const directory = mkdtempSync(join(tmpdir(), 'sluice-race-'));
after(() => rmSync(directory, { recursive: true, force: true }));

it('racing processes get contiguous versions and lose no row', async () => {
  const engine = await DuckDbEngine.create({ threads: 1 });
  const options = { store: new LocalStore(directory), engine, root: 'race', now: Date.now };
  const table = await DeltaTable.create({
    ...options,
    schema: struct({ writer: 'string', at: 'long' }),
    properties: { 'delta.checkpointInterval': '7' },
  });
  const worker = join(import.meta.dirname, 'testing', 'append-worker.ts');
  const run = promisify(execFile);
  await Promise.all(
    Array.from({ length: WRITERS }, (_, at) =>
      run(process.execPath, [worker, directory, 'race', `writer-${at}`, String(APPENDS)]),
    ),
  );
  const snapshot = await table.snapshot();
  assert.equal(snapshot.version, WRITERS * APPENDS);
  assert.deepEqual(
    (await table.history()).map(({ version }) => version),
    Array.from({ length: WRITERS * APPENDS + 1 }, (_, at) => WRITERS * APPENDS - at),
  );
  assert.equal(snapshot.rowCount, WRITERS * APPENDS * 2);
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const sql = `SELECT writer, "at", count(*) AS n FROM (${(await snapshot.scan()).sql}) GROUP BY ALL`;
  const groups = (await connection.runAndReadAll(sql)).getRowObjectsJson();
  assert.equal(groups.length, WRITERS * APPENDS);
  assert.ok(groups.every(({ n }) => n === '2'));
  connection.closeSync();
  const cold = await (await DeltaTable.open(options)).snapshot();
  assert.deepEqual(
    [...cold.files()].map(({ path }) => path).toSorted(),
    [...snapshot.files()].map(({ path }) => path).toSorted(),
  );
  await engine.close();
});
