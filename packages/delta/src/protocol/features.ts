/**
 * Which tables this library may read and write (protocol: "Table Features", "Requirements for Readers", "Writer
 * Version Requirements"). A table is refused, by the name of the feature, unless everything that its protocol demands
 * is honoured; what a legacy version implies, or a list names, but the table does not use, is no reason to refuse it.
 */
import type { MetadataAction, ProtocolAction } from '../log/actions.ts';
import type { StructType } from '../schema/types.ts';
import { someType } from '../schema/types.ts';
import { DeltaError } from '../errors.ts';

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
  columnMapping: 'refused',
  deletionVectors: 'refused',
  v2Checkpoint: 'refused',
  typeWidening: 'refused',
  'typeWidening-preview': 'refused',
  variantType: 'refused',
  'variantType-preview': 'refused',
  'variantShredding-preview': 'refused',
  catalogManaged: 'refused',
};

/** As seen by a blind append or a change of metadata, the only writes there are. */
const WRITER_FEATURES: Readonly<Record<string, Support>> = {
  appendOnly: 'honoured',
  timestampNtz: 'honoured',
  vacuumProtocolCheck: 'honoured',
  // Kept in checkpoints; nothing here changes a domain.
  domainMetadata: 'honoured',
  // An append needs no change files: readers of the feed take its rows from the added files.
  changeDataFeed: 'honoured',
  invariants: { refusedIf: (table) => hasFieldMetadata(table.schema, 'delta.invariants') },
  checkConstraints: {
    refusedIf: ({ metadata }) =>
      Object.keys(metadata.configuration).some((key) => key.startsWith('delta.constraints.')),
  },
  generatedColumns: { refusedIf: (table) => hasFieldMetadata(table.schema, 'delta.generationExpression') },
  identityColumns: { refusedIf: (table) => hasFieldMetadata(table.schema, 'delta.identity.start') },
  allowColumnDefaults: { refusedIf: (table) => hasFieldMetadata(table.schema, 'CURRENT_DEFAULT') },
  inCommitTimestamp: { refusedIf: isSet('delta.enableInCommitTimestamps') },
  icebergCompatV1: { refusedIf: isSet('delta.enableIcebergCompatV1') },
  icebergCompatV2: { refusedIf: isSet('delta.enableIcebergCompatV2') },
  columnMapping: { refusedIf: usesColumnMapping },
  // Demands row ids of every writer, used or not.
  rowTracking: 'refused',
  clustering: 'refused',
  deletionVectors: 'refused',
  v2Checkpoint: 'refused',
  typeWidening: 'refused',
  variantType: 'refused',
  checkpointProtection: 'refused',
  catalogManaged: 'refused',
};

/** Features that a legacy writer version implies. */
const LEGACY_WRITER_FEATURES: readonly (readonly [version: number, feature: string])[] = [
  [2, 'appendOnly'],
  [2, 'invariants'],
  [3, 'checkConstraints'],
  [4, 'changeDataFeed'],
  [4, 'generatedColumns'],
  [5, 'columnMapping'],
  [6, 'identityColumns'],
];

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
    protocol.minReaderVersion === 3
      ? refusedOf(protocol.readerFeatures ?? [], READER_FEATURES, table)
      : protocol.minReaderVersion === 2 && usesColumnMapping(table)
        ? ['columnMapping']
        : [];
  if (refused.length > 0) throw unsupported('read', refused);
  if (protocol.minReaderVersion < 3 && usesTimestampNtz(table.schema)) throw unlisted('timestampNtz');
}

/** Throws `unsupported-feature` unless this library may append to the table and change its metadata. */
export function assertWritable(table: TableShape): void {
  const { protocol } = table;
  if (protocol.minWriterVersion > WRITER_VERSION_MAX) {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the table needs writer version ${protocol.minWriterVersion}; this library supports up to ${WRITER_VERSION_MAX}`,
    });
  }
  const features =
    protocol.minWriterVersion === 7
      ? (protocol.writerFeatures ?? [])
      : LEGACY_WRITER_FEATURES.filter(([version]) => version <= protocol.minWriterVersion).map(
          ([, feature]) => feature,
        );
  const refused = refusedOf(features, WRITER_FEATURES, table);
  if (refused.length > 0) throw unsupported('write', refused);
}

/** The protocol of a new table: what the oldest readers and writers accept, unless a column needs more. */
export function protocolFor(schema: StructType): ProtocolAction {
  if (!usesTimestampNtz(schema)) return { minReaderVersion: 1, minWriterVersion: 2 };
  return {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['timestampNtz'],
    writerFeatures: ['appendOnly', 'invariants', 'timestampNtz'],
  };
}

/**
 * The protocol that a table needs once its schema is `schema`: the one it has, or that one with `timestampNtz` and the
 * features that its old versions implied.
 */
export function upgradedProtocol(protocol: ProtocolAction, schema: StructType): ProtocolAction {
  if (!usesTimestampNtz(schema)) return protocol;
  const implied = LEGACY_WRITER_FEATURES.filter(([version]) => version <= protocol.minWriterVersion);
  const writerFeatures =
    protocol.minWriterVersion === 7 ? (protocol.writerFeatures ?? []) : implied.map(([, feature]) => feature);
  const readerFeatures =
    protocol.readerFeatures ?? (protocol.minReaderVersion === 2 ? ['columnMapping'] : []);
  if (protocol.minReaderVersion === 3 && readerFeatures.includes('timestampNtz')) return protocol;
  return {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: [...new Set([...readerFeatures, 'timestampNtz'])],
    writerFeatures: [...new Set([...writerFeatures, 'timestampNtz'])],
  };
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

function usesColumnMapping({ metadata }: TableShape): boolean {
  return (metadata.configuration['delta.columnMapping.mode'] ?? 'none') !== 'none';
}

function usesTimestampNtz(schema: StructType): boolean {
  return someType(schema, (type) => type === 'timestamp_ntz');
}

function hasFieldMetadata(schema: StructType, key: string): boolean {
  return someType(
    schema,
    (type) =>
      typeof type !== 'string' &&
      type.type === 'struct' &&
      type.fields.some((field) => field.metadata[key] !== undefined && field.metadata[key] !== null),
  );
}
