/**
 * What a table is at one version: the result of replaying its log (protocol: "Action Reconciliation"). The latest
 * metaData, protocol, txn of each application and domainMetadata of each domain hold; a file is in the table if its
 * latest action is an add; removed files stay as tombstones.
 *
 * States are immutable; a commit makes the next one.
 */
import { DeltaError } from '../errors.ts';
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
import { assertReadable } from '../protocol/features.ts';
import { schemaFromJson, schemaToJson } from '../schema/json.ts';
import type { StructType } from '../schema/types.ts';
import { FileSet } from './file-set.ts';

export interface TableState {
  readonly version: number;
  /** When the version was committed: its in-commit timestamp, else when the store last modified the commit. */
  readonly timestampMs: number;
  readonly protocol: ProtocolAction;
  readonly metadata: MetadataAction;
  readonly schema: StructType;
  readonly files: FileSet;
  /** By application id. */
  readonly txns: ReadonlyMap<string, TxnAction>;
  /** By file key. */
  readonly tombstones: ReadonlyMap<string, RemoveFile>;
  /** By domain; removed ones left out. */
  readonly domains: ReadonlyMap<string, DomainMetadataAction>;
}

/** The actions of one commit, or of a whole checkpoint, with the version that they make. */
export interface Increment {
  readonly version: number;
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
  const where = `version ${increment.version}`;
  const protocol = found.protocol ?? base?.protocol;
  const metadata = found.metadata === undefined ? base?.metadata : normalised(found.metadata, where);
  if (protocol === undefined || metadata === undefined) {
    const missing = protocol === undefined ? 'protocol' : 'metaData';
    throw new DeltaError({ code: 'corrupt-log', message: `${where}: the log has no ${missing} action` });
  }
  const schema =
    found.metadata === undefined && base !== undefined ? base.schema : schemaFromJson(metadata.schemaString);
  assertReadable({ protocol, metadata, schema });
  assertPartitionColumns(metadata, schema, where);
  const files = base?.files ?? FileSet.empty();
  return {
    version: increment.version,
    timestampMs: found.inCommitTimestampMs ?? increment.timestampMs,
    protocol,
    metadata,
    schema,
    files: files.advance(increment.version, found),
    txns: withTxns(base?.txns, found.txns),
    tombstones: withTombstones(base?.tombstones, found),
    domains: withDomains(base?.domains, found.domains),
  };
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

function withTombstones(
  base: ReadonlyMap<string, RemoveFile> | undefined,
  found: Pick<SortedActions, 'adds' | 'removes'>,
): ReadonlyMap<string, RemoveFile> {
  const revived =
    base === undefined || base.size === 0 ? [] : found.adds.filter((add) => base.has(fileKey(add)));
  if (base !== undefined && found.removes.length === 0 && revived.length === 0) return base;
  const next = new Map(base);
  for (const remove of found.removes) next.set(fileKey(remove), remove);
  for (const add of revived) next.delete(fileKey(add));
  return next;
}

function withDomains(
  base: ReadonlyMap<string, DomainMetadataAction> | undefined,
  domains: readonly DomainMetadataAction[],
): ReadonlyMap<string, DomainMetadataAction> {
  if (base !== undefined && domains.length === 0) return base;
  const next = new Map(base);
  for (const domain of domains) {
    if (domain.removed) next.delete(domain.domain);
    else next.set(domain.domain, domain);
  }
  return next;
}
