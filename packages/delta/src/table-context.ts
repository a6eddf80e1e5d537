/** What every operation on a table works with: its store, engine and clock, the newest state, and the way to commit. */
import { randomUUID } from 'node:crypto';
import type { Engine } from './engine.ts';
import { writeCheckpoint } from './log/checkpoint.ts';
import { cleanUpLog } from './log/clean-up.ts';
import { writeChecksum } from './log/checksum.ts';
import { checkpointInterval } from './properties/table-properties.ts';
import { loadState, refreshState, type TableIo, versionAt } from './snapshot/load.ts';
import type { TableState } from './snapshot/table-state.ts';
import type { ObjectStore } from './store/object-store.ts';
import { commitTransaction, type Transaction, type TransactionOutcome } from './transaction/transaction.ts';

export interface OpenOptions {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** Path of the table in the store, without a trailing slash; '' for the store's own root. */
  readonly root: string;
  /** Milliseconds since 1970; default: the machine's clock. */
  readonly now?: () => number;
  /** Unique texts for names of files, tables and commits; default: random UUIDs. */
  readonly uuid?: () => string;
  /** Told of failures that harm nothing but speed, such as a checkpoint that could not be written. */
  readonly onWarning?: (warning: Warning) => void;
  /**
   * `on-commit` (default): whoever commits a version that is due for a checkpoint writes it, with a checksum, and cleans
   * up what of the log has expired, before the call returns. `manual`: someone else calls `checkpointIfDue()` and
   * `cleanUpLog()`, such as a maintenance process.
   */
  readonly checkpoints?: 'on-commit' | 'manual';
}

export interface Warning {
  /** What did not work: `checkpoint`, `checksum`, `clean-up` … */
  readonly what: string;
  readonly error: unknown;
}

export interface TableContext {
  readonly io: TableIo;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly uuid: () => string;
  readonly warn: (warning: Warning) => void;
  /** The newest state; reads only the commits after the one known. */
  refresh(): Promise<TableState>;
  /** Throws `version-not-found`. */
  stateAt(version: number): Promise<TableState>;
  /** The version that was the newest at a time; throws `version-not-found`. */
  versionAt(timestampMs: number): Promise<number>;
  /**
   * Commits by the protocol's rules, however many versions others put in between, and writes a checkpoint if one is due.
   * Durable and visible on return. Throws `contention`, `outcome-unknown` and the store's errors.
   */
  commit(transaction: Transaction): Promise<TransactionOutcome>;
}

/** Nothing is read before the first call. */
export function createContext(options: OpenOptions): TableContext {
  const io: TableIo = { store: options.store, engine: options.engine, root: options.root };
  const now = options.now ?? Date.now;
  const uuid = options.uuid ?? randomUUID;
  const warn = options.onWarning ?? ((): void => undefined);
  let state: TableState | undefined;
  // One refresh at a time: a second one begins from what the first one found.
  let refreshing: Promise<unknown> = Promise.resolve();
  const refresh = (): Promise<TableState> => {
    const next = refreshing.then(async () => {
      state = state === undefined ? await loadState(io) : await refreshState(io, state);
      return state;
    });
    refreshing = next.catch(() => undefined);
    return next;
  };
  const checkpointIfDue = async (version: number, known: TableState): Promise<void> => {
    // Others may have changed the interval meanwhile; then one of the next commits goes by it.
    if (version % checkpointInterval(known.metadata.configuration) !== 0) return;
    try {
      const newest = await refresh();
      // Others may have committed meanwhile; a checkpoint of any version is a good one.
      await writeCheckpoint(io, newest, now(), { uuid });
      await writeChecksum(io, newest);
      await cleanUpLog({ io, now, refresh });
    } catch (error) {
      warn({ what: 'checkpoint', error });
    }
  };
  return {
    io,
    now,
    uuid,
    warn,
    refresh,
    stateAt: async (version) => (state?.version === version ? state : loadState(io, version)),
    versionAt: async (timestampMs) => versionAt(io, timestampMs, await refresh()),
    async commit(transaction) {
      const outcome = await commitTransaction(io, transaction, { now, uuid });
      if (outcome.kind === 'committed' && options.checkpoints !== 'manual') {
        await checkpointIfDue(outcome.version, transaction.state);
      }
      return outcome;
    },
  };
}
