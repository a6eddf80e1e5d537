/** Consumers in the metadata store. A consumer is of one stream and goes with it, in the same transaction. */
import type { Kysely } from 'kysely';
import type { MetaStore, Migration } from '../../../ports/meta-store.ts';
import type { Consumer } from './api.ts';

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: [
      `create table streams_consumer (stream text not null, name text not null, created_ms bigint not null,
        tags text not null, primary key (stream, name))`,
    ],
  },
];

/** Not an interface: it is laid over the tables of a transaction. */
export type ConsumerTables = {
  streams_consumer: { stream: string; name: string; created_ms: number; tags: string };
};

type StreamTables = ConsumerTables & { streams_stream: { name: string } };

/** The log's own tables must be there already. */
export class ConsumerStore {
  readonly #meta: MetaStore;

  constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  async load(): Promise<Consumer[]> {
    await this.#meta.migrate('streams-consumers', MIGRATIONS);
    const rows = await this.#meta
      .tables<ConsumerTables>()
      .selectFrom('streams_consumer')
      .selectAll()
      .execute();
    return rows.map((row) => ({
      stream: row.stream,
      name: row.name,
      createdMs: row.created_ms,
      tags: JSON.parse(row.tags) as Record<string, string>,
    }));
  }

  /** False when the stream is gone. */
  insert({ stream, name, createdMs, tags }: Consumer): Promise<boolean> {
    return this.#meta.transaction(async (tx: Kysely<StreamTables>) => {
      const found = await tx.selectFrom('streams_stream').select('name').where('name', '=', stream).execute();
      if (found.length === 0) return false;
      const row = { stream, name, created_ms: createdMs, tags: JSON.stringify(tags) };
      await tx.insertInto('streams_consumer').values(row).execute();
      return true;
    });
  }

  async setTags({ stream, name }: Consumer, tags: Readonly<Record<string, string>>): Promise<void> {
    await this.#meta
      .tables<ConsumerTables>()
      .updateTable('streams_consumer')
      .set({ tags: JSON.stringify(tags) })
      .where('stream', '=', stream)
      .where('name', '=', name)
      .execute();
  }

  async remove({ stream, name }: Consumer): Promise<void> {
    await this.#meta
      .tables<ConsumerTables>()
      .deleteFrom('streams_consumer')
      .where('stream', '=', stream)
      .where('name', '=', name)
      .execute();
  }
}

/** Part of the transaction that deletes their stream. */
export async function removeConsumersOf(tx: Kysely<ConsumerTables>, stream: string): Promise<void> {
  await tx.deleteFrom('streams_consumer').where('stream', '=', stream).execute();
}
