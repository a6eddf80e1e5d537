/**
 * What a table is at one version: the result of replaying its log (protocol: "Action Reconciliation"). The latest
 * metaData, protocol, txn of each application and domainMetadata of each domain hold; a file is in the table if its
 * latest action is an add; removed files stay as tombstones.
 *
 * States are immutable; a commit makes the next one.
 */
import { mappingMode } from '../column-mapping/mapping.ts';
import { assert, DeltaError, isDeltaError } from '../errors.ts';
import type {
  Action,
  AddFile,
  DomainMetadataAction,
  MetadataAction,
  ProtocolAction,
  RemoveFile,
  TxnAction,
} from '../log/actions.ts';
import { fileKey } from '../log/actions.ts';
import type { PackedFiles } from '../log/packed-files.ts';
import { enableInCommitTimestamps } from '../properties/table-properties.ts';
import { assertReadable } from '../protocol/features.ts';
import { schemaFromJson, schemaToJson } from '../schema/json.ts';
import type { StructType } from '../schema/types.ts';
import { FileSet, type FileSetBuilder, type PackedAdds } from './file-set.ts';
import { LayeredMap } from './layered-map.ts';

export interface TableState {
  readonly version: number;
  /** When the version was committed: its own timestamp where the table has these, else when its file was modified. */
  readonly timestampMs: number;
  readonly protocol: ProtocolAction;
  readonly metadata: MetadataAction;
  readonly schema: StructType;
  readonly files: FileSet;
  /** By application id. */
  readonly txns: ReadonlyMap<string, TxnAction>;
  /** By file key. */
  readonly tombstones: LayeredMap<RemoveFile>;
  /** By domain; removed ones left out. */
  readonly domains: ReadonlyMap<string, DomainMetadataAction>;
}

/** The actions of one commit, or of a whole checkpoint, with the version that they make. */
export interface Increment {
  readonly version: number;
  /** Of the version where it has no timestamp of its own. */
  readonly timestampMs: number;
  readonly actions: Iterable<Action>;
}

/**
 * The state after `increment`; `base` undefined means that the increment is the table's beginning, or a checkpoint.
 * Throws `corrupt-log` when metadata or protocol are missing or malformed, and `unsupported-feature` or
 * `unsupported-type` for a table that can't be read; `base` is then as it was.
 */
export function applyIncrement(base: TableState | undefined, increment: Increment): TableState {
  const found = sortActions(increment.actions);
  const described = describedState(base, found, increment);
  const tombstones = base?.tombstones ?? LayeredMap.from<RemoveFile>(fileKey);
  return {
    ...described,
    files: (base?.files ?? FileSet.empty()).advance(increment.version, found),
    txns: withTxns(base?.txns, found.txns),
    tombstones: tombstones.with(tombstoneChanges(tombstones, found)),
    domains: withDomains(base?.domains, found.domains),
  };
}

/** What a checkpoint holds besides small actions: files in bulk. */
export interface CheckpointFileActions {
  readonly adds?: PackedAdds;
  readonly removes?: PackedFiles<RemoveFile>;
}

/**
 * Replays many changes of which only the last version is wanted: a checkpoint, then commits. What lies between may need
 * features that this library lacks.
 */
export class StateBuilder {
  readonly #files: FileSetBuilder;
  readonly #txns = new Map<string, TxnAction>();
  readonly #tombstones: LayeredMap<RemoveFile>;
  readonly #tombstoneChanges = new Map<string, RemoveFile | null>();
  readonly #domains = new Map<string, DomainMetadataAction>();
  /** Adds of a change that has not ended. */
  #pending: AddFile[] = [];
  #metadata: { action: MetadataAction; version: number } | undefined;
  #protocol: ProtocolAction | undefined;
  #inCommitTimestampMs: number | undefined;
  /** The version of the change that was taken last. */
  #taken: number | undefined;

  constructor(checkpoint: CheckpointFileActions = {}) {
    this.#files = FileSet.builder(checkpoint.adds);
    this.#tombstones = LayeredMap.from<RemoveFile>(fileKey, checkpoint.removes);
  }

  /** Does a part, of so many files, of the work that the first change waits for; whether that was all. */
  indexSome(limit: number): boolean {
    return this.#files.indexSome(limit) && this.#tombstones.indexSome(limit);
  }

  /** Takes some actions of the change that makes `version`; its adds wait for {@link StateBuilder.settle}. */
  take(actions: Iterable<Action>, version: number): void {
    if (version !== this.#taken) this.#inCommitTimestampMs = undefined;
    this.#taken = version;
    for (const action of actions) {
      if (action.add) this.#pending.push(action.add);
      if (action.remove) {
        const key = fileKey(action.remove);
        this.#files.remove(key);
        this.#tombstoneChanges.set(key, action.remove);
      }
      if (action.txn) this.#txns.set(action.txn.appId, action.txn);
      if (action.domainMetadata) setDomain(this.#domains, action.domainMetadata);
      if (action.metaData) this.#metadata = { action: action.metaData, version };
      if (action.protocol) this.#protocol = action.protocol;
      if (typeof action.commitInfo?.inCommitTimestamp === 'number') {
        this.#inCommitTimestampMs = action.commitInfo.inCommitTimestamp;
      }
    }
  }

  /** Adds up to `limit` files of the change that was taken; whether that was all. A change ends with this. */
  settle(limit = Infinity): boolean {
    const adds = this.#pending.splice(0, Math.min(limit, this.#pending.length));
    for (const add of adds) {
      const key = fileKey(add);
      this.#files.add(add);
      if (this.#tombstoneChanges.has(key) || this.#tombstones.size > 0) this.#tombstoneChanges.set(key, null);
    }
    return this.#pending.length === 0;
  }

  /** To be called once, at the end; throws as {@link applyIncrement}. */
  build(version: number, timestampMs: number): TableState {
    assert(this.#pending.length === 0, 'a change is settled before the state is built');
    const found = {
      ...(this.#metadata === undefined ? {} : { metadata: this.#metadata.action }),
      ...(this.#protocol === undefined ? {} : { protocol: this.#protocol }),
      ...(this.#inCommitTimestampMs === undefined ? {} : { inCommitTimestampMs: this.#inCommitTimestampMs }),
    };
    const where = { version: this.#metadata?.version ?? version, timestampMs };
    return {
      ...describedState(undefined, found, where),
      version,
      files: this.#files.build(version),
      txns: this.#txns,
      tombstones: this.#tombstones.with(this.#tombstoneChanges),
      domains: this.#domains,
    };
  }
}

interface DescribingActions {
  readonly metadata?: MetadataAction;
  readonly protocol?: ProtocolAction;
  readonly inCommitTimestampMs?: number;
}

/** What a state is besides its collections. */
function describedState(
  base: TableState | undefined,
  found: DescribingActions,
  at: { version: number; timestampMs: number },
): Pick<TableState, 'version' | 'timestampMs' | 'protocol' | 'metadata' | 'schema'> {
  const where = `version ${at.version}`;
  const protocol = found.protocol ?? base?.protocol;
  const metadata = found.metadata === undefined ? base?.metadata : normalised(found.metadata, where);
  if (protocol === undefined || metadata === undefined) {
    const missing = protocol === undefined ? 'protocol' : 'metaData';
    throw new DeltaError({ code: 'corrupt-log', message: `${where}: the log has no ${missing} action` });
  }
  const isSameSchema = base !== undefined && metadata.schemaString === base.metadata.schemaString;
  const schema = isSameSchema ? base.schema : schemaOf(metadata, where);
  naming(where, () => {
    assertReadable({ protocol, metadata, schema });
    mappingMode({ protocol, metadata });
  });
  assertPartitionColumns(metadata, schema, where);
  const hasOwnTime = enableInCommitTimestamps(metadata.configuration);
  return {
    version: at.version,
    timestampMs: (hasOwnTime ? found.inCommitTimestampMs : undefined) ?? at.timestampMs,
    protocol,
    metadata,
    schema,
  };
}

function schemaOf(metadata: MetadataAction, where: string): StructType {
  try {
    return naming(where, () => schemaFromJson(metadata.schemaString));
  } catch (cause) {
    // A schema may be nested more deeply than the stack is.
    if (!(cause instanceof RangeError)) throw cause;
    throw new DeltaError({ code: 'corrupt-log', message: `${where}: the schema can't be read`, cause });
  }
}

/** Says of a `corrupt-log` where it is. */
function naming<Result>(where: string, check: () => Result): Result {
  try {
    return check();
  } catch (cause) {
    if (!isDeltaError(cause, 'corrupt-log')) throw cause;
    throw new DeltaError({ code: 'corrupt-log', message: `${where}: ${cause.message}`, cause });
  }
}

interface SortedActions {
  adds: AddFile[];
  removes: RemoveFile[];
  txns: TxnAction[];
  domains: DomainMetadataAction[];
  metadata?: MetadataAction;
  protocol?: ProtocolAction;
  inCommitTimestampMs?: number;
}

function sortActions(actions: Iterable<Action>): SortedActions {
  const found: SortedActions = { adds: [], removes: [], txns: [], domains: [] };
  for (const action of actions) {
    if (action.add) found.adds.push(action.add);
    if (action.remove) found.removes.push(action.remove);
    if (action.txn) found.txns.push(action.txn);
    if (action.domainMetadata) found.domains.push(action.domainMetadata);
    if (action.metaData) found.metadata = action.metaData;
    if (action.protocol) found.protocol = action.protocol;
    if (typeof action.commitInfo?.inCommitTimestamp === 'number') {
      found.inCommitTimestampMs = action.commitInfo.inCommitTimestamp;
    }
  }
  return found;
}

const EMPTY_SCHEMA = schemaToJson({ type: 'struct', fields: [] });

/** Checkpoints and old writers leave out what is empty; a table has no schema before its first column. */
function normalised(metadata: MetadataAction, where: string): MetadataAction {
  const provider = metadata.format?.provider ?? 'parquet';
  if (provider !== 'parquet') {
    const message = `${where}: data files of the format "${provider}" are not supported`;
    throw new DeltaError({ code: 'unsupported-feature', message });
  }
  return {
    ...metadata,
    schemaString: metadata.schemaString ?? EMPTY_SCHEMA,
    partitionColumns: metadata.partitionColumns ?? [],
    configuration: metadata.configuration ?? {},
  };
}

function assertPartitionColumns(metadata: MetadataAction, schema: StructType, where: string): void {
  for (const column of metadata.partitionColumns) {
    if (!schema.fields.some((field) => field.name === column)) {
      const message = `${where}: the partition column "${column}" is not in the schema`;
      throw new DeltaError({ code: 'corrupt-log', message });
    }
  }
}

function withTxns(
  base: ReadonlyMap<string, TxnAction> | undefined,
  txns: readonly TxnAction[],
): ReadonlyMap<string, TxnAction> {
  if (base !== undefined && txns.length === 0) return base;
  const next = new Map(base);
  for (const txn of txns) next.set(txn.appId, txn);
  return next;
}

function tombstoneChanges(
  base: ReadonlyMap<string, RemoveFile>,
  found: Pick<SortedActions, 'adds' | 'removes'>,
): Map<string, RemoveFile | null> {
  const changes = new Map<string, RemoveFile | null>();
  for (const remove of found.removes) changes.set(fileKey(remove), remove);
  if (base.size + changes.size === 0) return changes;
  for (const add of found.adds) changes.set(fileKey(add), null);
  return changes;
}

function withDomains(
  base: ReadonlyMap<string, DomainMetadataAction> | undefined,
  domains: readonly DomainMetadataAction[],
): ReadonlyMap<string, DomainMetadataAction> {
  if (base !== undefined && domains.length === 0) return base;
  const next = new Map(base);
  for (const domain of domains) setDomain(next, domain);
  return next;
}

function setDomain(domains: Map<string, DomainMetadataAction>, domain: DomainMetadataAction): void {
  if (domain.removed) domains.delete(domain.domain);
  else domains.set(domain.domain, domain);
}
