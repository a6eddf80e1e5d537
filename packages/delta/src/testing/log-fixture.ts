/** Logs made commit by commit, as any writer might make them. */
import type { Action, AddFile, MetadataAction, ProtocolAction } from '../log/actions.ts';
import { encodeCommit } from '../log/commit-file.ts';
import { commitName, LOG_DIRECTORY } from '../log/log-paths.ts';
import { schemaToJson } from '../schema/json.ts';
import { field, struct, type StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';

export const V2_PROTOCOL: ProtocolAction = {
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures: ['v2Checkpoint'],
  writerFeatures: ['v2Checkpoint'],
};

/** The two actions that a table begins with. */
export function beginning(options: {
  schema?: StructType;
  configuration?: Record<string, string>;
  partitionColumns?: readonly string[];
  protocol?: ProtocolAction;
}): Action[] {
  const { schema = struct([field('id', 'long')]), configuration = {}, partitionColumns = [] } = options;
  const metaData: MetadataAction = {
    id: 'fixture',
    format: { provider: 'parquet', options: {} },
    schemaString: schemaToJson(schema),
    partitionColumns,
    configuration,
  };
  return [{ protocol: options.protocol ?? { minReaderVersion: 1, minWriterVersion: 2 } }, { metaData }];
}

export function addOf(path: string, members: Partial<AddFile> = {}): Action {
  const add = { path, partitionValues: {}, size: 10, modificationTime: 1, dataChange: true, ...members };
  return { add };
}

export function removeOf(path: string, deletionTimestamp = 1): Action {
  return { remove: { path, deletionTimestamp, dataChange: true } };
}

/** Puts a commit, replacing what is there. */
export async function putLogCommit(
  io: { store: ObjectStore; root: string },
  version: number,
  actions: readonly Action[],
): Promise<void> {
  await io.store.put(joinPath(io.root, LOG_DIRECTORY, commitName(version)), encodeCommit(actions));
}

/** All that a state is, in a form that compares; file by file in the order of their paths. */
export function contentOf(state: TableState): unknown {
  const plain = (value: object): unknown =>
    Object.fromEntries(
      Object.entries(value)
        .filter(([name, inner]) => inner !== null && inner !== undefined && name !== 'dataChange')
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    );
  const sorted = (files: Iterable<{ path: string }>): unknown[] =>
    [...files].toSorted((a, b) => (a.path < b.path ? -1 : 1)).map(plain);
  return {
    version: state.version,
    protocol: plain(state.protocol),
    metadata: { ...(plain(state.metadata) as object), format: state.metadata.format.provider },
    files: sorted(state.files.files()),
    facts: [
      state.files.count,
      state.files.sizeBytes,
      state.files.rowCount,
      state.files.vectorCount,
      state.files.deletedRowCount,
    ],
    tombstones: sorted(state.tombstones.values()),
    txns: [...state.txns.values()].map(plain),
    domains: [...state.domains.values()].map(plain),
  };
}
