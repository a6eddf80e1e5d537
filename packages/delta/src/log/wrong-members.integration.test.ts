/**
 * Every member of every action, one at a time, absent or of a type or size that it never has: the table is refused by an
 * error that names the place, or read as if nothing had happened; counts and skipped files always go by the rows.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { DeltaError } from '../errors.ts';
import { struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { DeltaTable } from '../table.ts';

/** As they stand in the JSON; undefined takes the member out. */
const VALUES: readonly (string | undefined)[] = [
  undefined,
  'null',
  '[]',
  '"text"',
  '""',
  '-1',
  '1e400',
  '99999999999999999999999',
  '"{\\"numRecords\\":-1,\\"minValues\\":7}"',
];
/** Those that every operation that reads the log meets; the others are met by opening and scanning. */
const IN_ALL_READINGS: readonly (string | undefined)[] = [undefined, 'null', '"text"'];
/** Members that say which rows there are, so that another value means other rows. */
const TELLING =
  /^(metaData\.(configuration|partitionColumns)|remove(\.path)?$|remove\.deletionVector|add$|add\.partitionValues|add\.deletionVector$)/;
const MARK = '"the value"';
const KIND = /^(add|remove|cdc|txn|metaData|protocol|commitInfo|domainMetadata)/;

type Json = Record<string, unknown>;

/** The members of a JSON value, and theirs. */
function pathsOf(value: Json, above: readonly string[] = []): string[][] {
  return Object.entries(value).flatMap(([name, member]) => {
    const path = [...above, name];
    const isNested = typeof member === 'object' && member !== null && !Array.isArray(member);
    return [path, ...(isNested ? pathsOf(member as Json, path) : [])];
  });
}

/** A line of a commit with another value at a path. */
function withValue(line: string, path: readonly string[], value: string | undefined): string {
  const action = JSON.parse(line) as Json;
  let parent = action;
  for (const name of path.slice(0, -1)) parent = parent[name] as Json;
  const last = path.at(-1) as string;
  if (value === undefined) delete parent[last];
  else parent[last] = JSON.parse(MARK);
  return JSON.stringify(action).replace(MARK, () => value ?? '');
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('a wrong member', { timeout: 300_000 }, () => {
  let directory: string;
  let engine: DuckDbEngine;
  let expected: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-wrong-members-'));
    engine = await DuckDbEngine.create({ threads: 1 });
    const table = await DeltaTable.create({
      ...place(),
      schema: struct({ id: 'long', p: 'string' }),
      partitionColumns: ['p'],
      properties: {
        'delta.enableDeletionVectors': 'true',
        'delta.enableInCommitTimestamps': 'true',
        'delta.columnMapping.mode': 'name',
        'delta.enableChangeDataFeed': 'true',
        'delta.checkpointInterval': '1000',
      },
    });
    const rows = [1, 2, 3].map((id) => ({ id, p: 'x' }));
    await table.append({ source: { kind: 'rows', rows }, txns: [{ appId: 'a', version: 5 }] });
    await table.delete({ where: 'id = 2' });
    expected = await textOf(await DeltaTable.open(place()));
  });
  after(async () => {
    await engine.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const place = (): { store: LocalStore; engine: DuckDbEngine; root: string } => ({
    store: new LocalStore(directory),
    engine,
    root: '',
  });

  /** The rows as a text, once count and skipping are found to go with them. */
  async function textOf(table: DeltaTable): Promise<string> {
    const snapshot = await table.snapshot();
    const rows = await all(snapshot.rows());
    if (snapshot.rowCount !== undefined) assert.equal(snapshot.rowCount, rows.length, 'the row count');
    const big = (await all(snapshot.rows({ where: 'id >= 3' }))).length;
    assert.equal(big, rows.filter(({ id }) => (id as bigint) >= 3n).length, 'the rows of a condition');
    return rows
      .map(({ id, p }) => `${String(id)} ${String(p)}`)
      .toSorted()
      .join();
  }

  /** What else reads the log ends with an error of the library, if with one. */
  async function assertReadable(table: DeltaTable): Promise<void> {
    const operations: (() => Promise<unknown>)[] = [
      () => table.history(),
      () => table.detail(),
      () => table.fsck(),
      () => table.vacuum({ dryRun: true }),
      async () => all((await table.changes({ from: { version: 1 } })).rows()),
    ];
    for (const operation of operations) {
      await operation().catch((error: unknown) => {
        if (!(error instanceof DeltaError)) throw error;
      });
    }
  }

  it('is refused by its place, or makes no difference', async () => {
    const seen = { read: 0, refused: 0 };
    const log = join(directory, '_delta_log');
    const names = readdirSync(log).filter((name) => name.endsWith('.json'));
    for (const name of names) {
      const path = join(log, name);
      const text = readFileSync(path, 'utf8');
      const lines = text.trimEnd().split('\n');
      for (const [at, line] of lines.entries()) {
        for (const members of pathsOf(JSON.parse(line) as Json)) {
          for (const value of VALUES) {
            const changed = withValue(line, members, value);
            writeFileSync(path, `${lines.with(at, changed).join('\n')}\n`);
            const what = members.join('.');
            const label = `${name}: ${what} is ${value ?? 'absent'}`;
            assert.match(what, KIND);
            try {
              const table = await DeltaTable.open(place());
              const found = await textOf(table);
              if (!TELLING.test(what)) assert.equal(found, expected, label);
              if (IN_ALL_READINGS.includes(value)) await assertReadable(table);
              seen.read += 1;
            } catch (error) {
              assert.ok(error instanceof DeltaError, `${label}: ${(error as Error).stack ?? String(error)}`);
              assert.match(
                error.message,
                /\d{20}\.json|version \d|\.parquet|\.bin|file|feature|type|column/,
                label,
              );
              seen.refused += 1;
            }
          }
        }
      }
      writeFileSync(path, text);
    }
    assert.ok(seen.read > 200 && seen.refused > 100, JSON.stringify(seen));
  });
});
