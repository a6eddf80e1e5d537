import type { DeliveryDescription, Destination } from '../../modules/delivery/index.ts';
import { AwsError } from '../aws-json/index.ts';

/** Members of an extended S3 destination that this version takes. */
export interface ExtendedS3 {
  readonly RoleARN?: string;
  readonly BucketARN?: string;
  readonly BufferingHints?: { readonly SizeInMBs?: number; readonly IntervalInSeconds?: number };
  readonly CompressionFormat?: string;
  readonly EncryptionConfiguration?: object;
  readonly CloudWatchLoggingOptions?: { readonly Enabled?: boolean };
  readonly ProcessingConfiguration?: { readonly Enabled?: boolean };
  readonly S3BackupMode?: string;
  readonly DataFormatConversionConfiguration?: Conversion;
  readonly DynamicPartitioningConfiguration?: { readonly Enabled?: boolean };
}

interface Conversion {
  readonly SchemaConfiguration?: {
    readonly RoleARN?: string;
    readonly CatalogId?: string;
    readonly DatabaseName?: string;
    readonly TableName?: string;
    readonly VersionId?: string;
  };
  readonly InputFormatConfiguration?: {
    readonly Deserializer?: {
      readonly OpenXJsonSerDe?: {
        readonly ConvertDotsInJsonKeysToUnderscores?: boolean;
        readonly CaseInsensitive?: boolean;
        readonly ColumnToJsonKeyMappings?: Readonly<Record<string, string>>;
      };
      readonly HiveJsonSerDe?: { readonly TimestampFormats?: readonly string[] };
    };
  };
  readonly OutputFormatConfiguration?: {
    readonly Serializer?: { readonly ParquetSerDe?: { readonly Compression?: string } };
  };
  readonly Enabled?: boolean;
}

export const DESTINATION_ID = 'destinationId-000000000001';
const INTERVAL_SECONDS = 5;
const SIZE_MIB = 64;

const invalid = (message: string): AwsError => new AwsError('InvalidArgumentException', message);
const unsupported = (what: string, why: string): AwsError =>
  invalid(`${what} is not supported by this version of Sluice: ${why}`);

/** The destination that a request describes, or an error that says what of it can't be had. */
export function toDestination(extended: ExtendedS3, accountId: string): Destination {
  refuseUnsupported(extended);
  const conversion = extended.DataFormatConversionConfiguration;
  if (conversion === undefined || conversion.Enabled === false) {
    throw unsupported(
      'A destination without format conversion',
      'name a catalogue table in DataFormatConversionConfiguration.SchemaConfiguration with Enabled: true; rows go into that Delta table',
    );
  }
  const { database, table } = conversionTable(conversion, accountId);
  const { SizeInMBs, IntervalInSeconds } = extended.BufferingHints ?? {};
  return {
    database,
    table,
    bufferingIntervalSeconds: IntervalInSeconds ?? INTERVAL_SECONDS,
    bufferingSizeMiB: SizeInMBs ?? SIZE_MIB,
    passthrough: { extendedS3: extended },
  };
}

/** What an update makes of a destination: members that it names replace what was there. */
export function changedDestination(present: Destination, update: ExtendedS3, accountId: string): Destination {
  const merged = { ...extendedS3Of(present), ...update };
  const next = toDestination(
    {
      ...merged,
      BufferingHints: {
        SizeInMBs: present.bufferingSizeMiB,
        IntervalInSeconds: present.bufferingIntervalSeconds,
        ...update.BufferingHints,
      },
    },
    accountId,
  );
  // Other keys, such as the source's, stay.
  return { ...next, passthrough: { ...present.passthrough, ...next.passthrough } };
}

const extendedS3Of = ({ passthrough }: Destination): ExtendedS3 => passthrough['extendedS3'] ?? {};

export function describeDestination({ destination }: DeliveryDescription): object {
  const kept = extendedS3Of(destination);
  const plain = {
    RoleARN: kept.RoleARN,
    BucketARN: kept.BucketARN,
    BufferingHints: {
      SizeInMBs: destination.bufferingSizeMiB,
      IntervalInSeconds: destination.bufferingIntervalSeconds,
    },
    CompressionFormat: 'UNCOMPRESSED',
    EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
    CloudWatchLoggingOptions: { Enabled: false, ...kept.CloudWatchLoggingOptions },
  };
  return {
    DestinationId: DESTINATION_ID,
    S3DestinationDescription: plain,
    ExtendedS3DestinationDescription: {
      ...plain,
      Prefix: '',
      ProcessingConfiguration: kept.ProcessingConfiguration,
      S3BackupMode: 'Disabled',
      DataFormatConversionConfiguration: { ...kept.DataFormatConversionConfiguration, Enabled: true },
      DynamicPartitioningConfiguration: kept.DynamicPartitioningConfiguration,
    },
  };
}

function refuseUnsupported(extended: ExtendedS3): void {
  if ((extended.CompressionFormat ?? 'UNCOMPRESSED') !== 'UNCOMPRESSED') {
    throw invalid('CompressionFormat must be UNCOMPRESSED when data format conversion is enabled.');
  }
  if (extended.CloudWatchLoggingOptions?.Enabled === true) {
    throw unsupported(
      'CloudWatchLoggingOptions.Enabled',
      'there is no CloudWatch; the server has its own log',
    );
  }
  if (extended.ProcessingConfiguration?.Enabled === true) {
    throw unsupported(
      'ProcessingConfiguration.Enabled',
      'transformation by functions is not in this version',
    );
  }
  if ((extended.S3BackupMode ?? 'Disabled') !== 'Disabled') {
    throw unsupported('S3BackupMode Enabled', 'the source stream is the backup');
  }
  if (extended.DynamicPartitioningConfiguration?.Enabled === true) {
    throw unsupported('DynamicPartitioningConfiguration.Enabled', 'rows go to the partitions of the table');
  }
}

function conversionTable(conversion: Conversion, accountId: string): { database: string; table: string } {
  const schema = conversion.SchemaConfiguration ?? {};
  if (schema.DatabaseName === undefined || schema.TableName === undefined) {
    throw invalid(
      'SchemaConfiguration needs DatabaseName and TableName when data format conversion is enabled.',
    );
  }
  if (schema.CatalogId !== undefined && schema.CatalogId !== accountId) {
    throw unsupported(`CatalogId ${schema.CatalogId}`, `the catalogue of this server is ${accountId}`);
  }
  if (schema.VersionId !== undefined && schema.VersionId !== 'LATEST') {
    throw unsupported(
      `VersionId ${schema.VersionId}`,
      'rows are written with the schema of the newest version: LATEST',
    );
  }
  refuseFormats(conversion);
  return { database: schema.DatabaseName, table: schema.TableName };
}

function refuseFormats({ InputFormatConfiguration, OutputFormatConfiguration }: Conversion): void {
  const deserializer = InputFormatConfiguration?.Deserializer;
  const serializer = OutputFormatConfiguration?.Serializer;
  if (deserializer?.OpenXJsonSerDe === undefined && deserializer?.HiveJsonSerDe === undefined) {
    throw invalid('InputFormatConfiguration needs a Deserializer: OpenXJsonSerDe or HiveJsonSerDe.');
  }
  if (serializer?.ParquetSerDe === undefined) {
    throw invalid('OutputFormatConfiguration needs the Serializer ParquetSerDe.');
  }
  const { OpenXJsonSerDe: openX, HiveJsonSerDe: hive } = deserializer;
  if (openX !== undefined && hive !== undefined) {
    throw invalid('InputFormatConfiguration takes one Deserializer, not both.');
  }
  if (openX?.ConvertDotsInJsonKeysToUnderscores === true) {
    throw unsupported('ConvertDotsInJsonKeysToUnderscores', 'keys are matched to columns as they are');
  }
  if (openX?.CaseInsensitive === false) {
    throw unsupported('CaseInsensitive: false', 'names of columns have no case');
  }
  if (Object.keys(openX?.ColumnToJsonKeyMappings ?? {}).length > 0) {
    throw unsupported('ColumnToJsonKeyMappings', 'keys are matched to columns by name');
  }
  if ((hive?.TimestampFormats ?? []).length > 0) {
    throw unsupported('TimestampFormats', 'timestamps are read as ISO 8601 and as numbers since the epoch');
  }
  const compression = serializer.ParquetSerDe.Compression ?? 'SNAPPY';
  if (compression !== 'SNAPPY') {
    throw unsupported(`Parquet compression ${compression}`, 'files are written with SNAPPY');
  }
}
