import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { ConsumerError } from '../errors.ts';
import type { Lease } from '../core/lease.ts';
import { decodeCheckpoint, encodeCheckpoint, type LeaseScope, type LeaseStore } from './lease-store.ts';

/** How often a locked database is tried again, and for how long SQLite itself waits each time. */
const TRIES_MAX = 40;
const BUSY_MS = 50;
const PAUSE_MS = 25;
const SQLITE_BUSY = 5;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS leases (
    application TEXT NOT NULL, stream TEXT NOT NULL, shard_id TEXT NOT NULL,
    owner TEXT, counter INTEGER NOT NULL, term INTEGER NOT NULL,
    checkpoint TEXT NOT NULL, parents TEXT NOT NULL, requested_by TEXT,
    PRIMARY KEY (application, stream, shard_id)
  ) STRICT, WITHOUT ROWID`;
const WHERE = 'application = :application AND stream = :stream';

/**
 * Leases in one SQLite file, for any number of processes on one machine; several applications may share it. An
 * acknowledged write survives a crash of the processes and of the machine. The file must not be on a network share.
 */
export class FileLeaseStore implements LeaseStore {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #isReady = false;

  /** Makes the file if it isn't there; its folder must be. Throws SQLite's error when it can't be opened. */
  constructor({ path }: { path: string }) {
    this.#path = path;
    this.#database = new DatabaseSync(path, { timeout: BUSY_MS });
  }

  list(scope: LeaseScope): Promise<Lease[]> {
    return this.#run(() =>
      this.#prepare(`SELECT * FROM leases WHERE ${WHERE}`)
        .all({ ...scope })
        .map(toLease),
    );
  }

  read(scope: LeaseScope, shardId: string): Promise<Lease | undefined> {
    return this.#run(() => {
      const row = this.#prepare(`SELECT * FROM leases WHERE ${WHERE} AND shard_id = :shardId`);
      const found = row.get({ ...scope, shardId });
      return found === undefined ? undefined : toLease(found);
    });
  }

  create(scope: LeaseScope, lease: Lease): Promise<boolean> {
    return this.#write(
      `INSERT INTO leases VALUES (:application, :stream, :shardId, :owner, :counter, :term, :checkpoint, :parents,
         :requestedBy) ON CONFLICT DO NOTHING`,
      { ...scope, ...toRow(lease) },
    );
  }

  replace(scope: LeaseScope, lease: Lease, counter: number): Promise<boolean> {
    return this.#write(
      `UPDATE leases SET owner = :owner, counter = :counter, term = :term, checkpoint = :checkpoint,
         parents = :parents, requested_by = :requestedBy
       WHERE ${WHERE} AND shard_id = :shardId AND counter = :expected`,
      { ...scope, ...toRow(lease), expected: counter },
    );
  }

  delete(scope: LeaseScope, shardId: string, counter: number): Promise<boolean> {
    return this.#write(`DELETE FROM leases WHERE ${WHERE} AND shard_id = :shardId AND counter = :counter`, {
      ...scope,
      shardId,
      counter,
    });
  }

  /** Closes the file; no call may be under way. */
  close(): void {
    this.#database.close();
  }

  /** A statement is a transaction of its own, so that condition and change can't come apart. */
  #write(sql: string, values: Record<string, string | number | null>): Promise<boolean> {
    return this.#run(() => this.#prepare(sql).run(values).changes === 1);
  }

  async #run<T>(work: () => T): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        this.#open();
        return work();
      } catch (error) {
        if (!isBusy(error)) throw error;
        if (tries === TRIES_MAX)
          throw new ConsumerError(
            'lease-store',
            `The lease file "${this.#path}" is locked by another process. Nothing but consumers should open it.`,
            error,
          );
        await pause(PAUSE_MS);
      }
    }
  }

  #open(): void {
    if (this.#isReady) return;
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
    this.#database.exec(`BEGIN IMMEDIATE`);
    try {
      this.#database.exec(SCHEMA);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
    this.#isReady = true;
  }

  #prepare(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function isBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  // The low byte is the primary code.
  return typeof code === 'number' && (code & 0xff) === SQLITE_BUSY;
}

function toRow({ shardId, owner, counter, term, checkpoint, parents, requestedBy }: Lease) {
  return {
    shardId,
    owner: owner ?? null,
    counter,
    term,
    checkpoint: encodeCheckpoint(checkpoint),
    parents: JSON.stringify(parents),
    requestedBy: requestedBy ?? null,
  };
}

function toLease(row: Record<string, SQLOutputValue>): Lease {
  return {
    shardId: row['shard_id'] as string,
    owner: (row['owner'] as string | null) ?? undefined,
    counter: row['counter'] as number,
    term: row['term'] as number,
    checkpoint: decodeCheckpoint(row['checkpoint'] as string),
    parents: JSON.parse(row['parents'] as string) as string[],
    requestedBy: (row['requested_by'] as string | null) ?? undefined,
  };
}
