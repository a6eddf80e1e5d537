/** Tables written by Spark and others against the rows recorded for them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { DuckDbEngine } from './duckdb/index.ts';
import { DeltaTable, LocalStore, quoteText } from './index.ts';

interface ManifestEntry {
  readonly table: string;
  readonly minReader: number | null;
  readonly readerFeatures: readonly string[];
  readonly features: readonly string[];
  readonly expected: readonly {
    readonly version: number | null;
    readonly label: string;
    readonly parquet: string;
  }[];
}

const packageRoot = resolve(import.meta.dirname, '..');
const oracles = resolve(packageRoot, process.env.SLUICE_ORACLES ?? '../../../shared/oracles', 'delta');
const archive = join(oracles, 'tables.tar.gz');
const skip = existsSync(archive) ? false : `no oracles at ${oracles} (set SLUICE_ORACLES)`;

/** Tables that are broken on purpose, or hold no real data, and what becomes of them. */
const BROKEN: Readonly<Record<string, { code: string; message: RegExp }>> = {
  'kernel-rs-golden/versions-not-contiguous/delta': { code: 'log-gap', message: /version 1 is missing/ },
  'kernel-rs-golden/deltalog-invalid-protocol-version/delta': {
    code: 'unsupported-feature',
    message: /reader version 99/,
  },
};

describe('oracle tables', { skip }, () => {
  const manifest = skip === false ? readManifest() : [];
  let rowsCompared = 0;
  let directory: string;
  let engine: DuckDbEngine;
  let connection: DuckDBConnection;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-oracles-'));
    execFileSync('tar', ['xzf', archive, '-C', directory]);
    engine = await DuckDbEngine.create({ threads: 2 });
    connection = await (await DuckDBInstance.create(':memory:', { threads: '2' })).connect();
    await connection.run(`SET TimeZone = 'UTC'`);
  });
  after(async () => {
    await engine.close();
    connection.closeSync();
    rmSync(directory, { recursive: true, force: true });
  });

  const open = (entry: ManifestEntry): Promise<DeltaTable> =>
    DeltaTable.open({ store: new LocalStore(directory), engine, root: entry.table, now: Date.now });

  for (const entry of manifest) {
    const broken = BROKEN[entry.table];
    if (broken !== undefined) {
      it(`${entry.table}: ${broken.code}`, async () => {
        await assert.rejects(open(entry), broken);
      });
    } else {
      it(`${entry.table}: opens${entry.expected.length > 0 ? ' with the recorded rows' : ''}`, async () => {
        const table = await open(entry);
        assert.ok((await (await table.snapshot()).scan()).files.length >= 0);
        for (const expected of entry.expected) {
          const snapshot = await table.snapshot(
            expected.version === null ? {} : { version: expected.version },
          );
          rowsCompared += await assertSameRows(connection, {
            actual: (await snapshot.scan()).sql,
            expected: readExpected(join(directory, expected.parquet)),
            label: `${entry.table} ${expected.label}`,
          });
          if (snapshot.rowCount !== undefined) {
            const [count] = await values(connection, `SELECT count(*) FROM (${(await snapshot.scan()).sql})`);
            assert.equal(Number(count), snapshot.rowCount);
          }
        }
      });
    }
  }

  it('has covered tables of every kind', () => {
    assert.ok(manifest.length >= 60);
    assert.ok(rowsCompared > 500, `${rowsCompared} rows compared`);
    assert.ok(manifest.filter((entry) => entry.expected.length > 1).length >= 5);
  });
});

function readManifest(): ManifestEntry[] {
  return readFileSync(join(oracles, 'manifest.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ManifestEntry);
}

function readExpected(path: string): string {
  const files = globSync('**/*.parquet', { cwd: path }).map((file) => join(path, file));
  const [only] = existsSync(path) && files.length === 0 ? [path] : [undefined];
  const list = (only === undefined ? files : [only]).map(quoteText).join(', ');
  return `SELECT * FROM read_parquet([${list}], union_by_name = true, hive_partitioning = false)`;
}

/** The number of rows, once they are found to be the same. */
async function assertSameRows(
  connection: DuckDBConnection,
  sides: { actual: string; expected: string; label: string },
): Promise<number> {
  const names = await values(connection, `SELECT column_name FROM (DESCRIBE ${sides.expected})`);
  const found = await values(connection, `SELECT column_name FROM (DESCRIBE ${sides.actual})`);
  assert.deepEqual(found.toSorted(), names.toSorted(), sides.label);
  const columns = names.map((name) => `"${String(name).replaceAll('"', '""')}"`).join(', ');
  // As text, since the recorded files differ in integer widths and time zones, but not in what they say.
  const asText = (sql: string): string =>
    `SELECT CAST(to_json(r) AS VARCHAR) AS line FROM (SELECT ${columns} FROM (${sql})) AS r ORDER BY line`;
  const actual = await values(connection, asText(sides.actual));
  const expected = await values(connection, asText(sides.expected));
  assert.deepEqual(actual, expected, sides.label);
  return expected.length;
}

async function values(connection: DuckDBConnection, sql: string): Promise<unknown[]> {
  const [column = []] = (await connection.runAndReadAll(sql)).getColumnsJson();
  return column;
}
