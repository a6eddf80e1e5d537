import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { SqlEngine, TableView } from './sql-engine.ts';

export interface SqlEngineFixture {
  readonly engine: SqlEngine;
  /** Where results may be written. */
  readonly directory: string;
  /** `s.numbers (n, name)` with the integers from 0 to 9,999 and their names as text. */
  readonly numbers: TableView;
  /** A statement over no table that takes minutes. */
  readonly endless: string;
}

/** What every SqlEngine promises. The fixture is made before and ended after by the caller. */
export function sqlEngineContract(name: string, fixture: () => SqlEngineFixture): void {
  describe(`SqlEngine contract: ${name}`, () => {
    const run = async (
      sql: string,
      options: { signal?: AbortSignal; resultBytesMax?: number; smallBytesMax?: number } = {},
    ) => {
      const { engine, directory, numbers } = fixture();
      const { signal } = options;
      const resultFile = join(directory, `${randomUUID()}.csv`);
      const analysis = await engine.analyse({ sql, catalogs: ['hub'], ...(signal && { signal }) });
      const result = await engine.run({
        ...analysis,
        ...(analysis.tables.length > 0 && { database: 's' }),
        tables: analysis.tables.length > 0 ? [numbers] : [],
        resultFile,
        resultBytesMax: options.resultBytesMax ?? 1e9,
        smallBytesMax: options.smallBytesMax ?? 0,
        ...(signal && { signal }),
      });
      return { ...result, resultFile };
    };
    const read = (resultFile: string, firstRow: number, rowsMax: number, bytesMax = 1e6) =>
      fixture().engine.readResult({ resultFile, firstRow, rowsMax, bytesMax });

    test('runs a statement over the views that it is given', async () => {
      const { resultFile, rows } = await run(
        'SELECT count(*) AS c, min(name) AS m FROM hub.s.numbers WHERE n >= 10',
      );
      assert.equal(rows, 1);
      const { rows: read1 } = await read(resultFile, 0, 10);
      assert.deepEqual(read1, [['9990', '10']]);
    });

    test('gives any page of a result', async () => {
      const { resultFile, rows } = await run(
        "SELECT n, nullif(name, '1500') AS name FROM numbers ORDER BY n",
      );
      assert.equal(rows, 10_000);
      for (const first of [0, 1, 999, 1_000, 1_499, 5_000, 9_998]) {
        const page = await read(resultFile, first, 3);
        assert.equal(page.rowsTotal, 10_000);
        const expected = [first, first + 1, first + 2].filter((n) => n < 10_000);
        assert.deepEqual(
          page.rows,
          expected.map((n) => [String(n), n === 1_500 ? undefined : String(n)]),
        );
      }
      assert.deepEqual((await read(resultFile, 10_000, 5)).rows, []);
      assert.equal((await read(resultFile, 0, 1_000, 50)).rows.length < 30, true);
      assert.equal((await read(resultFile, 0, 1_000, 0)).rows.length, 1);
    });

    test('gives a small result back, page by page like one in a file', async () => {
      const { engine } = fixture();
      const sql = "SELECT n, nullif(name, '7') AS name FROM numbers WHERE n < 20 ORDER BY n";
      const file = await run(sql);
      assert.equal(file.small, undefined);
      const { small, rows, sizeBytes } = await run(sql, { smallBytesMax: file.sizeBytes });
      assert.deepEqual([small?.rows, rows, sizeBytes], [20, 20, file.sizeBytes]);
      const kept = JSON.parse(JSON.stringify(small)) as NonNullable<typeof small>;
      const pages = [
        [0, 20, 1e6],
        [0, 3, 1e6],
        [6, 5, 1e6],
        [18, 10, 1e6],
        [20, 10, 1e6],
        [0, 20, 7],
        [0, 20, 0],
      ] as const;
      for (const [firstRow, rowsMax, bytesMax] of pages) {
        assert.deepEqual(
          await engine.readResult({ resultFile: '/gone', small: kept, firstRow, rowsMax, bytesMax }),
          await read(file.resultFile, firstRow, rowsMax, bytesMax),
        );
      }
      const above = await run(sql, { smallBytesMax: file.sizeBytes - 1 });
      assert.equal(above.small, undefined);
    });

    test('runs statements beside one another', async () => {
      const results = await Promise.all(
        Array.from({ length: 6 }, (_, at) => run(`SELECT sum(n) + ${at} AS s FROM numbers`)),
      );
      const values = await Promise.all(
        results.map(async ({ resultFile }) => (await read(resultFile, 0, 1)).rows[0]![0]),
      );
      assert.deepEqual(
        values,
        [0, 1, 2, 3, 4, 5].map((at) => String(49_995_000 + at)),
      );
    });

    test('stops a statement on request, and leaves no result', async () => {
      const abort = new AbortController();
      const running = run(fixture().endless, { signal: abort.signal });
      setTimeout(() => abort.abort(), 100);
      await assert.rejects(running, { code: 'cancelled' });
      await run('SELECT 1');
    });

    test('stops while it writes rows', async () => {
      const abort = new AbortController();
      const running = run('SELECT i, repeat(i::VARCHAR, 20) FROM range(100000000) r(i)', {
        signal: abort.signal,
      });
      setTimeout(() => abort.abort(), 300);
      await assert.rejects(running, { code: 'cancelled' });
    });

    test('refuses a result above its limit', async () => {
      await assert.rejects(run('SELECT * FROM range(100000)', { resultBytesMax: 10_000 }), {
        code: 'result-too-large',
      });
    });

    test("tells the place of a mistake in the user's text", async () => {
      await assert.rejects(run('SELECT n,\n  nothing FROM hub.s.numbers'), (error: Error) => {
        assert.match(error.message, /nothing/);
        assert.match(error.message, /LINE 2: {3}nothing FROM/);
        return true;
      });
      await assert.rejects(run('SELECT FROM WHERE'), { code: 'syntax' });
    });

    test('knows conditions that all rows meet, and none for rows that may matter', async () => {
      const { engine } = fixture();
      const columns = [
        { name: 'n', type: 'BIGINT' },
        { name: 'name', type: 'VARCHAR' },
      ];
      const conditions = (sql: string) =>
        engine.conditions({
          sql,
          database: 's',
          tables: [{ database: 's', name: 'numbers', columns, references: 1 }],
        });
      const five = { kind: 'compare', column: 'n', operator: '=', value: { type: 'number', text: '5' } };
      assert.deepEqual(await conditions('SELECT name FROM numbers WHERE n = 5'), [five]);
      assert.deepEqual(await conditions("SELECT * FROM numbers WHERE n = 5 OR name = 'x'"), [undefined]);
    });

    test('writes and reads rows that the caller made', async () => {
      const { engine, directory } = fixture();
      const resultFile = join(directory, `${randomUUID()}.csv`);
      const rows = [
        ['a', undefined],
        ['', 'b"c'],
      ];
      await engine.writeResult({
        resultFile,
        smallBytesMax: 0,
        columns: ['x', 'y'].map((name) => ({ name, type: 'string' })),
        rows,
      });
      assert.deepEqual((await read(resultFile, 0, 10)).rows, rows);
      await engine.removeResult(resultFile);
      await engine.removeResult(resultFile);
    });

    test('says that a result is gone', async () => {
      await assert.rejects(read(join(fixture().directory, 'none.csv'), 0, 1), { code: 'result-missing' });
    });
  });
}
