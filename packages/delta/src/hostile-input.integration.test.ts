/**
 * What a table is given by those who mean it ill, or don't know better: every answer is a `DeltaError` that says what is
 * wrong, nothing is half done, and no file is touched but those that the table names legitimately.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { after, before, describe, it } from 'node:test';
import { DuckDbEngine } from './duckdb/index.ts';
import { AssertionFailure, DeltaError } from './errors.ts';
import type { Action, AddFile } from './log/actions.ts';
import { encodeCommit } from './log/commit-file.ts';
import { commitName } from './log/log-paths.ts';
import { field, struct } from './schema/types.ts';
import { LocalStore } from './store/local-store.ts';
import { DeltaTable } from './table.ts';
import { MemoryStore } from './testing/memory-store.ts';

const SCHEMA = struct({ id: 'long', name: 'string', p: 'string', s: struct({ a: 'long' }) });
const ROWS = [
  { id: 1, name: 'a', p: 'x' },
  { id: 2, name: 'b', p: 'y' },
];

let directory: string;
let store: LocalStore;
let engine: DuckDbEngine;
let count = 0;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-hostile-'));
  mkdirSync(join(directory, 'store'));
  store = new LocalStore(join(directory, 'store'));
  engine = await DuckDbEngine.create({ threads: 1 });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

function newRoot(): string {
  count += 1;
  return `db/t${count}`;
}

async function newTable(root = newRoot(), mode = 'name'): Promise<DeltaTable> {
  const properties = { 'delta.columnMapping.mode': mode };
  const options = { store, engine, root, schema: SCHEMA, partitionColumns: ['p'], properties };
  const table = await DeltaTable.create(options);
  await table.append({ source: { kind: 'rows', rows: ROWS } });
  return table;
}

async function idsOf(table: DeltaTable): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of table.rows({ columns: ['id'] })) ids.push(Number(id));
  return ids.toSorted((a, b) => a - b);
}

/** Of every kind that JavaScript has, and texts that mean something to someone on the way. */
const VALUES: readonly unknown[] = [
  undefined,
  null,
  -1,
  1.5,
  NaN,
  Infinity,
  2 ** 53,
  true,
  '',
  "'; DROP TABLE x; --",
  'id = 1) OR (true',
  'a\0b',
  '../..',
  'x'.repeat(100_000),
  '"',
  '\ud800',
  {},
  [],
  [[]],
  () => 1,
  Symbol('x'),
  10n,
  new Date(NaN),
  new Map([['where', 'true']]),
  Promise.resolve({ where: 'false' }),
  { toString: null },
];

type Call = (table: DeltaTable, value: never) => unknown;
const SOURCE = { kind: 'rows', rows: [{ id: 1 }] } as const;

/** Each public method, with the value in the place of its options or of one of them. */
const CALLS: Readonly<Record<string, Call>> = {
  'snapshot version': (table, version) => table.snapshot({ version }),
  'snapshot time': (table, timestampMs) => table.snapshot({ timestampMs }),
  'rows where': (table, where) => drained(table.rows({ where })),
  'rows columns': (table, columns) => drained(table.rows({ columns })),
  'rows column': (table, column) => drained(table.rows({ columns: [column] })),
  'rows limit': (table, limit) => drained(table.rows({ limit })),
  'rows signal': (table, signal) => drained(table.batches({ signal })),
  'toSql where': (table, where) => table.toSql({ where }),
  'changes from': (table, from) => table.changes({ from }),
  'changes version': (table, version) => table.changes({ from: { version } }),
  append: (table, options) => table.append(options),
  'append source': (table, source) => table.append({ source }),
  'append rows': (table, rows) => table.append({ source: { kind: 'rows', rows } }),
  'append row': (table, row) => table.append({ source: { kind: 'rows', rows: [row] } }),
  'append value': (table, id) => table.append({ source: { kind: 'rows', rows: [{ id }] } }),
  'append text': (table, name) => table.append({ source: { kind: 'rows', rows: [{ name }] } }),
  'append partition': (table, p) => table.append({ source: { kind: 'rows', rows: [{ p }] } }),
  'append struct': (table, s) => table.append({ source: { kind: 'rows', rows: [{ s }] } }),
  'append SQL': (table, sql) => table.append({ source: { kind: 'sql', sql } }),
  'append file': (table, file) => table.append({ source: { kind: 'ndjson', file } }),
  'append txns': (table, txns) => table.append({ source: SOURCE, txns }),
  'append txn': (table, version) => table.append({ source: SOURCE, txns: [{ appId: 'a', version }] }),
  'append app': (table, appId) => table.append({ source: SOURCE, txns: [{ appId, version: 1 }] }),
  'append parameters': (table, operationParameters) => table.append({ source: SOURCE, operationParameters }),
  'append columns': (table, columns) => table.append({ source: SOURCE, columns }),
  'append schema': (table, mergeSchema) => table.append({ source: SOURCE, mergeSchema }),
  'overwrite mode': (table, mode) => table.overwrite({ source: SOURCE, mode }),
  'overwrite where': (table, replaceWhere) => table.overwrite({ source: SOURCE, mode: { replaceWhere } }),
  'overwrite schema': (table, schema) => table.overwrite({ source: SOURCE, mode: 'whole', schema }),
  delete: (table, options) => table.delete(options),
  'delete where': (table, where) => table.delete({ where }),
  'update set': (table, set) => table.update({ set }),
  'update value': (table, name) => table.update({ set: { name } }),
  'merge target': (table, target) => table.merge(target).execute(),
  'merge on': (table, on) => table.merge({ source: SOURCE, on }).whenMatchedDelete().execute(),
  'merge clause': (table, clause) =>
    table.merge({ source: SOURCE, on: 'target.id = source.id' }).whenMatchedUpdate(clause).execute(),
  'merge alias': (table, sourceAlias) =>
    table.merge({ source: SOURCE, on: 'false', sourceAlias }).whenMatchedDelete().execute(),
  optimize: (table, options) => table.optimize(options),
  'optimize where': (table, where) => table.optimize({ where }),
  'optimize order': (table, name) => table.optimize({ zOrderBy: [name] }),
  'optimize size': (table, targetFileSizeBytes) => table.optimize({ targetFileSizeBytes }),
  vacuum: (table, options) => table.vacuum(options),
  'vacuum retention': (table, retentionMs) => table.vacuum({ retentionMs }),
  'vacuum pinned': (table, version) => table.vacuum({ pinnedVersions: [version] }),
  restore: (table, options) => table.restore(options),
  clone: (table, options) => table.clone(options),
  'clone root': (table, root) => table.clone({ target: { store, root }, kind: 'deep' }),
  fsck: (table, options) => table.fsck(options),
  'compactLog from': (table, from) => table.compactLog({ from, to: 1 }),
  'cleanUpLog age': (table, olderThanMs) => table.cleanUpLog({ olderThanMs }),
  'history limit': (table, limit) => table.history({ limit }),
  'diff from': (table, from) => table.diff({ from, to: 1 }),
  'pin snapshot': async (table, snapshot) => table.pin(snapshot),
  'add columns': (table, columns) => table.alter.addColumns(columns),
  'add name': (table, name) => table.alter.addColumns([field(name, 'long')]),
  'add type': (table, type) => table.alter.addColumns([field('added', type)]),
  'change column': (table, column) => table.alter.changeColumn({ column, comment: 'c' }),
  'change type': (table, type) => table.alter.changeColumn({ column: 'id', type }),
  'change default': (table, value) => table.alter.changeColumn({ column: 'name', default: value }),
  'rename to': (table, to) => table.alter.renameColumn({ column: ['s', 'a'], to }),
  'drop column': (table, column) => table.alter.dropColumns([column]),
  'constraint name': (table, name) => table.alter.addConstraint({ name, expression: 'id > 0' }),
  'constraint expression': (table, expression) => table.alter.addConstraint({ name: 'c', expression }),
  'drop constraint': (table, name) => table.alter.dropConstraint({ name }),
  properties: (table, properties) => table.alter.setProperties(properties),
  'property value': (table, value) => table.alter.setProperties({ 'delta.checkpointInterval': value }),
  comment: (table, comment) => table.alter.setComment(comment),
  clustering: (table, columns) => table.alter.setClustering(columns),
  'domain name': (table, domain) => table.alter.setDomainMetadata({ domain, configuration: '' }),
  create: (_table, options) => DeltaTable.create(options),
  'create root': (_table, root) => DeltaTable.create({ store, engine, root, schema: SCHEMA }),
  'create schema': (_table, schema) => DeltaTable.create({ store, engine, root: newRoot(), schema }),
  'create name': (_table, name) =>
    DeltaTable.create({ store, engine, root: newRoot(), schema: struct([field(name, 'long')]) }),
  'create partition': (_table, name) =>
    DeltaTable.create({ store, engine, root: newRoot(), schema: SCHEMA, partitionColumns: [name] }),
  'open root': (_table, root) => DeltaTable.open({ store, engine, root }),
  convert: (_table, options) => DeltaTable.convert(options),
};

async function drained(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows);
}

describe('arguments of the wrong kind', () => {
  for (const [name, call] of Object.entries(CALLS)) {
    it(`${name}: is a DeltaError or does what it says, and leaves a table that can be read`, async () => {
      const root = newRoot();
      const table = await newTable(root);
      let before = await table.snapshot();
      for (const value of VALUES) {
        const what = `${name} of ${typeof value}`;
        try {
          await call(table, value as never);
          // What was asked for may be legitimate, and have changed the table.
          before = await table.snapshot();
        } catch (error) {
          const isRight = error instanceof DeltaError && !(error instanceof AssertionFailure);
          assert.ok(isRight, `${what} failed with ${String((error as Error).stack)}`);
          assert.equal((await table.snapshot()).version, before.version, `${what} changed rows and failed`);
        }
      }
      const fresh = await DeltaTable.open({ store, engine, root });
      await fresh.append({ source: { kind: 'rows', rows: ROWS } });
      assert.ok((await idsOf(fresh)).length >= ROWS.length);
    });
  }

  it('a delete or an update whose condition is misspelt, or no option at all, takes nothing', async () => {
    const table = await newTable();
    for (const options of ['id = 1', { were: 'id = 1' }, { where: null }, ['id = 1'], null]) {
      await assert.rejects(table.delete(options as never), { code: 'invalid-data' });
      const set = { name: `'z'` };
      if (options !== null && typeof options === 'object' && !Array.isArray(options)) {
        await assert.rejects(table.update({ set, ...options } as never), { code: 'invalid-data' });
      }
    }
    assert.deepEqual(await idsOf(table), [1, 2]);
  });

  it('an engine that is closed, twice even, says so', async () => {
    const closed = await DuckDbEngine.create({ threads: 1 });
    const root = newRoot();
    const table = await DeltaTable.create({ store, engine: closed, root, schema: SCHEMA });
    await closed.close();
    await closed.close();
    const refused = { code: 'engine', message: /closed/ };
    await assert.rejects(table.append({ source: SOURCE }), refused);
    await assert.rejects(idsOf(table), refused);
    await assert.rejects(table.optimize({ where: 'true' }), DeltaError);
  });

  it('a number that is none never ends the table', async () => {
    const root = newRoot();
    const table = await newTable(root);
    const append = { source: SOURCE, txns: [{ appId: 'a', version: NaN }] };
    await assert.rejects(table.append(append), { code: 'invalid-data' });
    assert.deepEqual(await idsOf(await DeltaTable.open({ store, engine, root })), [1, 2]);
  });

  it('a source file is a file, by its absolute path', async () => {
    const table = await newTable();
    const file = join(directory, 'rows.ndjson');
    writeFileSync(file, '{"id": 3}\n');
    for (const hostile of [directory, `${directory}/*.ndjson`, 'rows.ndjson', '../rows.ndjson', '']) {
      await assert.rejects(table.append({ source: { kind: 'ndjson', file: hostile } }), DeltaError, hostile);
    }
    await table.append({ source: { kind: 'ndjson', file } });
    assert.deepEqual(await idsOf(table), [1, 2, 3]);
  });
});

describe('conditions and names that are no SQL of their own', () => {
  it('read no file, no setting, and nothing beside the row', async () => {
    const table = await newTable();
    const secret = join(directory, 'secret.csv');
    writeFileSync(secret, 'a\n1\n');
    const conditions = [
      'true) OR (true',
      'true; DROP TABLE x',
      'true --',
      'true /*',
      `EXISTS (FROM read_csv('${secret}'))`,
      `(SELECT count(*) FROM read_text('${secret}')) > 0`,
      `getenv('HOME') <> ''`,
      `current_setting('threads') > 0`,
      `id = $1`,
      `count(*) > 0`,
      'row_number() OVER () = 1',
      'random() < 2',
      `id IN (FROM glob('/*'))`,
      'true\0',
    ];
    for (const where of conditions.filter((text) => text !== 'true --')) {
      await assert.rejects(table.delete({ where }), { code: 'invalid-expression' }, where);
      await assert.rejects(table.update({ set: { name: where } }), { code: 'invalid-expression' }, where);
      await assert.rejects(drained(table.rows({ where })), { code: 'invalid-expression' }, where);
      const merge = table.merge({ source: SOURCE, on: where }).whenMatchedDelete();
      await assert.rejects(merge.execute(), { code: 'invalid-expression' }, where);
    }
    assert.deepEqual(await idsOf(table), [1, 2]);
    await assert.rejects(
      table.alter.addConstraint({ name: 'c', expression: `getenv('HOME') = ''` }),
      DeltaError,
    );
  });

  it('a comment at the end of a source hides nothing that follows', async () => {
    const table = await newTable();
    await table.append({ source: { kind: 'sql', sql: 'SELECT 3 AS id -- the third' }, columns: ['id'] });
    assert.deepEqual(await idsOf(table), [1, 2, 3]);
  });
});

/** A table, in a store with another beside it, whose log names one file as it likes. */
async function tableNaming(path: string, add: Partial<AddFile> = {}): Promise<DeltaTable> {
  const root = newRoot();
  const table = await newTable(root, 'none');
  const hostile: Action = {
    add: { path, partitionValues: { p: 'x' }, size: 400, modificationTime: 1, dataChange: true, ...add },
  };
  await store.put(`${root}/_delta_log/${commitName(2)}`, encodeCommit([hostile]));
  return table;
}

/** A Parquet file that is none of the table's. */
async function secretFile(): Promise<string> {
  const root = newRoot();
  await newTable(root);
  const files: string[] = [];
  for await (const { path } of store.list(`${root}/`)) if (path.endsWith('.parquet')) files.push(path);
  assert.ok(files[0]);
  return files[0].slice('db/'.length);
}

describe('paths in a log', () => {
  it('that lead out of the table, or to a directory, are refused, whatever is done with them', async () => {
    const secret = await secretFile();
    const encoded = secret.replaceAll('/', '%2F');
    const paths = [
      `../${secret}`,
      `x/../../${secret}`,
      `%2E%2E/${secret}`,
      `..%2F${encoded}`,
      `./.././${secret}`,
      `..\\${secret}`,
      '..',
      'a%00.parquet',
      '',
      '.',
      'p=x/',
      '%2E',
      './%2E',
    ];
    for (const path of paths) {
      const table = await tableNaming(path);
      const refused = { code: 'corrupt-log' };
      await assert.rejects(idsOf(table), refused, path);
      await assert.rejects(table.delete({ where: 'id = 1' }), refused, path);
      await assert.rejects(table.optimize(), refused, path);
      await assert.rejects(table.vacuum({ retentionMs: 0, retentionCheck: false }), refused, path);
      const target = { store, root: newRoot() };
      await assert.rejects(table.clone({ target, kind: 'deep' }), refused, path);
      await assert.rejects(table.clone({ target, kind: 'shallow' }), refused, path);
      await assert.rejects(DeltaTable.open({ engine, ...target }), { code: 'not-a-table' }, path);
    }
    assert.ok(existsSync(store.localPath(`db/${secret}`)));
  });

  it('that are absolute are read on a local disk, never removed, and refused in a remote store', async () => {
    const secret = await secretFile();
    const absolute = store.localPath(`db/${secret}`);
    for (const path of [pathToFileURL(absolute).href, absolute]) {
      const table = await tableNaming(path);
      assert.ok((await idsOf(table)).length > 2, path);
      await table.delete();
      await table.vacuum({ retentionMs: 0, retentionCheck: false });
      assert.ok(existsSync(absolute), path);
      const remote = new MemoryStore();
      const [add] = (await (await tableNaming(path)).snapshot()).files();
      assert.ok(add);
      await DeltaTable.create({ store: remote, engine, root: 't', schema: SCHEMA, partitionColumns: ['p'] });
      await remote.put(`t/_delta_log/${commitName(1)}`, encodeCommit([{ add: { ...add, path } }]));
      const opened = await DeltaTable.open({ store: remote, engine, root: 't' });
      await assert.rejects(idsOf(opened), { code: 'unsupported-feature' });
    }
    for (const path of [
      's3://bucket/x.parquet',
      'hdfs://n/x',
      'http://localhost/x.parquet',
      'abfss://c@a/x',
    ]) {
      await assert.rejects(idsOf(await tableNaming(path)), { code: 'unsupported-feature' }, path);
    }
  });

  it('are literal for DuckDB: no pattern, no other format, no option', async () => {
    for (const path of [
      '*.parquet',
      '%2A%2A',
      '[a-z]*.parquet',
      'p=x/?.parquet',
      "x';DROP TABLE y;--.parquet",
    ]) {
      const error = await idsOf(await tableNaming(path)).catch((cause: unknown) => cause);
      assert.ok(error instanceof DeltaError, `${path}: ${JSON.stringify(error)}`);
    }
  });

  it('links in the directory are not followed by a vacuum', async () => {
    const root = newRoot();
    const table = await newTable(root);
    const outside = join(directory, `outside-${count}`);
    mkdirSync(outside);
    writeFileSync(join(outside, 'keep.parquet'), 'x');
    symlinkSync(outside, store.localPath(`${root}/link`));
    symlinkSync(join(outside, 'keep.parquet'), store.localPath(`${root}/link.parquet`));
    await table.vacuum({ retentionMs: 0, retentionCheck: false });
    assert.deepEqual(readdirSync(outside), ['keep.parquet']);
    assert.deepEqual(await idsOf(table), [1, 2]);
  });

  it('roots stay in the store', async () => {
    for (const root of ['..', '../x', 'a/../../x', '/etc', 'a\0b']) {
      const options = { store, engine, root, schema: SCHEMA };
      await assert.rejects(DeltaTable.create(options), DeltaError, root);
      await assert.rejects(DeltaTable.open(options), DeltaError, root);
    }
    assert.deepEqual(
      readdirSync(directory).filter((name) => name === 'x'),
      [],
    );
  });
});
