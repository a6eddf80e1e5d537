/** Data files with damaged bytes: rows, or an error that names the file; never another error, and never an end. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { DeltaError } from '../errors.ts';
import { struct } from '../schema/types.ts';
import { LocalStore } from '../store/local-store.ts';
import { DeltaTable } from '../table.ts';
import { DuckDbEngine } from './engine.ts';

let directory: string;
let engine: DuckDbEngine;
/** In seconds since 1970. */
let modified = 1_000;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice damaged '));
  engine = await DuckDbEngine.create({ threads: 1, memoryLimit: '512MB' });
});
after(async () => {
  await engine.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Three files; `path` is that of one of them. */
async function newTable(root: string): Promise<{ table: DeltaTable; path: string }> {
  const schema = struct({ id: 'long', text: 'string' });
  const table = await DeltaTable.create({ store: new LocalStore(directory), engine, root, schema });
  for (const first of [0, 10, 20]) {
    const rows = Array.from({ length: 10 }, (_, at) => ({ id: first + at, text: `text ${at}` }));
    await table.append({ source: { kind: 'rows', rows } });
  }
  const [, file] = (await table.snapshot()).files();
  assert.ok(file);
  return { table, path: join(directory, root, file.path) };
}

/** What reads or rewrites all of the files. */
const OPERATIONS: Readonly<Record<string, (table: DeltaTable) => Promise<unknown>>> = {
  rows: async (table) => {
    for await (const row of table.rows()) assert.ok('id' in row);
  },
  update: (table) => table.update({ set: { text: `'x'` } }),
  optimize: (table) => table.optimize(),
};

/** What a task gives, or fails with, while a file has other bytes. */
async function damaged(
  path: string,
  edit: (bytes: Buffer) => Buffer,
  task: () => Promise<unknown>,
): Promise<unknown> {
  const bytes = readFileSync(path);
  writeFileSync(path, edit(Buffer.from(bytes)));
  // The engine remembers the footer of a file until the file has another time.
  modified += 1;
  utimesSync(path, modified, modified);
  try {
    return await task().catch((error: unknown) => error);
  } finally {
    writeFileSync(path, bytes);
  }
}

describe('a damaged file', { timeout: 120_000 }, () => {
  it('is named, whatever bit of its footer it is', async () => {
    const { table, path } = await newTable('flipped');
    const size = readFileSync(path).length;
    let refused = 0;
    for (let at = Math.floor(size / 2); at < size; at += 3) {
      const flip = (bytes: Buffer): Buffer => bytes.fill((bytes[at] ?? 0) ^ (1 << (at % 8)), at, at + 1);
      const outcome = await damaged(path, flip, () => OPERATIONS['rows']?.(table) ?? assert.fail());
      if (outcome === undefined) continue;
      assert.ok(outcome instanceof DeltaError, `byte ${at} is refused by name`);
      assert.ok(outcome.message.includes(path), `byte ${at}: ${outcome.message}`);
      refused += 1;
    }
    assert.ok(refused > 10, `${refused} refused`);
  });

  for (const [what, operation] of Object.entries(OPERATIONS)) {
    it(`is named by ${what}, which changes nothing`, async () => {
      const { table, path } = await newTable(what);
      // The footer is Thrift that ends before it should.
      const cut = (bytes: Buffer): Buffer => bytes.fill(0xff, bytes.length - 60, bytes.length - 8);
      const { version } = await table.snapshot();
      const outcome = await damaged(path, cut, () => operation(table));
      assert.ok(outcome instanceof DeltaError && outcome.code === 'engine', String(outcome));
      assert.ok(outcome.message.includes(path), outcome.message);
      assert.equal((await table.snapshot()).version, version);
    });
  }
});
