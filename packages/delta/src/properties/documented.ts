/**
 * Every table property in Delta's own name space that Delta documents, and what this library makes of it: honoured,
 * refused with a reason, or kept by the library itself. Specification: "Table properties reference" of Delta's
 * documentation, `DeltaConfigs` of delta-io/delta, and the protocol.
 */
import { columnPaths, intervalMs, sizeBytes, wholeNumber } from './text-values.ts';

/** A property that a table may be given. */
export interface HonouredProperty {
  readonly kind: 'honoured';
  /** What a value must be, for the error's reader. */
  readonly expected: string;
  readonly accepts: (value: string) => boolean;
  /** The table feature that a value makes necessary. */
  readonly feature?: { readonly name: string; readonly neededBy: (value: string) => boolean };
  /** Values that are refused although Delta has them, with the reason. */
  readonly refusedValues?: string;
}

/** A property that no table can be given here. */
export interface RefusedProperty {
  readonly kind: 'refused';
  readonly reason: string;
}

/** A property that a request may hold, but that the table's metadata doesn't: the protocol is where it ends up. */
export interface ProtocolProperty {
  readonly kind: 'protocol';
  readonly expected: string;
  readonly accepts: (value: string) => boolean;
}

/** A property that the library sets by itself; a request can't. */
export interface InternalProperty {
  readonly kind: 'internal';
  readonly reason: string;
}

export type DocumentedProperty = HonouredProperty | RefusedProperty | ProtocolProperty | InternalProperty;

/** Whether the text is a true one. */
export function isTrue(value: string | undefined): boolean {
  return value?.toLowerCase() === 'true';
}

function oneOf(...values: readonly string[]): HonouredProperty {
  return { kind: 'honoured', expected: values.join(' or '), accepts: (value) => values.includes(value) };
}

function boolean(feature?: string): HonouredProperty {
  return {
    kind: 'honoured',
    expected: 'true or false',
    accepts: (value) => /^(true|false)$/i.test(value),
    ...(feature === undefined ? {} : { feature: { name: feature, neededBy: isTrue } }),
  };
}

function onlyFalse(reason: string): HonouredProperty {
  return {
    kind: 'honoured',
    expected: `false (${reason})`,
    accepts: (value) => /^false$/i.test(value),
    refusedValues: `true: ${reason}`,
  };
}

function whole(minimum: number, meaning = ''): HonouredProperty {
  return {
    kind: 'honoured',
    expected: `a whole number from ${minimum}${meaning}`,
    accepts: (value) => wholeNumber(value, minimum) !== undefined,
  };
}

const INTERVAL: HonouredProperty = {
  kind: 'honoured',
  expected: 'an interval such as "interval 7 days", without months and years',
  accepts: (value) => intervalMs(value) !== undefined,
};

const ROW_TRACKING = 'this library gives rows no ids of their own (row tracking)';
const ICEBERG = 'this library writes no Iceberg metadata';

const refused = (reason: string): RefusedProperty => ({ kind: 'refused', reason });
const internal = (reason: string): InternalProperty => ({ kind: 'internal', reason });

/** By name, in Delta's spelling; a request's names are compared without regard to case. */
export const DOCUMENTED_PROPERTIES: Readonly<Record<string, DocumentedProperty>> = {
  'delta.appendOnly': boolean(),
  'delta.autoOptimize': boolean(),
  'delta.autoOptimize.autoCompact': {
    kind: 'honoured',
    expected: 'true, auto, legacy or false',
    accepts: (value) => /^(true|auto|legacy|false)$/i.test(value),
  },
  'delta.autoOptimize.optimizeWrite': boolean(),
  'delta.checkpoint.writeStatsAsJson': boolean(),
  'delta.checkpoint.writeStatsAsStruct': boolean(),
  'delta.checkpointInterval': whole(1),
  'delta.checkpointPolicy': {
    ...oneOf('classic', 'v2'),
    feature: { name: 'v2Checkpoint', neededBy: (value) => value === 'v2' },
  },
  'delta.columnMapping.mode': {
    ...oneOf('none', 'name', 'id'),
    feature: { name: 'columnMapping', neededBy: (value) => value !== 'none' },
  },
  'delta.dataSkippingNumIndexedCols': whole(-1, ' (all columns)'),
  'delta.dataSkippingStatsColumns': {
    kind: 'honoured',
    expected: 'a list of columns such as "id, address.city, `odd name`"',
    accepts: (value) => columnPaths(value) !== undefined,
  },
  'delta.deletedFileRetentionDuration': INTERVAL,
  'delta.enableChangeDataFeed': boolean('changeDataFeed'),
  'delta.enableDeletionVectors': boolean('deletionVectors'),
  'delta.enableExpiredLogCleanup': boolean(),
  'delta.enableInCommitTimestamps': boolean('inCommitTimestamp'),
  'delta.enableTypeWidening': boolean('typeWidening'),
  'delta.isolationLevel': oneOf('Serializable', 'WriteSerializable'),
  'delta.logRetentionDuration': INTERVAL,
  'delta.randomizeFilePrefixes': boolean(),
  'delta.randomPrefixLength': {
    kind: 'honoured',
    expected: 'a whole number from 1 to 32',
    accepts: (value) => (wholeNumber(value, 1) ?? Infinity) <= 32,
  },
  'delta.targetFileSize': {
    kind: 'honoured',
    expected: 'bytes, or a size such as "128mb"',
    accepts: (value) => sizeBytes(value) !== undefined,
  },

  'delta.compatibility.symlinkFormatManifest.enabled': onlyFalse('this library writes no symlink manifests'),
  'delta.enableIcebergCompatV1': onlyFalse(ICEBERG),
  'delta.enableIcebergCompatV2': onlyFalse(ICEBERG),
  'delta.enableIcebergCompatV3': onlyFalse(ICEBERG),
  'delta.enableIcebergWriterCompatV1': onlyFalse(ICEBERG),
  'delta.enableIcebergWriterCompatV3': onlyFalse(ICEBERG),
  'delta.enableRowTracking': onlyFalse(ROW_TRACKING),
  'delta.enableVariantShredding': onlyFalse('this library shreds no variants'),

  'delta.minReaderVersion': {
    kind: 'protocol',
    expected: '1, 2 or 3',
    accepts: (value) => (wholeNumber(value, 1) ?? Infinity) <= 3,
  },
  'delta.minWriterVersion': {
    kind: 'protocol',
    expected: 'a whole number from 1 to 7',
    accepts: (value) => (wholeNumber(value, 1) ?? Infinity) <= 7,
  },
  'delta.ignoreProtocolDefaults': {
    kind: 'protocol',
    expected: 'true or false',
    accepts: (value) => /^(true|false)$/i.test(value),
  },

  'delta.columnMapping.maxColumnId': internal('it counts the ids that columns were given'),
  'delta.inCommitTimestampEnablementTimestamp': internal('it says when in-commit timestamps were enabled'),
  'delta.inCommitTimestampEnablementVersion': internal('it says when in-commit timestamps were enabled'),

  'delta.checkpointRetentionDuration': refused('Delta keeps it for old tables only, without an effect'),
  'delta.clusteringColumns': refused('clustering columns are set by setClustering'),
  'delta.dropFeatureTruncateHistory.retentionDuration': refused('this library drops no table features'),
  'delta.enableChangeDataCapture': refused('it is the old name of delta.enableChangeDataFeed'),
  'delta.enableFullRetentionRollback': refused('Delta keeps it for old tables only, without an effect'),
  'delta.requireCheckpointProtectionBeforeVersion': refused('this library drops no table features'),
  'delta.rowTracking.materializedRowCommitVersionColumnName': refused(ROW_TRACKING),
  'delta.rowTracking.materializedRowIdColumnName': refused(ROW_TRACKING),
  'delta.rowTrackingSuspended': refused(ROW_TRACKING),
  'delta.sampleRetentionDuration': refused('Delta keeps it for old tables only, without an effect'),
  'delta.setTransactionRetentionDuration': refused(
    'this library forgets no transaction, so that no batch is ever taken twice',
  ),
  'delta.tuneFileSizesForRewrites': refused('set delta.targetFileSize instead'),
  'delta.universalFormat.enabledFormats': refused(ICEBERG),
};

/** The beginning of the names under which CHECK constraints are kept. */
export const CONSTRAINT_PREFIX = 'delta.constraints.';
/** The beginning of the names by which a request asks for a table feature. */
export const FEATURE_PREFIX = 'delta.feature.';
/** The beginning of names that would hand commits to a coordinator. */
export const COORDINATED_COMMITS_PREFIX = 'delta.coordinatedCommits.';
