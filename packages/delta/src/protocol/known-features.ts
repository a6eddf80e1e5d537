/** The table features that Delta has (protocol: "Valid Feature Names in Table Features"), and where each is listed. */

export interface KnownFeature {
  /** Whether readers must know it too, so that it is listed for both. */
  readonly readers: boolean;
  /** The versions that imply it, for features older than the lists. */
  readonly legacy?: { readonly reader: 1 | 2; readonly writer: number };
  /** Features that it can't be without. */
  readonly requires?: readonly string[];
}

const writer = (rest: Omit<KnownFeature, 'readers'> = {}): KnownFeature => ({ readers: false, ...rest });
const both = (rest: Omit<KnownFeature, 'readers'> = {}): KnownFeature => ({ readers: true, ...rest });

export const KNOWN_FEATURES: Readonly<Record<string, KnownFeature>> = {
  appendOnly: writer({ legacy: { reader: 1, writer: 2 } }),
  invariants: writer({ legacy: { reader: 1, writer: 2 } }),
  checkConstraints: writer({ legacy: { reader: 1, writer: 3 } }),
  changeDataFeed: writer({ legacy: { reader: 1, writer: 4 } }),
  generatedColumns: writer({ legacy: { reader: 1, writer: 4 } }),
  columnMapping: both({ legacy: { reader: 2, writer: 5 } }),
  identityColumns: writer({ legacy: { reader: 1, writer: 6 } }),
  allowColumnDefaults: writer(),
  domainMetadata: writer(),
  clustering: writer({ requires: ['domainMetadata'] }),
  inCommitTimestamp: writer(),
  rowTracking: writer({ requires: ['domainMetadata'] }),
  icebergCompatV1: writer({ requires: ['columnMapping'] }),
  icebergCompatV2: writer({ requires: ['columnMapping'] }),
  icebergCompatV3: writer({ requires: ['columnMapping', 'rowTracking'] }),
  icebergWriterCompatV1: writer({ requires: ['icebergCompatV2'] }),
  icebergWriterCompatV3: writer({ requires: ['icebergCompatV3'] }),
  checkpointProtection: writer(),
  materializePartitionColumns: writer(),
  timestampNtz: both(),
  deletionVectors: both(),
  v2Checkpoint: both(),
  vacuumProtocolCheck: both(),
  typeWidening: both(),
  'typeWidening-preview': both(),
  variantType: both(),
  'variantType-preview': both(),
  variantShredding: both(),
  'variantShredding-preview': both(),
  catalogManaged: both({ requires: ['inCommitTimestamp', 'vacuumProtocolCheck'] }),
};

/** A feature's name in Delta's spelling, for a request that may spell it otherwise; undefined for none of Delta's. */
export function canonicalFeatureName(name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.keys(KNOWN_FEATURES).find((known) => known.toLowerCase() === lower);
}

/** Features that no table of this library gets and that, where a table has them, forbid its writes; with the reason. */
export const REFUSED_FOR_WRITING: Readonly<Record<string, string>> = {
  rowTracking: 'this library gives rows no ids of their own',
  icebergCompatV1: 'this library writes no Iceberg metadata',
  icebergCompatV2: 'this library writes no Iceberg metadata',
  icebergCompatV3: 'this library writes no Iceberg metadata',
  icebergWriterCompatV1: 'this library writes no Iceberg metadata',
  icebergWriterCompatV3: 'this library writes no Iceberg metadata',
  checkpointProtection: 'this library would clean up the log that it protects',
  materializePartitionColumns: 'this library keeps partition columns out of data files',
  catalogManaged: 'this library commits to the log itself, not through a catalogue',
  'typeWidening-preview': 'it was a preview of typeWidening',
  'variantType-preview': 'it was a preview of variantType',
  variantShredding: 'this library shreds no variants',
  'variantShredding-preview': 'this library shreds no variants',
};
