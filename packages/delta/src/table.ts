/**
 * A Delta table: the log that says which files it has, and the operations that change it.
 *
 * Invariants:
 * - D1 versions are contiguous, and each is written once.
 * - D2 a commit names only files that are durable.
 * - D3 a snapshot never changes; refreshing one costs what the new commits hold, not what the history does.
 * - D4 an append whose `txns` are recorded is never applied again.
 * - D5 a table that needs a feature which this library lacks is refused by the feature's name, before it is read or
 *   changed.
 *
 * Specification: the Delta Transaction Log Protocol (PROTOCOL.md of delta-io/delta).
 */
import { randomUUID } from 'node:crypto';
import type { Engine, RowSource } from './engine.ts';
import { DeltaError, isDeltaError } from './errors.ts';
import type { Action, MetadataAction, TxnAction } from './log/actions.ts';
import { writeCheckpoint } from './log/checkpoint.ts';
import { isEmptyListing, listLog } from './log/log-listing.ts';
import { assertSupportedProperties, checkpointInterval } from './properties/table-properties.ts';
import { assertWritable, protocolFor, upgradedProtocol } from './protocol/features.ts';
import { withColumns } from './schema/evolution.ts';
import { schemaToJson } from './schema/json.ts';
import type { StructField, StructType } from './schema/types.ts';
import { assertValidSchema } from './schema/validate.ts';
import { type CommitSummary, readHistory } from './snapshot/history.ts';
import { loadState, refreshState, type TableIo, versionAt } from './snapshot/load.ts';
import { createSnapshot, type Snapshot } from './snapshot/snapshot.ts';
import type { TableState } from './snapshot/table-state.ts';
import type { ObjectStore } from './store/object-store.ts';
import { putCommit } from './transaction/commit.ts';
import { describeCommit } from './transaction/commit-info.ts';
import { recordedTxns } from './transaction/conflicts.ts';
import { commitTransaction, type TransactionOutcome } from './transaction/transaction.ts';
import { type DataFiles, writeDataFiles } from './write/data-files.ts';

export interface OpenOptions {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** Path of the table in the store, without a trailing slash; '' for the store's own root. */
  readonly root: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Unique texts for names of files, tables and commits; default: random UUIDs. */
  readonly uuid?: () => string;
  /** Told of failures that harm nothing but speed, such as a checkpoint that could not be written. */
  readonly onWarning?: (warning: { readonly what: 'checkpoint'; readonly error: unknown }) => void;
}

export interface CreateOptions extends OpenOptions {
  readonly schema: StructType;
  readonly partitionColumns?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
  readonly description?: string;
}

export interface AppendOptions {
  readonly source: RowSource;
  /** What the append is known by: each application's version, which must rise from append to append. */
  readonly txns?: readonly { readonly appId: string; readonly version: number }[];
  /** Columns to add in the same commit, as by {@link DeltaTable.addColumns}. */
  readonly addColumns?: readonly StructField[];
  /** As shown in the history; default `WRITE`. */
  readonly operation?: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly userMetadata?: string;
}

export type AppendResult =
  /** Durable and visible; `bytes` of the new files. */
  | {
      readonly kind: 'committed';
      readonly version: number;
      readonly rows: number;
      readonly files: number;
      readonly bytes: number;
    }
  /** Every txn is recorded at its version or a later one; nothing was written. `version` is the table's newest. */
  | { readonly kind: 'already-committed'; readonly version: number }
  /** Nothing was committed: look at the table's `version` and decide again. */
  | { readonly kind: 'conflict'; readonly reason: 'txn' | 'metadata' | 'protocol'; readonly version: number };

export type MetadataResult =
  | { readonly kind: 'committed'; readonly version: number }
  /** The table is as asked for already. */
  | { readonly kind: 'unchanged'; readonly version: number }
  | { readonly kind: 'conflict'; readonly reason: 'txn' | 'metadata' | 'protocol'; readonly version: number };

export class DeltaTable {
  readonly #options: OpenOptions;
  readonly #io: TableIo;
  readonly #uuid: () => string;
  #state: TableState | undefined;
  /** Ends when the refresh before the next one has ended. */
  #refreshing: Promise<unknown> = Promise.resolve();

  private constructor(options: OpenOptions) {
    this.#options = options;
    this.#io = { store: options.store, engine: options.engine, root: options.root };
    this.#uuid = options.uuid ?? randomUUID;
  }

  /**
   * Creates an empty table; version 0 is durable on return. Throws `exists` if there is a log at the root,
   * `invalid-schema`, `unsupported-type` or `invalid-property` for what it can't be given, and `outcome-unknown`.
   */
  static async create(options: CreateOptions): Promise<DeltaTable> {
    const { schema, partitionColumns = [], properties = {}, description } = options;
    assertValidSchema(schema, partitionColumns);
    assertSupportedProperties(properties);
    const table = new DeltaTable(options);
    if (!isEmptyListing(await listLog(options.store, { root: options.root }))) throw exists(options.root);
    const nowMs = options.now();
    const metaData: MetadataAction = {
      id: table.#uuid(),
      ...(description === undefined ? {} : { description }),
      format: { provider: 'parquet', options: {} },
      schemaString: schemaToJson(schema),
      partitionColumns,
      configuration: properties,
      createdTime: nowMs,
    };
    const commitInfo = describeCommit({
      operation: 'CREATE TABLE',
      operationParameters: { partitionBy: partitionColumns, properties, isManaged: false },
      isBlindAppend: true,
      timestampMs: nowMs,
      txnId: table.#uuid(),
    });
    const actions: Action[] = [{ commitInfo }, { protocol: protocolFor(schema) }, { metaData }];
    const outcome = await putCommit(table.#io, { version: 0, txnId: commitInfo.txnId, actions });
    if (outcome.kind === 'lost') throw exists(options.root);
    return table;
  }

  /**
   * Opens a table and reads its newest version. Throws `not-a-table`, `unsupported-feature`, `unsupported-type`,
   * `log-gap` or `corrupt-log`.
   */
  static async open(options: OpenOptions): Promise<DeltaTable> {
    const table = new DeltaTable(options);
    await table.#refresh();
    return table;
  }

  /**
   * The newest version, one by number, or the one that was the newest at a time. Throws `version-not-found`, and the
   * errors of {@link DeltaTable.open}.
   */
  async snapshot(options: { version?: number } | { timestampMs?: number } = {}): Promise<Snapshot> {
    let version = 'version' in options ? options.version : undefined;
    if ('timestampMs' in options && options.timestampMs !== undefined) {
      version = await versionAt(this.#io, options.timestampMs);
    }
    if (version === undefined) return this.#snapshotOf(await this.#refresh());
    if (this.#state?.version === version) return this.#snapshotOf(this.#state);
    return this.#snapshotOf(await loadState(this.#io, version));
  }

  /**
   * Adds rows, all or none; durable and visible on return. Rows of another writer that got in between are no conflict.
   * Throws `invalid-data` or `not-null` for rows that don't fit, `unsupported-feature` if the table can't be written,
   * `contention`, `outcome-unknown`, `no-space`, `io` or `engine`; except after `outcome-unknown` nothing was committed.
   * With `txns` every failure may be answered by the same call again.
   */
  async append(options: AppendOptions): Promise<AppendResult> {
    const nowMs = this.#options.now();
    const txns = (options.txns ?? []).map((txn): TxnAction => ({ ...txn, lastUpdated: nowMs }));
    const state = await this.#refresh();
    if (txns.length > 0) {
      const recorded = recordedTxns(txns, (appId) => state.txns.get(appId)?.version);
      if (recorded === 'all') return { kind: 'already-committed', version: state.version };
      if (recorded === 'some') return { kind: 'conflict', reason: 'txn', version: state.version };
    }
    assertWritable(state);
    const change = this.#schemaChange(state, options.addColumns ?? []);
    const data = await writeDataFiles(this.#io, {
      schema: change.schema,
      partitionColumns: state.metadata.partitionColumns,
      configuration: state.metadata.configuration,
      source: options.source,
      nowMs,
      uuid: this.#uuid,
    });
    const outcome = await this.#commitAppend(state, { options, txns, data, actions: change.actions }).catch(
      async (error: unknown) => {
        // Otherwise the commit may still come to light, and it names these files.
        if (isDeltaError(error, 'no-space') || isDeltaError(error, 'contention')) await this.#discard(data);
        throw error;
      },
    );
    if (outcome.kind === 'committed') {
      await this.#checkpointIfDue(outcome.version);
      const { rows, bytes } = data;
      return { kind: 'committed', version: outcome.version, rows, files: data.adds.length, bytes };
    }
    await this.#discard(data);
    if (outcome.reason !== 'txn') return outcome;
    const newest = await this.#refresh();
    return recordedTxns(txns, (appId) => newest.txns.get(appId)?.version) === 'all'
      ? { kind: 'already-committed', version: newest.version }
      : outcome;
  }

  /**
   * Appends nullable columns that the table lacks; older rows have NULL there. Throws `invalid-schema` for a column
   * that is not nullable or that the table has with another type.
   */
  async addColumns(fields: readonly StructField[]): Promise<MetadataResult> {
    const state = await this.#refresh();
    assertWritable(state);
    const { actions } = this.#schemaChange(state, fields);
    return this.#commitMetadata(state, actions, {
      operation: 'ADD COLUMNS',
      operationParameters: { columns: fields.map(({ name, type }) => ({ column: { name, type } })) },
    });
  }

  /** Sets properties, or removes those given as null; throws `invalid-property` for `delta.*` ones not honoured. */
  async setProperties(properties: Readonly<Record<string, string | null>>): Promise<MetadataResult> {
    const set = Object.entries(properties).filter((entry): entry is [string, string] => entry[1] !== null);
    assertSupportedProperties(Object.fromEntries(set));
    const state = await this.#refresh();
    assertWritable(state);
    const before = state.metadata.configuration;
    const configuration = Object.fromEntries(
      [...Object.entries(before), ...set].filter(([name]) => properties[name] !== null),
    );
    const isSame = JSON.stringify(Object.entries(before)) === JSON.stringify(Object.entries(configuration));
    return this.#commitMetadata(state, isSame ? [] : [{ metaData: { ...state.metadata, configuration } }], {
      operation: 'SET TBLPROPERTIES',
      operationParameters: { properties },
    });
  }

  /** Writes a checkpoint of the newest version, durable on return; readers then need no commit before it. */
  async checkpoint(): Promise<void> {
    const state = await this.#refresh();
    assertWritable(state);
    await writeCheckpoint(this.#io, state, this.#options.now());
  }

  /** The newest commits first. Commits whose files a clean-up removed are left out. */
  async history(options: { limit?: number } = {}): Promise<CommitSummary[]> {
    return readHistory(this.#io, options.limit);
  }

  /** One refresh at a time: a second one begins from what the first one found. */
  async #refresh(): Promise<TableState> {
    const next = this.#refreshing.then(async () => {
      const from = this.#state;
      this.#state = from === undefined ? await loadState(this.#io) : await refreshState(this.#io, from);
      return this.#state;
    });
    this.#refreshing = next.catch(() => undefined);
    return next;
  }

  #snapshotOf(state: TableState): Snapshot {
    return createSnapshot(state, this.#io);
  }

  /** The schema after adding columns, with the actions that make it so. */
  #schemaChange(
    state: TableState,
    columns: readonly StructField[],
  ): { schema: StructType; actions: readonly Action[] } {
    const schema = withColumns(state.schema, columns);
    if (schema === state.schema) return { schema, actions: [] };
    assertValidSchema(schema, state.metadata.partitionColumns);
    const protocol = upgradedProtocol(state.protocol, schema);
    const metaData = { ...state.metadata, schemaString: schemaToJson(schema) };
    return { schema, actions: [...(protocol === state.protocol ? [] : [{ protocol }]), { metaData }] };
  }

  async #commitAppend(
    state: TableState,
    append: {
      options: AppendOptions;
      txns: readonly TxnAction[];
      data: DataFiles;
      actions: readonly Action[];
    },
  ): Promise<TransactionOutcome> {
    const { options, txns, data } = append;
    return commitTransaction(this.#io, {
      readVersion: state.version,
      commitInfo: describeCommit({
        operation: options.operation ?? 'WRITE',
        operationParameters: {
          mode: 'Append',
          partitionBy: state.metadata.partitionColumns,
          ...options.operationParameters,
        },
        operationMetrics: {
          numFiles: data.adds.length,
          numOutputRows: data.rows,
          numOutputBytes: data.bytes,
        },
        userMetadata: options.userMetadata,
        isBlindAppend: true,
        timestampMs: this.#options.now(),
        txnId: this.#uuid(),
      }),
      txns,
      actions: [...append.actions, ...data.adds.map((add): Action => ({ add }))],
    });
  }

  async #commitMetadata(
    state: TableState,
    actions: readonly Action[],
    description: { operation: string; operationParameters: Readonly<Record<string, unknown>> },
  ): Promise<MetadataResult> {
    if (actions.length === 0) return { kind: 'unchanged', version: state.version };
    const outcome = await commitTransaction(this.#io, {
      readVersion: state.version,
      commitInfo: describeCommit({
        ...description,
        isBlindAppend: false,
        timestampMs: this.#options.now(),
        txnId: this.#uuid(),
      }),
      txns: [],
      actions,
    });
    if (outcome.kind === 'committed') await this.#checkpointIfDue(outcome.version);
    return outcome;
  }

  async #checkpointIfDue(version: number): Promise<void> {
    try {
      const state = await this.#refresh();
      if (version % checkpointInterval(state.metadata.configuration) !== 0) return;
      // Others may have committed meanwhile; a checkpoint of any version is a good one.
      await writeCheckpoint(this.#io, state, this.#options.now());
    } catch (error) {
      this.#options.onWarning?.({ what: 'checkpoint', error });
    }
  }

  /** Removes files that no commit names; what can't be removed is left to a vacuum. */
  async #discard(data: DataFiles): Promise<void> {
    await Promise.allSettled(data.paths.map((path) => this.#io.store.delete(path)));
  }
}

function exists(root: string): DeltaError {
  return new DeltaError({
    code: 'exists',
    message: `there is a Delta table at "${root}" already`,
    hint: 'Open it instead.',
  });
}
