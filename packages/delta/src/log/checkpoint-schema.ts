import { checkpointStatsAsJson, writeStatsAsStruct } from '../properties/table-properties.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { field, struct } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { parsedPartitionType, parsedStatisticsType } from './parsed-statistics.ts';

const TEXT_MAP = { type: 'map', keyType: 'string', valueType: 'string', valueContainsNull: true } as const;
const TEXT_LIST = { type: 'array', elementType: 'string', containsNull: true } as const;

const DELETION_VECTOR = struct({
  storageType: 'string',
  pathOrInlineDv: 'string',
  offset: 'integer',
  sizeInBytes: 'integer',
  cardinality: 'long',
});

const ADD_MEMBERS = {
  path: 'string',
  partitionValues: TEXT_MAP,
  size: 'long',
  modificationTime: 'long',
  dataChange: 'boolean',
  stats: 'string',
  tags: TEXT_MAP,
  deletionVector: DELETION_VECTOR,
  baseRowId: 'long',
  defaultRowCommitVersion: 'long',
  clusteringProvider: 'string',
} as const;

const REMOVE = action('remove', {
  path: 'string',
  deletionTimestamp: 'long',
  dataChange: 'boolean',
  extendedFileMetadata: 'boolean',
  partitionValues: TEXT_MAP,
  size: 'long',
  deletionVector: DELETION_VECTOR,
  baseRowId: 'long',
  defaultRowCommitVersion: 'long',
});

const OTHERS = [
  action('txn', { appId: 'string', version: 'long', lastUpdated: 'long' }),
  action('metaData', {
    id: 'string',
    name: 'string',
    description: 'string',
    format: struct({ provider: 'string', options: TEXT_MAP }),
    schemaString: 'string',
    partitionColumns: TEXT_LIST,
    configuration: TEXT_MAP,
    createdTime: 'long',
  }),
  action('protocol', {
    minReaderVersion: 'integer',
    minWriterVersion: 'integer',
    readerFeatures: TEXT_LIST,
    writerFeatures: TEXT_LIST,
  }),
  action('domainMetadata', { domain: 'string', configuration: 'string', removed: 'boolean' }),
];

const V2_ONLY = [
  action('checkpointMetadata', { version: 'long', tags: TEXT_MAP }),
  action('sidecar', { path: 'string', sizeInBytes: 'long', modificationTime: 'long', tags: TEXT_MAP }),
];

/** The columns of a checkpoint (protocol: "Checkpoint Schema"), without the optional parsed statistics. */
export const CHECKPOINT_SCHEMA: StructType = struct([
  action('add', ADD_MEMBERS),
  REMOVE,
  ...OTHERS,
  ...V2_ONLY,
]);

/** Which files of a checkpoint: all of a classic one, the top of a v2 one, or a sidecar. */
export type CheckpointPart = 'classic' | 'v2' | 'sidecar';

/** The columns of a file of the state's checkpoint, as the table's properties have them. */
export function checkpointSchema(state: TableState, part: CheckpointPart): StructType {
  const { configuration } = state.metadata;
  const members: Record<string, DataType> = { ...ADD_MEMBERS };
  if (!checkpointStatsAsJson(configuration)) delete members.stats;
  if (writeStatsAsStruct(configuration)) {
    members.stats_parsed = parsedStatisticsType(state);
    const partition = parsedPartitionType(state);
    if (partition.fields.length > 0) members.partitionValues_parsed = partition;
  }
  const files = [action('add', members), REMOVE];
  if (part === 'sidecar') return struct(files);
  return struct([...files, ...OTHERS, ...(part === 'v2' ? V2_ONLY : [])]);
}

function action(name: string, fields: Parameters<typeof struct>[0]): StructField {
  return field(name, struct(fields));
}
