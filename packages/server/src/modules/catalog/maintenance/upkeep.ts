/**
 * Keeps the tables of the catalogue in shape in the background: checkpoints of the log, compaction of small files,
 * removal of what has expired.
 *
 * U1 One piece of work at a time, and no more of it than a share of the time: after work of t ms there is none for
 *    t × (1 / share - 1) ms, so that ingest and queries have the machine.
 * U2 Nothing is lost by an end at any moment: each piece is one commit of the Delta library or removes only what no
 *    version within the table's retention needs.
 * U3 A table on which work fails is left alone for a while and shown; the others go on.
 */
import type { DeltaTable } from '@sluice/delta';
import type { Clock, Timer } from '../../../ports/clock.ts';
import type { Logger, Metrics } from '../../../ports/observe.ts';
import type { PlacedTable } from '../api.ts';

export interface UpkeepLimits {
  /** Between two looks at the tables. */
  readonly roundMs: number;
  /** Of the time that goes into work, from 0 (exclusive) to 1. */
  readonly share: number;
  /** Bytes that one compaction reads, at most, unless a single file is larger. */
  readonly compactionBytesMax: number;
  /** How long a table is left alone on which work failed. */
  readonly failurePauseMs: number;
  /** From the start of the process to the first clean-up of a table's expired log and files. */
  readonly cleanUpDelayMs: number;
  /** Between two of them. */
  readonly cleanUpIntervalMs: number;
}

const DEFAULT_LIMITS: UpkeepLimits = {
  roundMs: 5_000,
  share: 0.25,
  compactionBytesMax: 256 * 2 ** 20,
  failurePauseMs: 10 * 60_000,
  cleanUpDelayMs: 10 * 60_000,
  cleanUpIntervalMs: 24 * 3_600_000,
};

export interface UpkeepOptions {
  /** The tables of the catalogue. */
  readonly tables: () => Promise<readonly PlacedTable[]>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly limits?: Partial<UpkeepLimits>;
}

export type UpkeepWork = 'checkpoint' | 'compaction' | 'clean-up';

/** What the upkeep is at and has done since the start of the process. */
export interface UpkeepStatus {
  /** Undefined while it waits. */
  readonly current?: { readonly table: string; readonly work: UpkeepWork; readonly startedMs: number };
  /** Tables that it has done something for. */
  readonly tables: readonly TableUpkeep[];
}

export interface TableUpkeep {
  /** `database.name` */
  readonly table: string;
  readonly checkpoints: number;
  readonly compactions: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  /** Of the files that compactions wrote. */
  readonly bytesRewritten: number;
  readonly lastMs: number;
  /** Why the last work failed; gone once work succeeds. */
  readonly failure?: string;
}

export interface Upkeep {
  status(): UpkeepStatus;
  /** Looks at all tables once, after the round under way; resolves when the work that it found is done. */
  round(): Promise<void>;
  /** Ends the work under way, which leaves its table whole. */
  close(): Promise<void>;
}

/** Begins with the first round after `roundMs`. */
export function startUpkeep(options: UpkeepOptions): Upkeep {
  return new Keeper(options);
}

interface Kept {
  /** The version that was looked at last. */
  version: number;
  cleanUpMs: number;
  pausedUntilMs: number;
}

type Counted = { -readonly [Key in keyof TableUpkeep]: TableUpkeep[Key] };

class Keeper implements Upkeep {
  readonly #options: UpkeepOptions;
  readonly #limits: UpkeepLimits;
  readonly #kept = new Map<string, Kept>();
  readonly #counted = new Map<string, Counted>();
  readonly #abort = new AbortController();
  readonly #seconds;
  #timer: Timer;
  #round: Promise<void> = Promise.resolve();
  #current: UpkeepStatus['current'];

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#seconds = options.metrics.histogram(
      'sluice_upkeep_seconds',
      'Time that a piece of work on a table took.',
      { labels: ['work'], buckets: [0.01, 0.1, 1, 10, 60, 600] },
    );
    this.#timer = this.#next(this.#limits.roundMs);
  }

  status(): UpkeepStatus {
    return {
      ...(this.#current !== undefined && { current: this.#current }),
      tables: [...this.#counted.values()],
    };
  }

  round(): Promise<void> {
    this.#round = this.#round.then(() => this.#tables());
    return this.#round;
  }

  async close(): Promise<void> {
    this.#timer.cancel();
    this.#abort.abort();
    await this.#round;
  }

  #next(afterMs: number): Timer {
    return this.#options.clock.timer(afterMs, () => {
      void this.round().finally(() => {
        if (!this.#abort.signal.aborted) this.#timer = this.#next(this.#limits.roundMs);
      });
    });
  }

  async #tables(): Promise<void> {
    const { clock, logger } = this.#options;
    try {
      const tables = await this.#options.tables();
      const names = new Set(tables.map(nameOf));
      for (const known of this.#kept.keys()) if (!names.has(known)) this.#forget(known);
      for (const table of tables) {
        if (this.#abort.signal.aborted) return;
        const kept = this.#keptOf(nameOf(table));
        const nowMs = clock.nowMs();
        // A table that nobody uses is opened for its clean-up only.
        const isDue = table.isOpen || nowMs >= kept.cleanUpMs;
        if (isDue && nowMs >= kept.pausedUntilMs) await this.#keep(table, kept);
      }
    } catch (error) {
      logger.warn({ error }, 'the tables could not be looked at');
    }
  }

  async #keep(table: PlacedTable, kept: Kept): Promise<void> {
    const { clock, logger } = this.#options;
    const name = nameOf(table);
    try {
      const delta = await table.open();
      if (delta === undefined) return;
      const { version } = await delta.snapshot();
      if (version !== kept.version) {
        await this.#work(name, 'checkpoint', () => this.#checkpoint(name, delta));
        await this.#work(name, 'compaction', () => this.#compact(name, delta));
        kept.version = (await delta.snapshot()).version;
      }
      if (clock.nowMs() >= kept.cleanUpMs) {
        kept.cleanUpMs = clock.nowMs() + this.#limits.cleanUpIntervalMs;
        await this.#work(name, 'clean-up', () => this.#cleanUp(name, delta));
      }
      const counted = this.#counted.get(name);
      if (counted !== undefined) delete counted.failure;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      kept.pausedUntilMs = clock.nowMs() + this.#limits.failurePauseMs;
      const failure = error instanceof Error ? error.message : String(error);
      this.#count(name, { failure });
      logger.warn({ table: name, error }, 'the upkeep of a table failed; it is left alone for a while');
    }
  }

  /** Does a piece of work, and waits as long as the share of time demands. */
  async #work(table: string, work: UpkeepWork, task: () => Promise<void>): Promise<void> {
    if (this.#abort.signal.aborted) return;
    const { clock } = this.#options;
    this.#current = { table, work, startedMs: clock.nowMs() };
    const startMs = clock.monotonicMs();
    try {
      await task();
    } finally {
      this.#current = undefined;
    }
    const tookMs = clock.monotonicMs() - startMs;
    this.#seconds.observe(tookMs / 1000, { work });
    const pauseMs = tookMs * (1 / this.#limits.share - 1);
    if (pauseMs >= 1) await clock.sleep(pauseMs, this.#abort.signal).catch(() => undefined);
  }

  async #checkpoint(name: string, delta: DeltaTable): Promise<void> {
    if (await delta.checkpointIfDue()) this.#count(name, { checkpoints: 1 });
  }

  async #compact(name: string, delta: DeltaTable): Promise<void> {
    const result = await delta.autoCompact({
      tables: 'unless-refused',
      planBytesMax: this.#limits.compactionBytesMax,
      signal: this.#abort.signal,
    });
    if (result === undefined || result.filesRemoved === 0) return;
    const { filesRemoved, filesAdded, bytesAdded } = result;
    this.#count(name, { compactions: 1, filesRemoved, filesAdded, bytesRewritten: bytesAdded });
    this.#options.logger.info(
      { table: name, filesRemoved, filesAdded, bytesAdded },
      'small files were joined',
    );
  }

  async #cleanUp(name: string, delta: DeltaTable): Promise<void> {
    const log = await delta.cleanUpLog();
    const { signal } = this.#abort;
    // A vacuum leaves its mark in the history, which one that has nothing to do should not.
    const found = await delta.vacuum({ dryRun: true, signal });
    const { files, bytes } = found.files === 0 ? found : await delta.vacuum({ signal });
    if (log.deleted + files === 0) return;
    this.#options.logger.info(
      { table: name, logFiles: log.deleted, files, bytes },
      'expired files were removed',
    );
  }

  #count(table: string, more: Partial<Omit<TableUpkeep, 'table'>>): void {
    const counted = this.#counted.get(table) ?? {
      table,
      checkpoints: 0,
      compactions: 0,
      filesRemoved: 0,
      filesAdded: 0,
      bytesRewritten: 0,
      lastMs: 0,
    };
    counted.checkpoints += more.checkpoints ?? 0;
    counted.compactions += more.compactions ?? 0;
    counted.filesRemoved += more.filesRemoved ?? 0;
    counted.filesAdded += more.filesAdded ?? 0;
    counted.bytesRewritten += more.bytesRewritten ?? 0;
    counted.lastMs = this.#options.clock.nowMs();
    if (more.failure !== undefined) counted.failure = more.failure;
    this.#counted.set(table, counted);
  }

  #keptOf(name: string): Kept {
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    // A start should not be the moment of the most work.
    const cleanUpMs = this.#options.clock.nowMs() + this.#limits.cleanUpDelayMs;
    const kept = { version: -1, cleanUpMs, pausedUntilMs: 0 };
    this.#kept.set(name, kept);
    return kept;
  }

  #forget(name: string): void {
    this.#kept.delete(name);
    this.#counted.delete(name);
  }
}

function nameOf({ database, name }: PlacedTable): string {
  return `${database}.${name}`;
}
