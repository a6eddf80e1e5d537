/**
 * Which tables this library may read and write (protocol: "Table Features", "Requirements for Readers", "Writer
 * Version Requirements"). A table is refused, by the name of the feature, unless everything that its protocol demands
 * is honoured; what a legacy version implies, or a list names, but the table does not use, is no reason to refuse it.
 */
import type { MetadataAction, ProtocolAction } from '../log/actions.ts';
import { DeltaError } from '../errors.ts';
import { appendOnly, columnMappingMode } from '../properties/table-properties.ts';
import type { StructType } from '../schema/types.ts';
import { someType } from '../schema/types.ts';
import { featuresOf } from './upgrade.ts';

export { featuresOf, protocolFor, upgradedProtocol } from './upgrade.ts';

/** What a feature's use is judged by. */
export interface TableShape {
  readonly protocol: ProtocolAction;
  readonly metadata: MetadataAction;
  readonly schema: StructType;
}

type Support = 'honoured' | 'refused' | { readonly refusedIf: (table: TableShape) => boolean };

/** The newest protocol versions that this library understands. */
const READER_VERSION_MAX = 3;
const WRITER_VERSION_MAX = 7;

const READER_FEATURES: Readonly<Record<string, Support>> = {
  timestampNtz: 'honoured',
  // Restrains vacuum only.
  vacuumProtocolCheck: 'honoured',
  columnMapping: 'honoured',
  deletionVectors: 'honoured',
  v2Checkpoint: 'honoured',
  typeWidening: 'honoured',
  'typeWidening-preview': 'honoured',
  variantType: 'honoured',
  'variantType-preview': 'honoured',
  // DuckDB puts the parts together.
  variantShredding: 'honoured',
  'variantShredding-preview': 'honoured',
  catalogManaged: 'refused',
};

/** What a writer of this library does about each feature; one that is missing is refused. */
const WRITER_FEATURES: Readonly<Record<string, Support>> = {
  appendOnly: 'honoured',
  invariants: 'honoured',
  checkConstraints: 'honoured',
  changeDataFeed: 'honoured',
  generatedColumns: 'honoured',
  columnMapping: 'honoured',
  identityColumns: 'honoured',
  allowColumnDefaults: 'honoured',
  domainMetadata: 'honoured',
  clustering: 'honoured',
  inCommitTimestamp: 'honoured',
  timestampNtz: 'honoured',
  deletionVectors: 'honoured',
  v2Checkpoint: 'honoured',
  vacuumProtocolCheck: 'honoured',
  typeWidening: 'honoured',
  // DuckDB shreds the variants that it writes, which is a feature of its own.
  variantType: { refusedIf: ({ schema }) => someType(schema, (type) => type === 'variant') },
  // These bind a writer only where the property is set.
  icebergCompatV1: { refusedIf: isSet('delta.enableIcebergCompatV1') },
  icebergCompatV2: { refusedIf: isSet('delta.enableIcebergCompatV2') },
  icebergCompatV3: { refusedIf: isSet('delta.enableIcebergCompatV3') },
  icebergWriterCompatV1: { refusedIf: isSet('delta.enableIcebergWriterCompatV1') },
  icebergWriterCompatV3: { refusedIf: isSet('delta.enableIcebergWriterCompatV3') },
  'typeWidening-preview': 'honoured',
  // Demands row ids of every writer, enabled or not.
  rowTracking: 'refused',
  checkpointProtection: 'refused',
  materializePartitionColumns: 'refused',
  'variantType-preview': 'refused',
  variantShredding: 'refused',
  'variantShredding-preview': 'refused',
  catalogManaged: 'refused',
};

/** Throws `unsupported-feature` unless this library reads the table as its protocol demands. */
export function assertReadable(table: TableShape): void {
  const { protocol } = table;
  if (protocol.minReaderVersion > READER_VERSION_MAX) {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the table needs reader version ${protocol.minReaderVersion}; this library supports up to ${READER_VERSION_MAX}`,
    });
  }
  const refused =
    protocol.minReaderVersion === 3 ? refusedOf(protocol.readerFeatures ?? [], READER_FEATURES, table) : [];
  if (refused.length > 0) throw unsupported('read', refused);
  if (protocol.minReaderVersion < 3 && usesTimestampNtz(table.schema)) throw unlisted('timestampNtz');
}

/** Throws `unsupported-feature` unless this library may write to the table. */
export function assertWritable(table: TableShape): void {
  const { protocol } = table;
  if (protocol.minWriterVersion > WRITER_VERSION_MAX) {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the table needs writer version ${protocol.minWriterVersion}; this library supports up to ${WRITER_VERSION_MAX}`,
    });
  }
  const features = featuresOf(protocol);
  const refused = refusedOf([...features], WRITER_FEATURES, table);
  if (refused.length > 0) throw unsupported('write', refused);
  // Readers would look for columns under their own names in files that had them under physical ones.
  if (usesColumnMapping(table) && !features.has('columnMapping')) throw unlisted('columnMapping');
}

/** Throws `constraint` for a table whose rows may only be added: call it before rows are removed or changed. */
export function assertRemovable({ metadata }: Pick<TableShape, 'metadata'>): void {
  if (!appendOnly(metadata.configuration)) return;
  throw new DeltaError({
    code: 'constraint',
    message: "the table is append-only: its rows can't be removed or changed",
    hint: 'Set the property delta.appendOnly to false first.',
  });
}

function refusedOf(
  features: readonly string[],
  support: Readonly<Record<string, Support>>,
  table: TableShape,
): string[] {
  return features.filter((feature) => {
    const known = Object.hasOwn(support, feature) ? support[feature] : undefined;
    if (known === undefined || known === 'refused') return true;
    return known === 'honoured' ? false : known.refusedIf(table);
  });
}

function unsupported(verb: 'read' | 'write', features: readonly string[]): DeltaError {
  const subject = features.length === 1 ? 'the table feature' : 'the table features';
  return new DeltaError({
    code: 'unsupported-feature',
    message: `this library can't ${verb} the table: it needs ${subject} ${features.join(', ')}`,
    hint: 'Use an engine that has it, or drop the feature from the table there.',
  });
}

function unlisted(feature: string): DeltaError {
  return new DeltaError({
    code: 'corrupt-log',
    message: `the schema uses ${feature}, but the table's protocol does not list that feature`,
  });
}

function isSet(property: string): (table: TableShape) => boolean {
  return ({ metadata }) => metadata.configuration[property]?.toLowerCase() === 'true';
}

function usesTimestampNtz(schema: StructType): boolean {
  return someType(schema, (type) => type === 'timestamp_ntz');
}

function usesColumnMapping({ metadata }: TableShape): boolean {
  return columnMappingMode(metadata.configuration) !== 'none';
}
