import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { sql } from 'kysely';
import { metaStoreContract } from '../../ports/meta-store.contract.ts';
import { openSqliteMetaStore } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-sqlite-'));
after(() => rmSync(directory, { recursive: true }));

metaStoreContract('SQLite in memory', () => openSqliteMetaStore(':memory:'));

let files = 0;
const file = (): string => join(directory, `${files}.db`);
metaStoreContract(
  'SQLite file',
  () => {
    files += 1;
    return openSqliteMetaStore(file());
  },
  () => openSqliteMetaStore(file()),
);

describe('SQLite meta store', () => {
  it('syncs each commit to a write-ahead log', async () => {
    const meta = await openSqliteMetaStore(join(directory, 'pragmas.db'));
    const pragma = async (name: string): Promise<unknown> =>
      (await sql<Record<string, unknown>>`PRAGMA ${sql.raw(name)}`.execute(meta.tables())).rows[0];
    assert.deepEqual(await pragma('journal_mode'), { journal_mode: 'wal' });
    assert.deepEqual(await pragma('synchronous'), { synchronous: 2 });
    assert.deepEqual(await pragma('foreign_keys'), { foreign_keys: 1 });
    await meta.close();
  });

  it('says of a file that is damaged, or none, which it is', async () => {
    const path = join(directory, 'damaged.db');
    const refused = { code: 'damaged', message: /damaged\.db/, hint: /restore/ };
    writeFileSync(path, Buffer.alloc(4_096, 7));
    await assert.rejects(openSqliteMetaStore(path), refused);
    rmSync(path);
    mkdirSync(path);
    await assert.rejects(openSqliteMetaStore(path), refused);
    rmSync(path, { recursive: true });
    const meta = await openSqliteMetaStore(path);
    const migrations = [{ version: 1, sql: ['CREATE TABLE t (n integer)'] }];
    await meta.migrate('m', migrations);
    await meta.close();
    const bytes = readFileSync(path);
    // All pages but the first, which is read when the file is opened.
    bytes.fill(0xff, 4_096);
    writeFileSync(path, bytes);
    await assert.rejects(async () => {
      const opened = await openSqliteMetaStore(path);
      try {
        await opened.migrate('m', migrations);
      } finally {
        await opened.close();
      }
    }, refused);
  });

  it('refuses a file with a newer format and leaves it as it was', async () => {
    const path = join(directory, 'newer.db');
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();
    await assert.rejects(openSqliteMetaStore(path), { code: 'newer-version', message: /format 99/ });
    const again = new DatabaseSync(path);
    assert.deepEqual({ ...again.prepare('PRAGMA user_version').get() }, { user_version: 99 });
    again.close();
  });

  it('says that the disk is full, keeps nothing of the change, and works again once there is space', async () => {
    const meta = await openSqliteMetaStore(join(directory, 'full.db'));
    await meta.migrate('test', [{ version: 1, sql: ['CREATE TABLE blobs (data blob)'] }]);
    const db = meta.tables<{ blobs: { data: Uint8Array } }>();
    const pages = (count: number): Promise<unknown> =>
      sql`PRAGMA max_page_count = ${sql.raw(String(count))}`.execute(db);
    await pages(10);
    const big = { data: new Uint8Array(100_000) };
    await assert.rejects(
      meta.transaction<{ blobs: { data: Uint8Array } }, void>(async (tx) => {
        await tx
          .insertInto('blobs')
          .values({ data: Uint8Array.of(1) })
          .execute();
        await tx.insertInto('blobs').values(big).execute();
      }),
      { code: 'storage-full', retry: 'backoff' },
    );
    assert.deepEqual(await db.selectFrom('blobs').selectAll().execute(), []);
    await pages(1_000);
    await db.insertInto('blobs').values(big).execute();
    await meta.close();
  });

  it('answers by microtasks alone', async () => {
    const meta = await openSqliteMetaStore(':memory:');
    let macrotask = false;
    setImmediate(() => (macrotask = true));
    await meta.migrate('test', [{ version: 1, sql: ['CREATE TABLE t (a bigint)'] }]);
    await Promise.all(
      Array.from({ length: 5 }, () => meta.transaction((tx) => sql`INSERT INTO t VALUES (1)`.execute(tx))),
    );
    assert.equal(macrotask, false);
    await meta.close();
  });

  it('says so when it is used after its end', async () => {
    const meta = await openSqliteMetaStore(':memory:');
    await meta.migrate('test', []);
    await meta.close();
    await assert.rejects(sql`SELECT 1`.execute(meta.tables()));
    await meta.close();
  });
});
