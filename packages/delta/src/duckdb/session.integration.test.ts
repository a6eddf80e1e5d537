/** Sessions: SQL over temporary tables, and files written from it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { WriteRequest, WrittenFile } from '../engine.ts';
import { isDeltaError } from '../errors.ts';
import { field, struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { DuckDbEngine } from './index.ts';

const SCHEMA = struct([field('id', 'long', { nullable: false }), field('p', 'string'), field('v', 'double')]);

describe('a session', () => {
  let directory: string;
  let engine: DuckDbEngine;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-session-'));
    engine = await DuckDbEngine.create({ threads: 2 });
  });
  after(async () => {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  });

  let files = 0;
  const request = (options: Partial<WriteRequest>): WriteRequest => ({
    store: new LocalStore(directory),
    schema: SCHEMA,
    partitionColumns: [],
    source: {
      kind: 'sql',
      sql: `SELECT range AS id, CAST(range % 3 AS VARCHAR) AS p, random() AS v FROM range(300000)`,
    },
    directory: 't',
    pathFor: () => `t/${(files += 1)}.parquet`,
    ...options,
  });
  const rowsOf = (written: readonly WrittenFile[]): number =>
    written.reduce((sum, { rows }) => sum + rows, 0);

  it('keeps temporary tables until it ends, and no longer', async () => {
    await engine.session(async (session) => {
      const source = await session.load({ kind: 'rows', rows: [{ id: 1, p: 'a' }, { id: 2 }] }, SCHEMA);
      assert.deepEqual(await session.rows(`SELECT id, p, v FROM ${source} ORDER BY id`), [
        [1n, 'a', null],
        [2n, null, null],
      ]);
      await session.run('CREATE TEMPORARY TABLE mine AS SELECT 1 AS one');
    });
    await engine.session((session) =>
      assert.rejects(session.rows('SELECT * FROM mine'), (error) => isDeltaError(error, 'engine')),
    );
  });

  it('streams results of any size in bounded batches', async () => {
    let sum = 0n;
    await engine.session(async (session) => {
      for await (const batch of session.stream('SELECT range AS n, 1 AS one FROM range(10000)')) {
        assert.deepEqual(batch.names, ['n', 'one']);
        assert.ok(batch.rows <= 2048 && batch.columns[0]?.length === batch.rows);
        for (const value of batch.columns[0]) sum += value as bigint;
      }
    });
    assert.equal(sum, 49995000n);
  });

  it('writes a SELECT, splitting files by rows or by size', async () => {
    await engine.session(async (session) => {
      const byRows = await session.writeParquet(request({ rowsPerFile: 100_000, sortBy: 'id DESC' }));
      assert.deepEqual(
        byRows.map(({ rows }) => rows),
        [100_000, 100_000, 100_000],
      );
      const ranges = byRows.map(({ columns }) => Number(columns.find(({ path }) => path[0] === 'id')?.min));
      assert.deepEqual(
        ranges.toSorted((a, b) => a - b),
        [0, 100_000, 200_000],
      );
      const bySize = await session.writeParquet(request({ fileSizeBytes: 500_000 }));
      assert.ok(bySize.length > 1 && rowsOf(bySize) === 300_000, `${bySize.length} files`);
      const both = await session.writeParquet(request({ partitionColumns: ['p'], rowsPerFile: 60_000 }));
      assert.deepEqual([both.length, rowsOf(both)], [6, 300_000]);
      assert.deepEqual([...new Set(both.map(({ partitionValues }) => partitionValues.p))].toSorted(), [
        '0',
        '1',
        '2',
      ]);
    });
  });

  it('computes columns, and refuses rows that break a check, showing one', async () => {
    const source = { kind: 'rows', rows: [{ id: 1, p: 'x', v: 5 }, { id: 2 }] } as const;
    const [written] = await engine.writeParquet(
      request({ source, computed: { v: 'id * 2' }, checks: [{ name: 'CHECK small (v < 5)', sql: 'v < 5' }] }),
    );
    assert.deepEqual(written?.columns.find(({ path }) => path[0] === 'v')?.max, '4.0');
    await assert.rejects(
      engine.writeParquet(request({ source, checks: [{ name: 'CHECK small (v < 5)', sql: 'v < 5' }] })),
      (error) => isDeltaError(error, 'constraint') && /CHECK small \(v < 5\): \{"id":1/.test(error.message),
    );
    // NULL passes.
    await engine.writeParquet(request({ source, checks: [{ name: 'c', sql: 'v < 6' }] }));
    await assert.rejects(
      engine.writeParquet(request({ source, computed: { id: 'nullif(id, 2)' } })),
      (error) => isDeltaError(error, 'not-null'),
    );
  });
});
