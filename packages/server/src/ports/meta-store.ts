import type { Kysely } from 'kysely';
import { PlatformError } from '../base/errors.ts';

/**
 * Transactional metadata: small rows that must survive a crash the moment a call returns.
 *
 * Every committed transaction is durable. Each module owns its tables, created by its numbered migrations; the first
 * release's migrations are never edited, later ones only go forward.
 */
export interface MetaStore {
  /** The module's view of the store; `Tables` maps its table names to row types. */
  tables<Tables>(): Kysely<Tables>;
  /** Runs `work` in one serialisable transaction; nothing of it is kept when it throws. Not to be nested. */
  transaction<Tables, Result>(work: (tx: Kysely<Tables>) => Promise<Result>): Promise<Result>;
  /** Applies the migrations of `module` that were not applied before, in order, each in a transaction. */
  migrate(module: string, migrations: readonly Migration[]): Promise<void>;
  close(): Promise<void>;
}

export interface Migration {
  /** 1, 2, 3 … without gaps. */
  readonly version: number;
  /** Statements in the SQL that SQLite and PostgreSQL share. */
  readonly sql: readonly string[];
}

/**
 * `storage-full`: nothing of the transaction was kept; the same again succeeds once there is space.
 * `damaged`: the store can't be read or written, now or in part.
 */
export type MetaStoreErrorCode = 'newer-version' | 'storage-full' | 'damaged' | 'closed';
export class MetaStoreError extends PlatformError<MetaStoreErrorCode> {}
