/** What the log keeps in the metadata store: streams, shards, holds and which segments retention removed. */
import type { Kysely } from 'kysely';
import type { MetaStore, Migration } from '../../ports/meta-store.ts';
import type { NumberRange } from './core/retention.ts';

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: [
      `create table streams_stream (name text primary key, created_ms bigint not null, retention_hours bigint not null,
        mode text not null, internal bigint not null, tags text not null)`,
      `create table streams_shard (uid bigint primary key, stream text not null, shard_id text not null,
        hash_key_start text not null, hash_key_end text not null)`,
      `create index streams_shard_stream on streams_shard (stream)`,
      `create table streams_hold (uid bigint not null, holder text not null, held_offset bigint not null,
        primary key (uid, holder))`,
      `create table streams_counter (name text primary key, next_value bigint not null)`,
      `insert into streams_counter (name, next_value) values ('shard-uid', 1)`,
      `create table streams_removed (first_segment bigint primary key, last_segment bigint not null)`,
    ],
  },
];

interface Tables {
  streams_stream: {
    name: string;
    created_ms: number;
    retention_hours: number;
    mode: string;
    internal: number;
    tags: string;
  };
  streams_shard: {
    uid: number;
    stream: string;
    shard_id: string;
    hash_key_start: string;
    hash_key_end: string;
  };
  streams_hold: { uid: number; holder: string; held_offset: number };
  streams_counter: { name: string; next_value: number };
  streams_removed: { first_segment: number; last_segment: number };
}

export interface StoredShard {
  readonly uid: number;
  readonly shardId: string;
  readonly hashKeyStart: bigint;
  readonly hashKeyEnd: bigint;
}

export interface StoredStream {
  readonly name: string;
  readonly createdMs: number;
  readonly retentionHours: number;
  readonly mode: 'PROVISIONED' | 'ON_DEMAND';
  readonly internal: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly shards: readonly StoredShard[];
}

export interface StoredHold {
  readonly uid: number;
  readonly holder: string;
  readonly offset: number;
}

export interface Stored {
  readonly streams: readonly StoredStream[];
  readonly holds: readonly StoredHold[];
  readonly removed: readonly NumberRange[];
}

export class StreamStore {
  readonly #meta: MetaStore;

  constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  async load(): Promise<Stored> {
    await this.#meta.migrate('streams', MIGRATIONS);
    const tables = this.#meta.tables<Tables>();
    const streams = await tables.selectFrom('streams_stream').selectAll().execute();
    const shards = await tables.selectFrom('streams_shard').selectAll().orderBy('uid').execute();
    const holds = await tables.selectFrom('streams_hold').selectAll().execute();
    const removed = await tables.selectFrom('streams_removed').selectAll().orderBy('first_segment').execute();
    const shardsOf = Map.groupBy(shards, (row) => row.stream);
    return {
      streams: streams.map((row) => ({
        name: row.name,
        createdMs: row.created_ms,
        retentionHours: row.retention_hours,
        mode: row.mode === 'ON_DEMAND' ? 'ON_DEMAND' : 'PROVISIONED',
        internal: row.internal === 1,
        tags: JSON.parse(row.tags) as Record<string, string>,
        shards: (shardsOf.get(row.name) ?? []).map((shard) => ({
          uid: shard.uid,
          shardId: shard.shard_id,
          hashKeyStart: BigInt(shard.hash_key_start),
          hashKeyEnd: BigInt(shard.hash_key_end),
        })),
      })),
      holds: holds.map((row) => ({ uid: row.uid, holder: row.holder, offset: row.held_offset })),
      removed: removed.map((row) => ({ first: row.first_segment, last: row.last_segment })),
    };
  }

  /** Gives the shards their uids, which are never used again. */
  async create(
    stream: Omit<StoredStream, 'shards'>,
    shards: readonly Omit<StoredShard, 'uid'>[],
  ): Promise<StoredShard[]> {
    return this.#meta.transaction(async (tx: Kysely<Tables>) => {
      const counter = await tx
        .selectFrom('streams_counter')
        .selectAll()
        .where('name', '=', 'shard-uid')
        .executeTakeFirstOrThrow();
      const first = counter.next_value;
      await tx
        .updateTable('streams_counter')
        .set({ next_value: first + shards.length })
        .where('name', '=', 'shard-uid')
        .execute();
      await tx
        .insertInto('streams_stream')
        .values({
          name: stream.name,
          created_ms: stream.createdMs,
          retention_hours: stream.retentionHours,
          mode: stream.mode,
          internal: stream.internal ? 1 : 0,
          tags: JSON.stringify(stream.tags),
        })
        .execute();
      const stored = shards.map((shard, index) => ({ ...shard, uid: first + index }));
      for (let start = 0; start < stored.length; start += ROWS_PER_INSERT) {
        const rows = stored.slice(start, start + ROWS_PER_INSERT).map((shard) => ({
          uid: shard.uid,
          stream: stream.name,
          shard_id: shard.shardId,
          hash_key_start: String(shard.hashKeyStart),
          hash_key_end: String(shard.hashKeyEnd),
        }));
        await tx.insertInto('streams_shard').values(rows).execute();
      }
      return stored;
    });
  }

  async delete(name: string): Promise<void> {
    await this.#meta.transaction(async (tx: Kysely<Tables>) => {
      const uids = tx.selectFrom('streams_shard').select('uid').where('stream', '=', name);
      await tx.deleteFrom('streams_hold').where('uid', 'in', uids).execute();
      await tx.deleteFrom('streams_shard').where('stream', '=', name).execute();
      await tx.deleteFrom('streams_stream').where('name', '=', name).execute();
    });
  }

  async setRetention(name: string, retentionHours: number): Promise<void> {
    const tables = this.#meta.tables<Tables>();
    await tables
      .updateTable('streams_stream')
      .set({ retention_hours: retentionHours })
      .where('name', '=', name)
      .execute();
  }

  async setTags(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
    const tables = this.#meta.tables<Tables>();
    await tables
      .updateTable('streams_stream')
      .set({ tags: JSON.stringify(tags) })
      .where('name', '=', name)
      .execute();
  }

  /** Replaces what the holder holds of the shards. */
  async hold(holder: string, uids: readonly number[], offsets: ReadonlyMap<number, number>): Promise<void> {
    await this.#meta.transaction(async (tx: Kysely<Tables>) => {
      for (let start = 0; start < uids.length; start += ROWS_PER_INSERT) {
        const some = uids.slice(start, start + ROWS_PER_INSERT);
        await tx.deleteFrom('streams_hold').where('holder', '=', holder).where('uid', 'in', some).execute();
      }
      const rows = [...offsets].map(([uid, offset]) => ({ uid, holder, held_offset: offset }));
      for (let start = 0; start < rows.length; start += ROWS_PER_INSERT)
        await tx
          .insertInto('streams_hold')
          .values(rows.slice(start, start + ROWS_PER_INSERT))
          .execute();
    });
  }

  async setRemoved(ranges: readonly NumberRange[]): Promise<void> {
    await this.#meta.transaction(async (tx: Kysely<Tables>) => {
      await tx.deleteFrom('streams_removed').execute();
      const rows = ranges.map((range) => ({ first_segment: range.first, last_segment: range.last }));
      for (let start = 0; start < rows.length; start += ROWS_PER_INSERT)
        await tx
          .insertInto('streams_removed')
          .values(rows.slice(start, start + ROWS_PER_INSERT))
          .execute();
    });
  }
}

/** Keeps statements below the engines' bounds on parameters. */
const ROWS_PER_INSERT = 500;
