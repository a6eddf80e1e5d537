/** Members of delivery streams and their destinations (model of Amazon Data Firehose, 2025). */
import {
  blob,
  boolean,
  integer,
  list,
  map,
  oneOf,
  required,
  string,
  structure,
  type Member,
  type Shape,
} from '../aws-json/index.ts';

export const streamName = string({ lengthMin: 1, lengthMax: 64, pattern: '[a-zA-Z0-9_.-]+' });
export const streamType = oneOf('DirectPut', 'KinesisStreamAsSource', 'MSKAsSource', 'DatabaseAsSource');
export const destinationId = string({ lengthMin: 1, lengthMax: 100, pattern: '[a-zA-Z0-9-]+' });
export const versionId = string({ lengthMin: 1, lengthMax: 50, pattern: '[0-9]+' });
export const pageSize = integer({ min: 1, max: 10_000 });
export const record = structure({ Data: required(blob({ lengthMin: 0, lengthMax: 1_024_000 })) });

const roleArn = string({
  lengthMin: 1,
  lengthMax: 512,
  pattern: 'arn:.*:iam::\\d{12}:role/[a-zA-Z_0-9+=,.@\\-_/]+',
});
const bucketArn = string({ lengthMin: 1, lengthMax: 2_048, pattern: 'arn:.*:s3:::[\\w\\.\\-]{1,255}' });
const word = string({ lengthMin: 1, lengthMax: 1_024, pattern: '\\S+' });
const text = string({ lengthMin: 1, lengthMax: 1_024, pattern: '(?!\\s*$).+' });

export const kinesisSource = structure({
  KinesisStreamARN: required(
    string({
      lengthMin: 1,
      lengthMax: 512,
      pattern: 'arn:.*:kinesis:[a-zA-Z0-9\\-]+:\\d{12}:stream/[a-zA-Z0-9_.-]+',
    }),
  ),
  RoleARN: required(roleArn),
});

export const tags = list(
  structure({
    Key: required(
      string({ lengthMin: 1, lengthMax: 128, pattern: '(?!aws:)[\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@%]*' }),
    ),
    Value: string({ lengthMin: 0, lengthMax: 256, pattern: '[\\p{L}\\p{Z}\\p{N}_.:\\/=+\\-@%]*' }),
  }),
  { lengthMin: 1, lengthMax: 50 },
);

const conversion = structure({
  SchemaConfiguration: structure({
    RoleARN: word,
    CatalogId: word,
    DatabaseName: word,
    TableName: word,
    Region: word,
    VersionId: word,
  }),
  InputFormatConfiguration: structure({
    Deserializer: structure({
      OpenXJsonSerDe: structure({
        ConvertDotsInJsonKeysToUnderscores: boolean(),
        CaseInsensitive: boolean(),
        ColumnToJsonKeyMappings: map(word, text),
      }),
      HiveJsonSerDe: structure({ TimestampFormats: list(text) }),
    }),
  }),
  OutputFormatConfiguration: structure({
    Serializer: structure({
      ParquetSerDe: structure({ Compression: oneOf('UNCOMPRESSED', 'GZIP', 'SNAPPY') }),
    }),
  }),
  Enabled: boolean(),
});

function extendedS3(arn: (shape: Shape) => Shape | Member): Shape {
  return structure({
    RoleARN: arn(roleArn),
    BucketARN: arn(bucketArn),
    BufferingHints: structure({
      SizeInMBs: integer({ min: 1, max: 128 }),
      IntervalInSeconds: integer({ min: 0, max: 900 }),
    }),
    CompressionFormat: oneOf('UNCOMPRESSED', 'GZIP', 'ZIP', 'Snappy', 'HADOOP_SNAPPY'),
    EncryptionConfiguration: structure({ NoEncryptionConfig: oneOf('NoEncryption') }),
    CloudWatchLoggingOptions: structure({
      Enabled: boolean(),
      LogGroupName: string({ lengthMin: 0, lengthMax: 512, pattern: '[\\.\\-_/#A-Za-z0-9]*' }),
      LogStreamName: string({ lengthMin: 0, lengthMax: 512, pattern: '[^:*]*' }),
    }),
    ProcessingConfiguration: structure({ Enabled: boolean() }),
    S3BackupMode: oneOf('Disabled', 'Enabled'),
    DataFormatConversionConfiguration: conversion,
    DynamicPartitioningConfiguration: structure({ Enabled: boolean() }),
  });
}

export const extendedS3Configuration = extendedS3(required);
export const extendedS3Update = extendedS3((shape) => shape);

const WRITER = 'the writer of the table decides it';
const PATHS = 'the table decides where its files are';
const EXTENDED_S3_REFUSED: Readonly<Record<string, string>> = {
  Prefix: PATHS,
  ErrorOutputPrefix: 'rejected records go to the table with the suffix _rejected',
  FileExtension: PATHS,
  CustomTimeZone: PATHS,
  'EncryptionConfiguration.KMSEncryptionConfig': 'files of tables are not encrypted in this version',
  'ProcessingConfiguration.Processors': 'transformation by functions is not in this version',
  'DynamicPartitioningConfiguration.RetryOptions': 'rows go to the partitions of the table',
  'DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.OrcSerDe':
    'Delta tables hold Parquet: give ParquetSerDe',
  ...Object.fromEntries(
    [
      'BlockSizeBytes',
      'PageSizeBytes',
      'EnableDictionaryCompression',
      'MaxPaddingBytes',
      'WriterVersion',
    ].map((member) => [
      `DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.ParquetSerDe.${member}`,
      WRITER,
    ]),
  ),
};
const NO_DEFAULT_ROLE = 'kept and returned; there is no role to take on';
const EXTENDED_S3_DIFFERENT: Readonly<Record<string, string>> = {
  RoleARN: NO_DEFAULT_ROLE,
  BucketARN: `kept and returned; ${PATHS}`,
  'BufferingHints.SizeInMBs': '1 to 128 with format conversion, too; 64 by default',
  'BufferingHints.IntervalInSeconds': '5 by default, so that rows are in the table within seconds',
  CompressionFormat: 'UNCOMPRESSED only, as with every format conversion',
  'CloudWatchLoggingOptions.Enabled': 'false only; the server has its own log',
  'CloudWatchLoggingOptions.LogGroupName': 'kept and returned',
  'CloudWatchLoggingOptions.LogStreamName': 'kept and returned',
  'ProcessingConfiguration.Enabled': 'false only',
  S3BackupMode: 'Disabled only: the source stream is the backup',
  'DynamicPartitioningConfiguration.Enabled': 'false only: rows go to the partitions of the table',
  'DataFormatConversionConfiguration.Enabled': 'true only: the destination is a Delta table',
  'DataFormatConversionConfiguration.SchemaConfiguration.RoleARN': NO_DEFAULT_ROLE,
  'DataFormatConversionConfiguration.SchemaConfiguration.CatalogId': 'must be the account',
  'DataFormatConversionConfiguration.SchemaConfiguration.Region': 'kept and returned; there is one catalogue',
  'DataFormatConversionConfiguration.SchemaConfiguration.VersionId': 'LATEST only',
  'DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe.ConvertDotsInJsonKeysToUnderscores':
    'false only',
  'DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe.CaseInsensitive':
    'true only',
  'DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.OpenXJsonSerDe.ColumnToJsonKeyMappings':
    'empty only',
  'DataFormatConversionConfiguration.InputFormatConfiguration.Deserializer.HiveJsonSerDe.TimestampFormats':
    'empty only',
  'DataFormatConversionConfiguration.OutputFormatConfiguration.Serializer.ParquetSerDe.Compression':
    'SNAPPY only',
};

const below = (member: string, reasons: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(reasons).map(([path, reason]) => [`${member}.${path}`, reason]));

const OTHER_DESTINATION = 'the one destination is ExtendedS3 with a format conversion into a Delta table';
const DESTINATIONS = [
  'Redshift',
  'Elasticsearch',
  'Amazonopensearchservice',
  'Splunk',
  'HttpEndpoint',
  'AmazonOpenSearchServerless',
  'Snowflake',
  'Iceberg',
];

/** For the members of a request that creates (`Configuration`) or changes (`Update`) a destination. */
export function destinationRefused(suffix: 'Configuration' | 'Update'): Record<string, string> {
  return {
    ...Object.fromEntries(DESTINATIONS.map((name) => [`${name}Destination${suffix}`, OTHER_DESTINATION])),
    [`S3Destination${suffix}`]:
      'it has no format conversion: use ExtendedS3Destination with DataFormatConversionConfiguration',
    ...below(`ExtendedS3Destination${suffix}`, {
      ...EXTENDED_S3_REFUSED,
      [`S3Backup${suffix}`]: 'the source stream is the backup',
    }),
  };
}

export function destinationDifferent(suffix: 'Configuration' | 'Update'): Record<string, string> {
  return below(`ExtendedS3Destination${suffix}`, EXTENDED_S3_DIFFERENT);
}
