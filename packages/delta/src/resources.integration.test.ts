/**
 * What a long life costs: file descriptors, temporary files and memory stay as they are over many operations, an abort
 * at any moment leaves nothing behind, and neither does a full disk. `RESOURCE_ROUNDS` makes it longer.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, memoryUsage } from 'node:process';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from './duckdb/index.ts';
import { DeltaError, isDeltaError } from './errors.ts';
import { struct } from './schema/types.ts';
import { LocalStore } from './store/local-store.ts';
import { DeltaTable } from './table.ts';
import { Dice } from './testing/random-tables/dice.ts';

const ROUNDS = Number(env['RESOURCE_ROUNDS'] ?? 30);
/** Growth that is no leak: caches fill up, and the collector is lazy. */
const GROWTH_BYTES_MAX = 150 * 2 ** 20;
const DESCRIPTORS_GROWTH_MAX = 8;

const SCHEMA = struct({ id: 'long', name: 'string', p: 'integer' });
let directory: string;
/** Of the engine's temporary files, so that none of another process is counted. */
let temporary: string;
let engine: DuckDbEngine;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-resources-'));
  temporary = join(directory, 'tmp');
  mkdirSync(temporary);
  engine = await DuckDbEngine.create({ threads: 1, temporaryDirectory: temporary });
});
after(async () => {
  await engine.close();
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

function rows(first: number, count: number): { kind: 'rows'; rows: Record<string, unknown>[] } {
  const at = (id: number): Record<string, unknown> => ({ id, name: `name ${id}`, p: id % 3 });
  return { kind: 'rows', rows: Array.from({ length: count }, (_, index) => at(first + index)) };
}

async function newTable(root: string, properties: Record<string, string> = {}): Promise<DeltaTable> {
  const options = { store: new LocalStore(directory), engine, root };
  return DeltaTable.create({ ...options, schema: SCHEMA, partitionColumns: ['p'], properties });
}

async function countOf(table: DeltaTable): Promise<number> {
  let count = 0;
  for await (const batch of table.batches()) count += batch.rows;
  return count;
}

/** Where the system shows them. */
function openDescriptors(): number | undefined {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : undefined;
}

function filesBelow(path: string): string[] {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}

function temporaryFiles(root: string): string[] {
  const named = filesBelow(join(directory, root)).filter((path) => path.endsWith('.tmp'));
  return [...named, ...filesBelow(temporary)];
}

/** One of everything. */
async function round(table: DeltaTable, at: number): Promise<void> {
  await table.append({ source: rows(at * 10, 10) });
  await table.update({ set: { name: `'updated'` }, where: `id = ${at * 10}` });
  await table.delete({ where: `id = ${at * 10 + 1}` });
  const source = rows(at * 10 + 8, 4);
  await table
    .merge({ source, on: 'target.id = source.id' })
    .whenMatchedUpdate({ set: 'all' })
    .whenNotMatchedInsert({ values: 'all' })
    .execute();
  await table.snapshot({ version: (await table.snapshot()).version - 2 });
  for await (const _ of table.rows({ where: `id > ${at * 10}`, limit: 3 }));
  // A reader that leaves early.
  for await (const _ of table.rows()) break;
  await table.toSql({ where: 'p = 1' });
  await assert.rejects(table.delete({ where: 'no_such_column = 1' }), DeltaError);
  await assert.rejects(table.append({ source: { kind: 'rows', rows: [{ id: 'x' }] } }), DeltaError);
  if (at % 8 === 7) {
    await table.optimize();
    await table.vacuum({ retentionMs: 0, retentionCheck: false });
    await table.cleanUpLog({ olderThanMs: 0 });
    await table.history({ limit: 5 });
    await table.fsck({ deep: true });
  }
}

describe('many operations', () => {
  it('leave no descriptor, no temporary file and no memory behind', async () => {
    const table = await newTable('many', { 'delta.enableDeletionVectors': 'true' });
    const reader = await DeltaTable.open({ store: new LocalStore(directory), engine, root: 'many' });
    for (let at = 0; at < 8; at += 1) await round(table, at);
    const descriptors = openDescriptors();
    const before = memoryUsage().rss;
    for (let at = 8; at < 8 + ROUNDS; at += 1) {
      await round(table, at);
      await reader.snapshot();
    }
    if (descriptors !== undefined) {
      const grown = (openDescriptors() ?? 0) - descriptors;
      assert.ok(grown <= DESCRIPTORS_GROWTH_MAX, `${grown} descriptors more than before`);
    }
    assert.deepEqual(temporaryFiles('many'), []);
    const grown = memoryUsage().rss - before;
    assert.ok(grown < GROWTH_BYTES_MAX, `${grown} bytes more than before`);
  });
});

describe('an abort at any moment', () => {
  const operations: Record<string, (table: DeltaTable, signal: AbortSignal) => Promise<unknown>> = {
    delete: (table, signal) => table.delete({ where: 'id % 7 = 0', signal }),
    update: (table, signal) => table.update({ set: { name: 'upper(name)' }, where: 'id % 3 = 0', signal }),
    merge: (table, signal) =>
      table
        .merge({ source: rows(0, 50), on: 'target.id = source.id', signal })
        .whenMatchedUpdate({ set: 'all' })
        .execute(),
    overwrite: (table, signal) => table.overwrite({ source: rows(0, 200), mode: 'whole', signal }),
    optimize: (table, signal) => table.optimize({ signal }),
    vacuum: (table, signal) => table.vacuum({ retentionMs: 0, retentionCheck: false, signal }),
    rows: async (table, signal) => {
      for await (const _ of table.rows({ signal }));
    },
  };
  for (const [name, operation] of Object.entries(operations)) {
    it(`of ${name} leaves a table that is whole, and nothing beside it`, async () => {
      const dice = new Dice(name.length);
      const root = `abort-${name}`;
      const table = await newTable(root);
      for (let at = 0; at < 4; at += 1) await table.append({ source: rows(at * 50, 50) });
      let aborted = 0;
      for (let attempt = 0; attempt < 12; attempt += 1) {
        const controller = new AbortController();
        // Turns of the event loop, which are what an operation consists of.
        let turns = dice.below(40);
        const tick = (): void => {
          if (turns === 0) controller.abort(new Error('enough'));
          else setImmediate(tick);
          turns -= 1;
        };
        tick();
        await operation(table, controller.signal).catch((error: unknown) => {
          assert.ok(isDeltaError(error, 'aborted'), String((error as Error).stack));
          aborted += 1;
        });
      }
      assert.ok(aborted > 0, 'some of them come in time');
      const count = await countOf(table);
      assert.ok(count > 0 && count <= 200, `${count} rows`);
      assert.deepEqual((await table.fsck({ deep: true })).findings, []);
      assert.deepEqual(temporaryFiles(root), []);
      const before = filesBelow(join(directory, root)).filter((path) => path.endsWith('.parquet')).length;
      await table.vacuum({ retentionMs: 0, retentionCheck: false });
      assert.ok(before >= (await table.snapshot()).fileCount);
      assert.equal(await countOf(table), count);
    });
  }
});

/** Bytes of the disk that gets full. */
const DISK_BYTES = 6 * 2 ** 20;

/** A file system of its own and of a size; or why there can't be one. */
function mountSmallDisk(path: string): string | undefined {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', path], { stdio: 'pipe' });
    return undefined;
  } catch (error) {
    return `no small disk can be mounted here: ${(error as Error).message.split('\n')[0]}`;
  }
}

describe('a full disk', () => {
  let disk: string;
  let unavailable: string | undefined;
  before(() => {
    disk = join(directory, 'disk');
    unavailable = mountSmallDisk(disk);
  });
  after(() => {
    if (unavailable === undefined) execFileSync('umount', [disk]);
  });

  /** Takes all but so many bytes. */
  function fill(leftBytes: number): void {
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)));
  }

  /** Those that no failure may leave; a whole checkpoint, whose checksum had no place any more, may stay. */
  function remains(): string[] {
    return filesBelow(disk).filter((path) => !path.includes('_delta_log') || path.endsWith('.tmp'));
  }

  const long = (first: number): { kind: 'sql'; sql: string } => ({
    kind: 'sql',
    sql: `SELECT range AS id, CAST(hash(range) AS VARCHAR) || CAST(hash(range + 1) AS VARCHAR) AS name, 0 AS p FROM range(${first}, ${first + 5000})`,
  });
  const operations: Record<string, (table: DeltaTable) => Promise<unknown>> = {
    append: (table) => table.append({ source: long(100_000) }),
    merge: (table) =>
      table
        .merge({ source: long(2000), on: 'target.id = source.id' })
        .whenMatchedUpdate({ set: { name: `'m' || target.name` } })
        .whenNotMatchedInsert({ values: 'all' })
        .execute(),
    update: (table) => table.update({ set: { name: `'u' || name` } }),
    overwrite: (table) => table.overwrite({ source: long(0), mode: 'whole' }),
    optimize: (table) => table.optimize({ targetFileSizeBytes: 2 ** 20 }),
    checkpoint: (table) => table.checkpoint(),
    properties: (table) => table.alter.setProperties({ 'a.long.one': 'x'.repeat(50_000) }),
  };

  for (const [name, operation] of Object.entries(operations)) {
    it(`fails ${name} as such, which leaves nothing, and goes on once there is space`, async (context) => {
      if (unavailable !== undefined) return context.skip(unavailable);
      const store = new LocalStore(disk);
      const options = { store, engine, root: name };
      const table = await DeltaTable.create({ ...options, schema: SCHEMA });
      for (let at = 0; at < 2; at += 1) await table.append({ source: long(at * 5000) });
      const before = remains();
      for (const left of [0, 4096, 20_000]) {
        fill(left);
        const { version } = await table.snapshot();
        const failure = await operation(table).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (failure !== undefined) {
          assert.ok(isDeltaError(failure, 'no-space'), String((failure as Error).stack));
          assert.equal((await table.snapshot()).version, version);
          assert.equal(await countOf(table), 10_000);
          assert.deepEqual(remains().toSorted(), [...before, join(disk, 'ballast')].toSorted());
        } else assert.notEqual(left, 0, 'no space at all can not be enough');
        rmSync(join(disk, 'ballast'));
        if (failure === undefined) break;
      }
      await operation(table);
      const fresh = await DeltaTable.open(options);
      assert.ok((await countOf(fresh)) >= 5000);
      assert.deepEqual((await fresh.fsck({ deep: true })).findings, []);
      rmSync(join(disk, name), { recursive: true });
    });
  }
});
