/**
 * Constraints of the operations' inputs, from the public Smithy model of Kinesis Data Streams (2013-12-02), and the
 * types that handlers see once they hold.
 */
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
  timestamp,
} from '../aws-json/index.ts';
import {
  RECORD_BYTES_MAX_LEAST,
  RECORD_BYTES_MAX_MOST,
  type StreamMode,
} from '../../modules/streams/index.ts';

export const NAME_PATTERN = '^[a-zA-Z0-9_.-]+$';
const HASH_KEY_PATTERN = '^0|([1-9]\\d{0,38})$';
const SEQUENCE_NUMBER_PATTERN = '^0|([1-9]\\d{0,128})$';

export const NAME_LENGTH_MAX = 128;
export const RECORDS_PER_REQUEST_MAX = 500;
/** Of every stream; more only where the stream says so. */
export const RECORD_BYTES_MAX = 1_048_576;
export const REQUEST_BYTES_MAX = 10 * 1_048_576;
export const KEY_LENGTH_MAX = 256;

const name = string({ lengthMin: 1, lengthMax: NAME_LENGTH_MAX, pattern: NAME_PATTERN });
const arn = string({ lengthMin: 1, lengthMax: 2048, pattern: '^arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+$' });
const hashKey = string({ pattern: HASH_KEY_PATTERN });
const sequenceNumber = string({ pattern: SEQUENCE_NUMBER_PATTERN });
const data = blob({ lengthMin: 0, lengthMax: RECORD_BYTES_MAX_MOST });
const partitionKey = string({ lengthMin: 1, lengthMax: KEY_LENGTH_MAX });
const token = string({ lengthMin: 1, lengthMax: 1_048_576 });
const tagKey = string({ lengthMin: 1, lengthMax: 128 });
const tags = map(tagKey, string({ lengthMin: 0, lengthMax: 256 }), { lengthMin: 1, lengthMax: 200 });
const pageSize = integer({ min: 1, max: 10_000 });
const stream = { StreamName: name, StreamARN: arn };
const resourceArn = string({
  lengthMin: 1,
  lengthMax: 2048,
  pattern: '^arn:aws.*:kinesis:.*:\\d{12}:.*stream/\\S+$',
});
const streamMode = structure({ StreamMode: required(oneOf('PROVISIONED', 'ON_DEMAND')) });
const recordKib = integer({ min: RECORD_BYTES_MAX_LEAST / 1024, max: RECORD_BYTES_MAX_MOST / 1024 });
const metrics = list(
  oneOf(
    'IncomingBytes',
    'IncomingRecords',
    'OutgoingBytes',
    'OutgoingRecords',
    'WriteProvisionedThroughputExceeded',
    'ReadProvisionedThroughputExceeded',
    'IteratorAgeMilliseconds',
    'ALL',
  ),
  { lengthMin: 1, lengthMax: 7 },
);

const encryptionType = oneOf('NONE', 'KMS');
const keyId = string({ lengthMin: 1, lengthMax: 2048 });

export const INPUTS = {
  CreateStream: structure({
    StreamName: required(name),
    ShardCount: integer({ min: 1 }),
    StreamModeDetails: streamMode,
    Tags: tags,
    MaxRecordSizeInKiB: recordKib,
  }),
  DescribeStream: structure({ ...stream, Limit: pageSize, ExclusiveStartShardId: name }),
  DescribeStreamSummary: structure(stream),
  ListStreams: structure({ Limit: pageSize, ExclusiveStartStreamName: name, NextToken: token }),
  DeleteStream: structure({ ...stream, EnforceConsumerDeletion: boolean() }),
  ListShards: structure({
    ...stream,
    NextToken: token,
    ExclusiveStartShardId: name,
    MaxResults: pageSize,
    StreamCreationTimestamp: timestamp(),
    ShardFilter: structure({
      Type: required(
        oneOf(
          'AFTER_SHARD_ID',
          'AT_TRIM_HORIZON',
          'FROM_TRIM_HORIZON',
          'AT_LATEST',
          'AT_TIMESTAMP',
          'FROM_TIMESTAMP',
        ),
      ),
      ShardId: name,
      Timestamp: timestamp(),
    }),
  }),
  PutRecord: structure({
    ...stream,
    Data: required(data),
    PartitionKey: required(partitionKey),
    ExplicitHashKey: hashKey,
    SequenceNumberForOrdering: sequenceNumber,
  }),
  PutRecords: structure({
    ...stream,
    Records: required(
      list(
        structure({ Data: required(data), ExplicitHashKey: hashKey, PartitionKey: required(partitionKey) }),
        {
          lengthMin: 1,
          lengthMax: RECORDS_PER_REQUEST_MAX,
        },
      ),
    ),
  }),
  GetShardIterator: structure({
    ...stream,
    ShardId: required(name),
    ShardIteratorType: required(
      oneOf('AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER', 'TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'),
    ),
    StartingSequenceNumber: sequenceNumber,
    Timestamp: timestamp(),
  }),
  GetRecords: structure({
    ShardIterator: required(string({ lengthMin: 1, lengthMax: 512 })),
    Limit: pageSize,
    StreamARN: arn,
  }),
  IncreaseStreamRetentionPeriod: structure({ ...stream, RetentionPeriodHours: required(integer()) }),
  DecreaseStreamRetentionPeriod: structure({ ...stream, RetentionPeriodHours: required(integer()) }),
  AddTagsToStream: structure({ ...stream, Tags: required(tags) }),
  RemoveTagsFromStream: structure({
    ...stream,
    TagKeys: required(list(tagKey, { lengthMin: 1, lengthMax: 50 })),
  }),
  ListTagsForStream: structure({
    ...stream,
    ExclusiveStartTagKey: tagKey,
    Limit: integer({ min: 1, max: 50 }),
  }),
  TagResource: structure({ Tags: required(tags), ResourceARN: required(resourceArn) }),
  UntagResource: structure({
    TagKeys: required(list(tagKey, { lengthMin: 1, lengthMax: 50 })),
    ResourceARN: required(resourceArn),
  }),
  ListTagsForResource: structure({ ResourceARN: required(resourceArn) }),
  SplitShard: structure({ ...stream, ShardToSplit: required(name), NewStartingHashKey: required(hashKey) }),
  MergeShards: structure({ ...stream, ShardToMerge: required(name), AdjacentShardToMerge: required(name) }),
  UpdateShardCount: structure({
    ...stream,
    TargetShardCount: required(integer({ min: 1 })),
    ScalingType: required(oneOf('UNIFORM_SCALING')),
  }),
  StartStreamEncryption: structure({
    ...stream,
    EncryptionType: required(encryptionType),
    KeyId: required(keyId),
  }),
  StopStreamEncryption: structure({
    ...stream,
    EncryptionType: required(encryptionType),
    KeyId: required(keyId),
  }),
  UpdateStreamMode: structure({ StreamARN: required(arn), StreamModeDetails: required(streamMode) }),
  UpdateMaxRecordSize: structure({ StreamARN: arn, MaxRecordSizeInKiB: required(recordKib) }),
  EnableEnhancedMonitoring: structure({ ...stream, ShardLevelMetrics: required(metrics) }),
  DisableEnhancedMonitoring: structure({ ...stream, ShardLevelMetrics: required(metrics) }),
  DescribeLimits: structure({}),
  DescribeAccountSettings: structure({}),
  UpdateAccountSettings: structure({
    MinimumThroughputBillingCommitment: required(
      structure({ Status: required(oneOf('ENABLED', 'DISABLED')) }),
    ),
  }),
  PutResourcePolicy: structure({ ResourceARN: required(resourceArn), Policy: required(string()) }),
  GetResourcePolicy: structure({ ResourceARN: required(resourceArn) }),
  DeleteResourcePolicy: structure({ ResourceARN: required(resourceArn) }),
};

export interface StreamInput {
  readonly StreamName?: string;
  readonly StreamARN?: string;
}
export interface CreateStreamInput {
  readonly StreamName: string;
  readonly ShardCount?: number;
  readonly StreamModeDetails?: { readonly StreamMode: StreamMode };
  readonly MaxRecordSizeInKiB?: number;
  readonly Tags?: Readonly<Record<string, string>>;
}
export interface DescribeStreamInput extends StreamInput {
  readonly Limit?: number;
  readonly ExclusiveStartShardId?: string;
}
export interface DeleteStreamInput extends StreamInput {
  readonly EnforceConsumerDeletion?: boolean;
}
export interface ListStreamsInput {
  readonly Limit?: number;
  readonly ExclusiveStartStreamName?: string;
  readonly NextToken?: string;
}
export interface ListShardsInput extends StreamInput {
  readonly NextToken?: string;
  readonly ExclusiveStartShardId?: string;
  readonly MaxResults?: number;
  readonly StreamCreationTimestamp?: number;
  readonly ShardFilter?: ShardFilterInput;
}
export interface ShardFilterInput {
  readonly Type: string;
  readonly ShardId?: string;
  readonly Timestamp?: number;
}
export interface SplitShardInput extends StreamInput {
  readonly ShardToSplit: string;
  readonly NewStartingHashKey: string;
}
export interface MergeShardsInput extends StreamInput {
  readonly ShardToMerge: string;
  readonly AdjacentShardToMerge: string;
}
export interface UpdateShardCountInput extends StreamInput {
  readonly TargetShardCount: number;
}
export interface EncryptionInput extends StreamInput {
  readonly EncryptionType: string;
  readonly KeyId: string;
}
export interface UpdateStreamModeInput {
  readonly StreamARN: string;
  readonly StreamModeDetails: { readonly StreamMode: StreamMode };
}
export interface UpdateMaxRecordSizeInput {
  readonly StreamARN?: string;
  readonly MaxRecordSizeInKiB: number;
}
export interface MonitoringInput extends StreamInput {
  readonly ShardLevelMetrics: readonly string[];
}
export interface AccountSettingsInput {
  readonly MinimumThroughputBillingCommitment: { readonly Status: string };
}
export interface ResourceInput {
  readonly ResourceARN: string;
}
export interface TagResourceInput extends ResourceInput {
  readonly Tags: Readonly<Record<string, string>>;
}
export interface UntagResourceInput extends ResourceInput {
  readonly TagKeys: readonly string[];
}
export interface PutPolicyInput extends ResourceInput {
  readonly Policy: string;
}
export interface PutRecordInput extends StreamInput {
  readonly Data: string | Uint8Array;
  readonly PartitionKey: string;
  readonly ExplicitHashKey?: string;
}
export interface PutRecordsInput extends StreamInput {
  readonly Records: readonly Omit<PutRecordInput, keyof StreamInput>[];
}
export interface GetShardIteratorInput extends StreamInput {
  readonly ShardId: string;
  readonly ShardIteratorType: string;
  readonly StartingSequenceNumber?: string;
  readonly Timestamp?: number;
}
export interface GetRecordsInput {
  readonly ShardIterator: string;
  readonly Limit?: number;
  readonly StreamARN?: string;
}
export interface RetentionInput extends StreamInput {
  readonly RetentionPeriodHours: number;
}
export interface AddTagsInput extends StreamInput {
  readonly Tags: Readonly<Record<string, string>>;
}
export interface RemoveTagsInput extends StreamInput {
  readonly TagKeys: readonly string[];
}
export interface ListTagsInput extends StreamInput {
  readonly ExclusiveStartTagKey?: string;
  readonly Limit?: number;
}
