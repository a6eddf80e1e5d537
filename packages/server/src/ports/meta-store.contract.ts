import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sql } from 'kysely';
import type { MetaStore } from './meta-store.ts';

interface Tables {
  things: { id: string; count: number; data: Uint8Array | null };
  parts: { id: string; thing: string };
}

const MIGRATIONS = [
  {
    version: 1,
    sql: [
      'CREATE TABLE things (id text PRIMARY KEY, count bigint NOT NULL, data blob)',
      'CREATE TABLE parts (id text PRIMARY KEY, thing text NOT NULL REFERENCES things (id))',
    ],
  },
];

/** What every MetaStore promises. `reopen` gives a new store on the same data; left out where nothing outlives a close. */
export function metaStoreContract(
  name: string,
  open: () => Promise<MetaStore>,
  reopen?: () => Promise<MetaStore>,
): void {
  describe(`MetaStore contract: ${name}`, () => {
    const use = async (work: (meta: MetaStore) => Promise<void>): Promise<void> => {
      const meta = await open();
      try {
        await meta.migrate('test', MIGRATIONS);
        await work(meta);
      } finally {
        await meta.close();
      }
    };
    const add = async (meta: MetaStore, id: string, count = 0): Promise<void> => {
      await meta.tables<Tables>().insertInto('things').values({ id, count, data: null }).execute();
    };
    const ids = async (meta: MetaStore): Promise<string[]> =>
      (await meta.tables<Tables>().selectFrom('things').select('id').orderBy('id').execute()).map(
        (row) => row.id,
      );

    it('gives back values as they were put', () =>
      use(async (meta) => {
        const data = Uint8Array.of(0, 1, 255);
        const row = { id: "ü'", count: Number.MAX_SAFE_INTEGER, data };
        await meta.tables<Tables>().insertInto('things').values(row).execute();
        const read = await meta.tables<Tables>().selectFrom('things').selectAll().executeTakeFirstOrThrow();
        assert.deepEqual({ ...read, data: Uint8Array.from(read.data!) }, row);
      }));

    it('counts the rows that a statement changed', () =>
      use(async (meta) => {
        await add(meta, 'a');
        const db = meta.tables<Tables>();
        const hit = await db.updateTable('things').set({ count: 1 }).where('id', '=', 'a').executeTakeFirst();
        const miss = await db
          .updateTable('things')
          .set({ count: 1 })
          .where('id', '=', 'b')
          .executeTakeFirst();
        assert.deepEqual([hit.numUpdatedRows, miss.numUpdatedRows], [1n, 0n]);
      }));

    it('keeps nothing of a transaction that throws, and goes on', () =>
      use(async (meta) => {
        const failed = meta.transaction<Tables, void>(async (tx) => {
          await tx.insertInto('things').values({ id: 'a', count: 0, data: null }).execute();
          throw new Error('stop');
        });
        await assert.rejects(failed, /stop/);
        await add(meta, 'b');
        assert.deepEqual(await ids(meta), ['b']);
      }));

    it('serialises transactions that read and then write', () =>
      use(async (meta) => {
        await add(meta, 'a');
        const increment = (): Promise<void> =>
          meta.transaction<Tables, void>(async (tx) => {
            const { count } = await tx.selectFrom('things').select('count').executeTakeFirstOrThrow();
            await Promise.resolve();
            await tx
              .updateTable('things')
              .set({ count: count + 1 })
              .execute();
          });
        await Promise.all(Array.from({ length: 20 }, increment));
        const { count } = await meta
          .tables<Tables>()
          .selectFrom('things')
          .select('count')
          .executeTakeFirstOrThrow();
        assert.equal(count, 20);
      }));

    it('shows no statement outside a transaction what the transaction has not committed', () =>
      use(async (meta) => {
        const entered = Promise.withResolvers<void>();
        const leave = Promise.withResolvers<void>();
        const running = meta.transaction<Tables, void>(async (tx) => {
          await tx.insertInto('things').values({ id: 'a', count: 0, data: null }).execute();
          entered.resolve();
          await leave.promise;
          await tx.deleteFrom('things').execute();
        });
        await entered.promise;
        const seen = ids(meta);
        leave.resolve();
        assert.deepEqual(await seen, []);
        await running;
      }));

    it('refuses a nested transaction instead of waiting for itself', () =>
      use(async (meta) => {
        await assert.rejects(
          meta.transaction(() => meta.transaction(() => Promise.resolve())),
          /wait for itself/,
        );
        await assert.rejects(
          meta.transaction(() => ids(meta)),
          /wait for itself/,
        );
        assert.deepEqual(await ids(meta), []);
      }));

    it('holds foreign keys', () =>
      use(async (meta) => {
        const orphan = meta.tables<Tables>().insertInto('parts').values({ id: 'p', thing: 'none' }).execute();
        await assert.rejects(orphan);
      }));

    it('applies each migration once, in order, and none by half', () =>
      use(async (meta) => {
        const second = {
          version: 2,
          sql: ['ALTER TABLE things ADD COLUMN extra text', 'SELECT nonsense FROM nowhere'],
        };
        await assert.rejects(meta.migrate('test', [...MIGRATIONS, second]));
        const fixed = { version: 2, sql: [second.sql[0]!] };
        await meta.migrate('test', [...MIGRATIONS, fixed]);
        await meta.migrate('test', [...MIGRATIONS, fixed]);
        await meta.migrate('other', []);
        await sql`UPDATE things SET extra = 'x'`.execute(meta.tables<Tables>());
      }));

    it('refuses data of a newer version', () =>
      use(async (meta) => {
        await assert.rejects(meta.migrate('test', []), { code: 'newer-version' });
      }));

    if (reopen) {
      it('keeps what was committed when it is opened again', async () => {
        await use((meta) => add(meta, 'kept'));
        const again = await reopen();
        try {
          await again.migrate('test', MIGRATIONS);
          assert.deepEqual(await ids(again), ['kept']);
          await assert.rejects(again.migrate('test', []), { code: 'newer-version' });
        } finally {
          await again.close();
        }
      });
    }
  });
}
