/**
 * One input an operation that is valid as far as the shapes go and names every member that this version supports or
 * takes with another meaning. None of them finds or changes anything: the things that they name don't exist.
 */
const STREAM = 'conformance-absent';
const ROLE = 'arn:aws:iam::000000000000:role/sluice';
const DATA = Buffer.from('{"a":1}').toString('base64');

const SHARD = 'shardId-000000000000';
const STREAM_ARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`;
const CONSUMER_ARN = `${STREAM_ARN}/consumer/absent:1`;
const stream = { StreamName: STREAM, StreamARN: STREAM_ARN };
const consumer = { StreamARN: STREAM_ARN, ConsumerName: 'absent', ConsumerARN: CONSUMER_ARN };
const metrics = { ...stream, ShardLevelMetrics: ['IncomingBytes'] };

const kinesis = {
  CreateStream: {
    StreamName: STREAM,
    ShardCount: 1,
    StreamModeDetails: { StreamMode: 'PROVISIONED' },
    Tags: { team: 'data' },
  },
  DescribeStream: { ...stream, Limit: 10, ExclusiveStartShardId: SHARD },
  DescribeStreamSummary: stream,
  ListStreams: { Limit: 10, ExclusiveStartStreamName: STREAM, NextToken: 'AAAA' },
  DeleteStream: { ...stream, EnforceConsumerDeletion: true },
  ListShards: {
    ...stream,
    MaxResults: 10,
    NextToken: 'AAAA',
    ExclusiveStartShardId: SHARD,
    StreamCreationTimestamp: 0,
    ShardFilter: { Type: 'AT_TIMESTAMP', ShardId: SHARD, Timestamp: 1.5 },
  },
  PutRecord: {
    ...stream,
    PartitionKey: 'key',
    Data: DATA,
    ExplicitHashKey: '0',
    SequenceNumberForOrdering: '0',
  },
  PutRecords: { ...stream, Records: [{ PartitionKey: 'key', Data: DATA, ExplicitHashKey: '0' }] },
  GetShardIterator: {
    ...stream,
    ShardId: SHARD,
    ShardIteratorType: 'AT_TIMESTAMP',
    StartingSequenceNumber: '0',
    Timestamp: 1.5,
  },
  GetRecords: { ShardIterator: 'AAAA', Limit: 10, StreamARN: STREAM_ARN },
  IncreaseStreamRetentionPeriod: { ...stream, RetentionPeriodHours: 48 },
  DecreaseStreamRetentionPeriod: { ...stream, RetentionPeriodHours: 24 },
  AddTagsToStream: { ...stream, Tags: { team: 'data' } },
  RemoveTagsFromStream: { ...stream, TagKeys: ['team'] },
  ListTagsForStream: { ...stream, Limit: 10, ExclusiveStartTagKey: 'a' },
  SplitShard: { ...stream, ShardToSplit: SHARD, NewStartingHashKey: '10' },
  MergeShards: { ...stream, ShardToMerge: SHARD, AdjacentShardToMerge: 'shardId-000000000001' },
  UpdateShardCount: { ...stream, TargetShardCount: 2, ScalingType: 'UNIFORM_SCALING' },
  StartStreamEncryption: { ...stream, EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' },
  StopStreamEncryption: { ...stream, EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' },
  UpdateStreamMode: { StreamARN: STREAM_ARN, StreamModeDetails: { StreamMode: 'ON_DEMAND' } },
  EnableEnhancedMonitoring: metrics,
  DisableEnhancedMonitoring: metrics,
  DescribeLimits: {},
  PutResourcePolicy: { ResourceARN: STREAM_ARN, Policy: '{}' },
  GetResourcePolicy: { ResourceARN: STREAM_ARN },
  DeleteResourcePolicy: { ResourceARN: STREAM_ARN },
  RegisterStreamConsumer: { StreamARN: STREAM_ARN, ConsumerName: 'absent' },
  DeregisterStreamConsumer: consumer,
  DescribeStreamConsumer: consumer,
  ListStreamConsumers: {
    StreamARN: STREAM_ARN,
    NextToken: 'AAAA',
    MaxResults: 10,
    StreamCreationTimestamp: 1.5,
  },
  SubscribeToShard: {
    ConsumerARN: CONSUMER_ARN,
    ShardId: SHARD,
    StartingPosition: { Type: 'AT_TIMESTAMP', SequenceNumber: '0', Timestamp: 1.5 },
  },
};

const destination = {
  RoleARN: ROLE,
  BucketARN: 'arn:aws:s3:::lake',
  BufferingHints: { SizeInMBs: 64, IntervalInSeconds: 5 },
  CompressionFormat: 'UNCOMPRESSED',
  EncryptionConfiguration: { NoEncryptionConfig: 'NoEncryption' },
  CloudWatchLoggingOptions: { Enabled: false, LogGroupName: 'group', LogStreamName: 'stream' },
  ProcessingConfiguration: { Enabled: false },
  S3BackupMode: 'Disabled',
  DataFormatConversionConfiguration: {
    Enabled: true,
    SchemaConfiguration: {
      RoleARN: ROLE,
      DatabaseName: 'conformance_absent',
      TableName: 'absent',
      Region: 'us-east-1',
      VersionId: 'LATEST',
    },
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
    OutputFormatConfiguration: { Serializer: { ParquetSerDe: { Compression: 'SNAPPY' } } },
  },
  DynamicPartitioningConfiguration: { Enabled: false },
};

const firehose = {
  CreateDeliveryStream: {
    DeliveryStreamName: STREAM,
    DeliveryStreamType: 'KinesisStreamAsSource',
    KinesisStreamSourceConfiguration: {
      KinesisStreamARN: `arn:aws:kinesis:us-east-1:000000000000:stream/${STREAM}`,
      RoleARN: ROLE,
    },
    ExtendedS3DestinationConfiguration: destination,
    Tags: [{ Key: 'team', Value: 'data' }],
  },
  UpdateDestination: {
    DeliveryStreamName: STREAM,
    CurrentDeliveryStreamVersionId: '1',
    DestinationId: 'destinationId-000000000001',
    ExtendedS3DestinationUpdate: destination,
  },
  DeleteDeliveryStream: { DeliveryStreamName: STREAM, AllowForceDelete: false },
  DescribeDeliveryStream: {
    DeliveryStreamName: STREAM,
    Limit: 1,
    ExclusiveStartDestinationId: 'destinationId-000000000001',
  },
  ListDeliveryStreams: {
    Limit: 10,
    DeliveryStreamType: 'DirectPut',
    ExclusiveStartDeliveryStreamName: STREAM,
  },
  PutRecord: { DeliveryStreamName: STREAM, Record: { Data: DATA } },
  PutRecordBatch: { DeliveryStreamName: STREAM, Records: [{ Data: DATA }] },
};

const column = { Name: 'a', Type: 'int', Comment: 'first' };
const table = {
  Name: 'absent',
  Description: 'a table',
  Owner: 'nobody',
  Retention: 0,
  StorageDescriptor: {
    Columns: [column],
    Location: 'file:///nowhere',
    InputFormat: 'input',
    OutputFormat: 'output',
    Compressed: false,
    NumberOfBuckets: 0,
    SerdeInfo: { Name: 'serde', SerializationLibrary: 'library' },
    StoredAsSubDirectories: false,
  },
  PartitionKeys: [{ Name: 'day', Type: 'date', Comment: 'second' }],
  TableType: 'EXTERNAL_TABLE',
  Parameters: { table_type: 'DELTA' },
};
const inDatabase = { CatalogId: '000000000000', DatabaseName: 'conformance_absent' };

const glue = {
  CreateDatabase: {
    CatalogId: '999999999999',
    DatabaseInput: {
      Name: 'conformance_absent',
      Description: 'a database',
      LocationUri: 'file:///nowhere',
      Parameters: { a: 'b' },
    },
  },
  GetDatabase: { CatalogId: '000000000000', Name: 'conformance_absent' },
  GetDatabases: {
    CatalogId: '000000000000',
    MaxResults: 10,
    ResourceShareType: 'ALL',
    AttributesToGet: ['NAME'],
  },
  DeleteDatabase: { CatalogId: '000000000000', Name: 'conformance_absent' },
  CreateTable: { ...inDatabase, TableInput: table },
  GetTable: { ...inDatabase, Name: 'absent' },
  GetTables: { ...inDatabase, Expression: 'a.*', MaxResults: 10, AttributesToGet: ['NAME'] },
  UpdateTable: { ...inDatabase, TableInput: table, SkipArchive: true },
  DeleteTable: { ...inDatabase, Name: 'absent' },
};

const athena = {
  StartQueryExecution: {
    QueryString: 'select 1',
    ClientRequestToken: 'conformance-token-conformance-token',
    QueryExecutionContext: { Database: 'conformance_absent', Catalog: 'AwsDataCatalog' },
    WorkGroup: 'absent',
    ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: false, MaxAgeInMinutes: 0 } },
  },
  GetQueryExecution: { QueryExecutionId: 'absent' },
  GetQueryResults: { QueryExecutionId: 'absent', NextToken: 'token', MaxResults: 10 },
  StopQueryExecution: { QueryExecutionId: 'absent' },
  ListQueryExecutions: { MaxResults: 10, WorkGroup: 'absent', NextToken: 'token' },
  BatchGetQueryExecution: { QueryExecutionIds: ['absent'] },
};

export const SAMPLES: Readonly<
  Record<
    ServiceName,
    {
      readonly targetPrefix: string;
      readonly operations: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    }
  >
> = {
  kinesis: { targetPrefix: 'Kinesis_20131202', operations: kinesis },
  firehose: { targetPrefix: 'Firehose_20150804', operations: firehose },
  glue: { targetPrefix: 'AWSGlue', operations: glue },
  athena: { targetPrefix: 'AmazonAthena', operations: athena },
};

export type ServiceName = 'kinesis' | 'firehose' | 'glue' | 'athena';
export const SERVICE_NAMES: readonly ServiceName[] = ['kinesis', 'firehose', 'glue', 'athena'];
