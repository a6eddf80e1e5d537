/**
 * A Delta table: the log that says which files it has, and the operations that change it.
 *
 * Invariants:
 * - D1 versions are contiguous, and each is written once.
 * - D2 a commit names only files that are durable.
 * - D3 a snapshot never changes; refreshing one costs what the new commits hold, not what the history does.
 * - D4 an operation whose `txns` are recorded is never applied again.
 * - D5 a table that needs a feature which this library lacks is refused by the feature's name, before it is read or
 *   changed.
 *
 * Specification: the Delta Transaction Log Protocol (PROTOCOL.md of delta-io/delta). Each operation is a function of its
 * own over a `TableContext`; this class is the door to them.
 */
import * as shapes from './arguments/operations.ts';
import { assertShape } from './arguments/shape.ts';
import { type ChangeOptions, type ChangeScan, readChanges } from './change-feed/read-changes.ts';
import { detail, type TableDetail } from './detail/detail.ts';
import {
  type DeleteOptions,
  type DeleteResult,
  deleteRows,
  type MergeBuilder,
  mergeInto,
  type MergeTarget,
  type OverwriteOptions,
  type OverwriteResult,
  overwriteRows,
  type UpdateOptions,
  type UpdateResult,
  updateRows,
} from './dml/index.ts';
import type { ColumnBatch } from './engine.ts';
import { isDeltaError } from './errors.ts';
import { writeCheckpoint } from './log/checkpoint.ts';
import { writeChecksum } from './log/checksum.ts';
import { cleanUpLog, type CleanUpOptions } from './log/clean-up.ts';
import { type LogCompaction, writeLogCompaction } from './log/compaction.ts';
import { readLastCheckpoint } from './log/last-checkpoint.ts';
import { autoCompact, type AutoCompactionPolicy } from './maintenance/auto-compaction.ts';
import { clone, type CloneOptions, type CloneResult } from './maintenance/clone.ts';
import { type ConvertOptions, convertToDelta } from './maintenance/convert/convert.ts';
import { diff, type DiffOptions, type VersionDiff } from './maintenance/diff.ts';
import { fsck, type FsckOptions, type FsckResult } from './maintenance/fsck/fsck.ts';
import type { LongWork } from './maintenance/long-work.ts';
import { optimize, type OptimizeOptions } from './maintenance/optimize/optimize.ts';
import type { RewriteResult } from './maintenance/optimize/rewrite-totals.ts';
import { pin } from './maintenance/pins.ts';
import { restore, type RestoreOptions, type RestoreResult } from './maintenance/restore.ts';
import { vacuum, type VacuumOptions, type VacuumResult } from './maintenance/vacuum/vacuum.ts';
import { checkpointInterval } from './properties/table-properties.ts';
import { assertWritable } from './protocol/features.ts';
import { readBatches, readRows, toSql } from './reading/read.ts';
import type { Row, RowOptions, SelectOptions } from './reading/select.ts';
import { type CommitSummary, readHistory } from './snapshot/history.ts';
import { createSnapshot, type Snapshot } from './snapshot/snapshot.ts';
import type { TableState } from './snapshot/table-state.ts';
import { TableAlterations } from './table-alterations.ts';
import { createContext, type OpenOptions, type TableContext } from './table-context.ts';
import { type AppendOptions, type AppendResult, appendRows } from './write/append.ts';
import { type CreateOptions, createTable } from './write/create-table.ts';

/** Which version is meant; default: the newest. By time, the one that was the newest then, in milliseconds since 1970. */
export interface VersionChoice {
  readonly version?: number | undefined;
  readonly timestampMs?: number | undefined;
}

/**
 * An open table. Calls may overlap; each goes by the newest version when it begins. There is nothing to close: store and
 * engine are the caller's.
 */
export class DeltaTable {
  readonly #context: TableContext;
  /** Changes of the schema, the rules and the properties. */
  readonly alter: TableAlterations;

  private constructor(options: OpenOptions) {
    this.#context = createContext(options);
    this.alter = new TableAlterations(this.#context);
  }

  /**
   * Creates an empty table; version 0 is durable on return. Throws `exists` if there is a log at the root,
   * `invalid-schema`, `unsupported-type` or `invalid-property` for what it can't be given, and `outcome-unknown`.
   */
  static async create(options: CreateOptions): Promise<DeltaTable> {
    assertShape(options, shapes.CREATE, 'create');
    const table = new DeltaTable(options);
    await createTable(table.#context, options);
    return table;
  }

  /**
   * Opens a table and reads its newest version. Throws `not-a-table`, `unsupported-feature`, `unsupported-type`,
   * `log-gap` or `corrupt-log`.
   */
  static async open(options: OpenOptions): Promise<DeltaTable> {
    assertShape(options, shapes.OPEN, 'open');
    const table = new DeltaTable(options);
    await table.#context.refresh();
    return table;
  }

  /** Opens a table; undefined if there is none. Throws as {@link DeltaTable.open} otherwise. */
  static async openIfExists(options: OpenOptions): Promise<DeltaTable | undefined> {
    return DeltaTable.open(options).catch((error: unknown) => {
      if (isDeltaError(error, 'not-a-table')) return undefined;
      throw error;
    });
  }

  /**
   * Makes a directory of Parquet files a table, without rewriting them; version 0 is durable on return. Throws `exists`,
   * `invalid-schema` for files that contradict one another, and `engine` for a file that can't be read.
   */
  static async convert(options: ConvertOptions): Promise<DeltaTable> {
    assertShape(options, shapes.CONVERT, 'convert');
    await convertToDelta(options);
    return DeltaTable.open(options);
  }

  /**
   * The newest version, one by number, or the one that was the newest at a time. Throws `version-not-found`, and the
   * errors of {@link DeltaTable.open}.
   */
  async snapshot(choice: VersionChoice = {}): Promise<Snapshot> {
    assertShape(choice, shapes.VERSION_CHOICE, 'snapshot');
    return createSnapshot(await this.#state(choice), this.#context.io);
  }

  /**
   * Rows as objects, as they come from the engine; the files stay while they are read. Throws `invalid-expression`,
   * `invalid-data` for a column that there isn't, `not-found` for a file that a vacuum took, `aborted`, and the errors of
   * {@link DeltaTable.snapshot}.
   */
  async *rows(options: RowOptions & VersionChoice = {}): AsyncGenerator<Row, void, undefined> {
    assertShape(options, shapes.ROWS, 'rows');
    yield* readRows(this.#context, await this.#state(options), options);
  }

  /** As {@link DeltaTable.rows}, a bounded number of rows at once, column by column. */
  async *batches(options: RowOptions & VersionChoice = {}): AsyncGenerator<ColumnBatch, void, undefined> {
    assertShape(options, shapes.ROWS, 'batches');
    yield* readBatches(this.#context, await this.#state(options), options);
  }

  /**
   * A SELECT that any DuckDB connection can run whose time zone is UTC, until a vacuum takes the files. Of a remote store
   * it names local copies, which nothing lets go of: use `snapshot.scan` there. Throws as {@link DeltaTable.rows}.
   */
  async toSql(options: SelectOptions & VersionChoice = {}): Promise<string> {
    assertShape(options, shapes.SELECT, 'toSql');
    return toSql(this.#context, await this.#state(options), options);
  }

  /**
   * What changed from one version to another, row by row, where the table keeps its change feed. Throws
   * `version-not-found`, `invalid-data` for a range that ends before it begins, `aborted`, and `changes-unavailable`
   * naming the version whose changes were not recorded, or are gone.
   */
  async changes(options: ChangeOptions): Promise<ChangeScan> {
    assertShape(options, shapes.CHANGES, 'changes');
    return readChanges(this.#context, options);
  }

  /**
   * Adds rows, all or none; durable and visible on return. Rows of another writer that got in between are no conflict.
   * Throws `invalid-data`, `not-null` or `constraint` for rows that don't fit, `unsupported-feature` if the table can't
   * be written, `conflict` when another writer changed the schema, the properties or the protocol meanwhile, or recorded
   * some of the txns, `contention`, `outcome-unknown`, `no-space`, `io` or `engine`; except after `outcome-unknown`
   * nothing was committed. With `txns` every failure may be answered by the same call again.
   */
  async append(options: AppendOptions): Promise<AppendResult> {
    assertShape(options, shapes.APPEND, 'append');
    return appendRows(this.#context, options);
  }

  /**
   * Puts rows in the place of all others, of those of the same partitions, or of those that meet a condition; durable and
   * visible on return. Throws as {@link DeltaTable.delete} and {@link DeltaTable.append}, and `constraint` for a row
   * outside of `replaceWhere`.
   */
  async overwrite(options: OverwriteOptions): Promise<OverwriteResult> {
    assertShape(options, shapes.OVERWRITE, 'overwrite');
    return overwriteRows(this.#context, options);
  }

  /**
   * Deletes the rows for which a condition is true; durable and visible on return. Where other writers change what it
   * reads, it is made again from their version. Throws `invalid-expression`, `invalid-property` for an append-only table,
   * `unsupported-feature` if the table can't be written, `conflict` when it was made again too often or for a txn,
   * `contention`, `aborted`, `outcome-unknown`, `no-space`, `io` or `engine`; except after `outcome-unknown` nothing was
   * committed.
   */
  async delete(options: DeleteOptions = {}): Promise<DeleteResult> {
    assertShape(options, shapes.DELETE, 'delete');
    return deleteRows(this.#context, options);
  }

  /**
   * Changes the rows for which a condition is true; durable and visible on return. Throws as {@link DeltaTable.delete},
   * and `invalid-data`, `not-null` or `constraint` for values that don't fit.
   */
  async update(options: UpdateOptions): Promise<UpdateResult> {
    assertShape(options, shapes.UPDATE, 'update');
    return updateRows(this.#context, options);
  }

  /** Begins a merge; add its clauses, then `execute()` it. */
  merge(target: MergeTarget): MergeBuilder {
    return mergeInto(this.#context, target);
  }

  /**
   * Joins small files and purges deleted rows, or lays rows out along a curve; rows stay as they are. Commits as it goes.
   * Phase of the progress: `rewrite`. Throws `invalid-expression` for a condition on other than partition columns,
   * `invalid-schema` for columns that can't be ordered by, `invalid-data` for options that don't go together,
   * `unsupported-feature`, `aborted`, `contention`, `no-space`, `io` or `engine`.
   */
  async optimize(options: OptimizeOptions = {}): Promise<RewriteResult> {
    assertShape(options, shapes.OPTIMIZE, 'optimize');
    return optimize(this.#context, options);
  }

  /** Joins the small files that are worth it now; undefined when none are. Throws as {@link DeltaTable.optimize}. */
  async autoCompact(policy: AutoCompactionPolicy & LongWork = {}): Promise<RewriteResult | undefined> {
    assertShape(policy, shapes.AUTO_COMPACT, 'autoCompact');
    return autoCompact(this.#context, policy);
  }

  /**
   * Deletes files that no version within the retention and no pinned one needs. What was deleted stays so after an abort
   * or a failure. Phases of the progress: `list`, `delete`. Throws `constraint` for a retention that the check refuses,
   * `version-not-found` for a pinned version that is gone, `unsupported-feature`, `aborted` or `io`.
   */
  async vacuum(options: VacuumOptions = {}): Promise<VacuumResult> {
    assertShape(options, shapes.VACUUM, 'vacuum');
    return vacuum(this.#context, options);
  }

  /**
   * Commits the table as it was at an earlier version. Throws `version-not-found`, `not-found` naming files that a vacuum
   * took, `constraint` when rows would have to go from an append-only table, `conflict` or `aborted`; then nothing was
   * committed.
   */
  async restore(options: RestoreOptions): Promise<RestoreResult> {
    assertShape(options, shapes.RESTORE, 'restore');
    return restore(this.#context, options);
  }

  /**
   * Makes another table of one version, with its own copies of the files or without. Phase of the progress: `copy`. Throws
   * `exists` when the target is a table, `unsupported-feature` for a shallow clone of a remote store, `not-found` for a
   * file that is gone, or `aborted`; then there is no new table.
   */
  async clone(options: CloneOptions): Promise<CloneResult> {
    assertShape(options, shapes.CLONE, 'clone');
    return clone(this.#context, options);
  }

  /**
   * Looks for what is missing or damaged; with `dryRun: false` takes files that are missing out of the table. Phases of
   * the progress: `files`, `footers`. Throws `aborted` or `conflict`.
   */
  async fsck(options: FsckOptions = {}): Promise<FsckResult> {
    assertShape(options, shapes.FSCK, 'fsck');
    return fsck(this.#context, options);
  }

  /** Writes a checkpoint of the newest version, durable on return; readers then need no commit before it. */
  async checkpoint(): Promise<void> {
    const state = await this.#context.refresh();
    assertWritable(state);
    const { io, now, uuid } = this.#context;
    await writeCheckpoint(io, state, now(), { uuid });
    await writeChecksum(io, state);
  }

  /** Writes a checkpoint if as many commits as the table's interval came since the last; whether it did. */
  async checkpointIfDue(): Promise<boolean> {
    const { io } = this.#context;
    const { version, metadata } = await this.#context.refresh();
    const last = (await readLastCheckpoint(io.store, io.root))?.version ?? -1;
    if (version - last < checkpointInterval(metadata.configuration)) return false;
    await this.checkpoint();
    return true;
  }

  /**
   * Writes the commits of a range of versions, both ends inclusive, as one file, which readers far behind read faster; the
   * commits stay. Throws `invalid-data` for fewer than 2 versions or more than 10,000, and `log-gap`.
   */
  async compactLog(range: { readonly from: number; readonly to: number }): Promise<LogCompaction> {
    assertShape(range, shapes.LOG_RANGE, 'compactLog');
    return writeLogCompaction(this.#context, range);
  }

  /**
   * Deletes what of the log has expired by the table's retention, and that no younger version needs; nothing where
   * `delta.enableExpiredLogCleanup` is false. Throws `unsupported-feature`.
   */
  async cleanUpLog(options: CleanUpOptions = {}): Promise<{ deleted: number }> {
    assertShape(options, shapes.CLEAN_UP, 'cleanUpLog');
    return cleanUpLog(this.#context, options);
  }

  /** The newest commits first, 1,000 unless told otherwise. Commits that a clean-up removed are left out. */
  async history(options: { readonly limit?: number | undefined } = {}): Promise<CommitSummary[]> {
    assertShape(options, shapes.HISTORY, 'history');
    return readHistory(this.#context.io, options.limit, await this.#context.refresh());
  }

  /** What the table is: its format, features, properties, size and health. */
  detail(): Promise<TableDetail> {
    return detail(this.#context);
  }

  /** What differs between two versions, told from the log alone. Throws `version-not-found`. */
  async diff(options: DiffOptions): Promise<VersionDiff> {
    assertShape(options, shapes.DIFF, 'diff');
    return diff(this.#context, options);
  }

  /** Keeps the files of a snapshot from vacuums of this process until the function that it returns is called. */
  pin(snapshot: Snapshot): () => void {
    assertShape(snapshot, shapes.SNAPSHOT, 'pin');
    return pin(this.#context, snapshot);
  }

  async #state({ version, timestampMs }: VersionChoice): Promise<TableState> {
    if (version !== undefined) return this.#context.stateAt(version);
    if (timestampMs === undefined) return this.#context.refresh();
    return this.#context.stateAt(await this.#context.versionAt(timestampMs));
  }
}
