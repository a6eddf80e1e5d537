import type { StructField, StructType } from '../schema/types.ts';
import { field, struct } from '../schema/types.ts';

const TEXT_MAP = { type: 'map', keyType: 'string', valueType: 'string', valueContainsNull: true } as const;
const TEXT_LIST = { type: 'array', elementType: 'string', containsNull: true } as const;

const DELETION_VECTOR = struct({
  storageType: 'string',
  pathOrInlineDv: 'string',
  offset: 'integer',
  sizeInBytes: 'integer',
  cardinality: 'long',
});

/** The columns of a classic checkpoint (protocol: "Checkpoint Schema"), without the optional parsed statistics. */
export const CHECKPOINT_SCHEMA: StructType = struct([
  action('txn', { appId: 'string', version: 'long', lastUpdated: 'long' }),
  action('add', {
    path: 'string',
    partitionValues: TEXT_MAP,
    size: 'long',
    modificationTime: 'long',
    dataChange: 'boolean',
    stats: 'string',
    tags: TEXT_MAP,
    deletionVector: DELETION_VECTOR,
  }),
  action('remove', {
    path: 'string',
    deletionTimestamp: 'long',
    dataChange: 'boolean',
    extendedFileMetadata: 'boolean',
    partitionValues: TEXT_MAP,
    size: 'long',
    deletionVector: DELETION_VECTOR,
  }),
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
]);

function action(name: string, fields: Parameters<typeof struct>[0]): StructField {
  return field(name, struct(fields));
}
