/** Wrapped data keys in the metadata store: one for each stream, segment and process that wrote to it. */
import type { Kysely } from 'kysely';
import type { MetaStore, Migration } from '../../../ports/meta-store.ts';

export const DATA_KEY_MIGRATION: Migration = {
  version: 3,
  sql: [
    `create table streams_data_key (id bigint primary key, stream text not null, master_key text not null,
      wrapped text not null, segment bigint not null)`,
    `create index streams_data_key_segment on streams_data_key (segment)`,
    `insert into streams_counter (name, next_value) values ('data-key', 1)`,
  ],
};

/** Not an interface: it is laid over the tables of a transaction. */
export type DataKeyTables = {
  streams_data_key: {
    id: number;
    stream: string;
    master_key: string;
    /** Base64. */
    wrapped: string;
    /** Number of the only segment that has batches of it. */
    segment: number;
  };
  streams_counter: { name: string; next_value: number };
};

export interface StoredDataKey {
  readonly stream: string;
  readonly masterKeyId: string;
  readonly wrapped: Uint8Array;
  readonly segment: number;
}

export class DataKeyStore {
  readonly #meta: MetaStore;

  constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  /** Durable on return; gives the key's id, which is never used again. */
  async add(key: StoredDataKey): Promise<number> {
    return this.#meta.transaction(async (tx: Kysely<DataKeyTables>) => {
      const counter = await tx
        .selectFrom('streams_counter')
        .selectAll()
        .where('name', '=', 'data-key')
        .executeTakeFirstOrThrow();
      const id = counter.next_value;
      await tx
        .updateTable('streams_counter')
        .set({ next_value: id + 1 })
        .where('name', '=', 'data-key')
        .execute();
      const wrapped = Buffer.from(key.wrapped).toString('base64');
      await tx
        .insertInto('streams_data_key')
        .values({ id, stream: key.stream, master_key: key.masterKeyId, wrapped, segment: key.segment })
        .execute();
      return id;
    });
  }

  async find(id: number): Promise<StoredDataKey | undefined> {
    const row = await this.#meta
      .tables<DataKeyTables>()
      .selectFrom('streams_data_key')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) return undefined;
    const wrapped = Buffer.from(row.wrapped, 'base64');
    return { stream: row.stream, masterKeyId: row.master_key, wrapped, segment: row.segment };
  }

  /** Forgets the keys of segments that are gone. */
  async removeBefore(segment: number): Promise<void> {
    const tables = this.#meta.tables<DataKeyTables>();
    await tables.deleteFrom('streams_data_key').where('segment', '<', segment).execute();
  }
}

/** A deleted stream's records are lost for good with their keys. */
export async function removeDataKeysOf(tx: Kysely<DataKeyTables>, stream: string): Promise<void> {
  await tx.deleteFrom('streams_data_key').where('stream', '=', stream).execute();
}
