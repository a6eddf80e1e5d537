/** What the log keeps in the metadata store: streams, shards, holds and which segments retention removed. */
import type { Kysely } from 'kysely';
import type { MetaStore, Migration } from '../../ports/meta-store.ts';
import type { StreamMode, StreamSettings } from './api.ts';
import { removeConsumersOf, type ConsumerTables } from './consumers/consumer-store.ts';
import { DATA_KEY_MIGRATION, removeDataKeysOf, type DataKeyTables } from './encryption/data-key-store.ts';
import type { NumberRange } from './core/retention.ts';
import { DEFAULT_SETTINGS } from './limits.ts';

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
  {
    version: 2,
    sql: [
      `alter table streams_stream add column settings text not null default '{}'`,
      `alter table streams_shard add column opened_ms bigint`,
      `alter table streams_shard add column parent text`,
      `alter table streams_shard add column adjacent_parent text`,
      `alter table streams_shard add column closed_ms bigint`,
      `alter table streams_shard add column end_offset bigint`,
    ],
  },
  DATA_KEY_MIGRATION,
];

interface Tables {
  streams_stream: {
    name: string;
    created_ms: number;
    retention_hours: number;
    mode: string;
    internal: number;
    tags: string;
    settings: string;
  };
  streams_shard: {
    uid: number;
    stream: string;
    shard_id: string;
    hash_key_start: string;
    hash_key_end: string;
    /** Null for a shard as old as its stream, from before there was resharding. */
    opened_ms: number | null;
    parent: string | null;
    adjacent_parent: string | null;
    /** Both null while the shard is open. */
    closed_ms: number | null;
    end_offset: number | null;
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
  readonly openedMs: number;
  readonly parentShardId?: string | undefined;
  readonly adjacentParentShardId?: string | undefined;
  /** `endOffset` is the offset after its last record. */
  readonly closed?: { readonly atMs: number; readonly endOffset: number } | undefined;
}

export interface StoredReshard {
  readonly atMs: number;
  /** Open shards that are closed, with the offsets after their last records. */
  readonly closed: readonly { readonly uid: number; readonly endOffset: number }[];
  /** Without uids, in the order of their making; those that are closed at once never had a record. */
  readonly opened: readonly (Omit<StoredShard, 'uid' | 'closed'> & { readonly isClosed: boolean })[];
  /** Stored with it. */
  readonly settings: StreamSettings;
}

export interface StoredStream {
  readonly name: string;
  readonly createdMs: number;
  readonly retentionHours: number;
  readonly mode: StreamMode;
  readonly internal: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly settings: StreamSettings;
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
        settings: { ...DEFAULT_SETTINGS, ...(JSON.parse(row.settings) as Partial<StreamSettings>) },
        shards: (shardsOf.get(row.name) ?? []).map((shard) => shardFrom(shard, row.created_ms)),
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
      const first = await takeUids(tx, shards.length);
      await tx
        .insertInto('streams_stream')
        .values({
          name: stream.name,
          created_ms: stream.createdMs,
          retention_hours: stream.retentionHours,
          mode: stream.mode,
          internal: stream.internal ? 1 : 0,
          tags: JSON.stringify(stream.tags),
          settings: JSON.stringify(stream.settings),
        })
        .execute();
      const stored = shards.map((shard, index) => ({ ...shard, uid: first + index }));
      await insertShards(tx, stream.name, stored);
      return stored;
    });
  }

  /** Closes and opens shards in one step; gives the opened with their uids, which are above all that were given before. */
  async reshard(name: string, change: StoredReshard): Promise<StoredShard[]> {
    return this.#meta.transaction(async (tx: Kysely<Tables>) => {
      const first = await takeUids(tx, change.opened.length);
      for (const { uid, endOffset } of change.closed)
        await tx
          .updateTable('streams_shard')
          .set({ closed_ms: change.atMs, end_offset: endOffset })
          .where('uid', '=', uid)
          .execute();
      const closed = { atMs: change.atMs, endOffset: 0 };
      const stored = change.opened.map(({ isClosed, ...shard }, index) => ({
        ...shard,
        uid: first + index,
        closed: isClosed ? closed : undefined,
      }));
      await insertShards(tx, name, stored);
      await tx
        .updateTable('streams_stream')
        .set({ settings: JSON.stringify(change.settings) })
        .where('name', '=', name)
        .execute();
      return stored;
    });
  }

  /** Forgets closed shards whose records expired. */
  async removeShards(uids: readonly number[]): Promise<void> {
    await this.#meta.transaction(async (tx: Kysely<Tables>) => {
      for (let start = 0; start < uids.length; start += ROWS_PER_INSERT) {
        const some = uids.slice(start, start + ROWS_PER_INSERT);
        await tx.deleteFrom('streams_hold').where('uid', 'in', some).execute();
        await tx.deleteFrom('streams_shard').where('uid', 'in', some).execute();
      }
    });
  }

  async configure(
    name: string,
    { mode, settings }: { readonly mode: StreamMode; readonly settings: StreamSettings },
  ): Promise<void> {
    await this.#meta
      .tables<Tables>()
      .updateTable('streams_stream')
      .set({ mode, settings: JSON.stringify(settings) })
      .where('name', '=', name)
      .execute();
  }

  async delete(name: string): Promise<void> {
    await this.#meta.transaction(async (tx: Kysely<Tables>) => {
      const uids = tx.selectFrom('streams_shard').select('uid').where('stream', '=', name);
      await tx.deleteFrom('streams_hold').where('uid', 'in', uids).execute();
      await tx.deleteFrom('streams_shard').where('stream', '=', name).execute();
      await tx.deleteFrom('streams_stream').where('name', '=', name).execute();
      await removeConsumersOf(tx.withTables<ConsumerTables>(), name);
      await removeDataKeysOf(tx.withTables<DataKeyTables>(), name);
    });
  }

  async setRetention(name: string, retentionHours: number, settings: StreamSettings): Promise<void> {
    const tables = this.#meta.tables<Tables>();
    await tables
      .updateTable('streams_stream')
      .set({ retention_hours: retentionHours, settings: JSON.stringify(settings) })
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

async function takeUids(tx: Kysely<Tables>, count: number): Promise<number> {
  const counter = await tx
    .selectFrom('streams_counter')
    .selectAll()
    .where('name', '=', 'shard-uid')
    .executeTakeFirstOrThrow();
  await tx
    .updateTable('streams_counter')
    .set({ next_value: counter.next_value + count })
    .where('name', '=', 'shard-uid')
    .execute();
  return counter.next_value;
}

async function insertShards(
  tx: Kysely<Tables>,
  stream: string,
  shards: readonly StoredShard[],
): Promise<void> {
  for (let start = 0; start < shards.length; start += ROWS_PER_INSERT) {
    const rows = shards.slice(start, start + ROWS_PER_INSERT).map((shard) => ({
      uid: shard.uid,
      stream,
      shard_id: shard.shardId,
      hash_key_start: String(shard.hashKeyStart),
      hash_key_end: String(shard.hashKeyEnd),
      opened_ms: shard.openedMs,
      parent: shard.parentShardId ?? null,
      adjacent_parent: shard.adjacentParentShardId ?? null,
      closed_ms: shard.closed?.atMs ?? null,
      end_offset: shard.closed?.endOffset ?? null,
    }));
    await tx.insertInto('streams_shard').values(rows).execute();
  }
}

function shardFrom(row: Tables['streams_shard'], streamCreatedMs: number): StoredShard {
  return {
    uid: row.uid,
    shardId: row.shard_id,
    hashKeyStart: BigInt(row.hash_key_start),
    hashKeyEnd: BigInt(row.hash_key_end),
    openedMs: row.opened_ms ?? streamCreatedMs,
    parentShardId: row.parent ?? undefined,
    adjacentParentShardId: row.adjacent_parent ?? undefined,
    closed:
      row.closed_ms === null || row.end_offset === null
        ? undefined
        : { atMs: row.closed_ms, endOffset: row.end_offset },
  };
}
