/** Amazon Kinesis Data Streams, API version 2013-12-02, over the streams module. */
import type { Clock } from '../../ports/clock.ts';
import type { Streams } from '../../modules/streams/index.ts';
import type { AwsService } from '../aws-json/index.ts';
import { mapStreamsError } from './errors.ts';
import { isCertainlyPutRecord, isCertainlyPutRecords } from './hot-path.ts';
import { INPUTS } from './inputs.ts';
import { Records } from './records.ts';
import { StreamAdministration } from './stream-administration.ts';
import { Tokens } from './tokens.ts';

export interface KinesisOptions {
  readonly streams: Streams;
  readonly clock: Clock;
  /** Signs iterators and page tokens. Where it is kept over a restart, they outlive one. */
  readonly tokenSecret?: string | Uint8Array;
}

const UNSUPPORTED = [
  'CreateChannel',
  'DeleteChannel',
  'DeleteResourcePolicy',
  'DeregisterStreamConsumer',
  'DescribeAccountSettings',
  'DescribeChannel',
  'DescribeLimits',
  'DescribeStreamConsumer',
  'DisableEnhancedMonitoring',
  'EnableEnhancedMonitoring',
  'GetResourcePolicy',
  'ListChannels',
  'ListStreamConsumers',
  'ListTagsForResource',
  'MergeShards',
  'PutResourcePolicy',
  'RegisterStreamConsumer',
  'SplitShard',
  'StartStreamEncryption',
  'StopStreamEncryption',
  'SubscribeToShard',
  'TagResource',
  'UntagResource',
  'UpdateAccountSettings',
  'UpdateChannel',
  'UpdateMaxRecordSize',
  'UpdateShardCount',
  'UpdateStreamMode',
  'UpdateStreamRecordDistributionStrategy',
  'UpdateStreamWarmThroughput',
];

const STREAM_ID = { StreamId: 'streams are named by StreamName or StreamARN' };
const DRY_RUN = { ...STREAM_ID, DryRun: 'a dry run would answer without doing' };

export function createKinesisService({ streams, clock, tokenSecret = 'sluice' }: KinesisOptions): AwsService {
  const tokens = new Tokens(tokenSecret);
  const admin = new StreamAdministration(streams, clock, tokens);
  const records = new Records(streams, clock, tokens);
  return {
    name: 'kinesis',
    targetPrefix: 'Kinesis_20131202',
    validationError: 'ValidationException',
    unsupportedError: 'InvalidArgumentException',
    extendedRequestId: true,
    unsupported: UNSUPPORTED,
    mapError: mapStreamsError,
    operations: {
      CreateStream: {
        input: INPUTS.CreateStream,
        refused: {
          WarmThroughputMiBps: 'throughput is not provisioned',
          MaxRecordSizeInKiB: 'records have at most 1 MiB',
          RecordDistributionStrategy: 'records go to the shard of their hash key',
        },
        different: {
          ShardCount: 'at most 10,000; no account limit',
          StreamModeDetails: 'an ON_DEMAND stream keeps its 4 shards',
        },
        handle: admin.create,
      },
      DescribeStream: { input: INPUTS.DescribeStream, refused: STREAM_ID, handle: admin.describe },
      DescribeStreamSummary: {
        input: INPUTS.DescribeStreamSummary,
        refused: STREAM_ID,
        handle: admin.summary,
      },
      ListStreams: { input: INPUTS.ListStreams, handle: admin.list },
      DeleteStream: {
        input: INPUTS.DeleteStream,
        refused: STREAM_ID,
        different: { EnforceConsumerDeletion: 'has no effect: there are no registered consumers' },
        handle: admin.delete,
      },
      ListShards: { input: INPUTS.ListShards, refused: STREAM_ID, handle: admin.listShards },
      PutRecord: {
        input: INPUTS.PutRecord,
        refused: DRY_RUN,
        different: {
          SequenceNumberForOrdering:
            'has no effect: records are always in the order of their acknowledgement',
        },
        certainlyValid: isCertainlyPutRecord,
        handle: records.put,
      },
      PutRecords: {
        input: INPUTS.PutRecords,
        refused: DRY_RUN,
        certainlyValid: isCertainlyPutRecords,
        handle: records.putMany,
      },
      GetShardIterator: { input: INPUTS.GetShardIterator, refused: DRY_RUN, handle: records.iterator },
      GetRecords: { input: INPUTS.GetRecords, refused: DRY_RUN, handle: records.get },
      IncreaseStreamRetentionPeriod: {
        input: INPUTS.IncreaseStreamRetentionPeriod,
        refused: STREAM_ID,
        handle: admin.increaseRetention,
      },
      DecreaseStreamRetentionPeriod: {
        input: INPUTS.DecreaseStreamRetentionPeriod,
        refused: STREAM_ID,
        handle: admin.decreaseRetention,
      },
      AddTagsToStream: { input: INPUTS.AddTagsToStream, refused: STREAM_ID, handle: admin.addTags },
      RemoveTagsFromStream: {
        input: INPUTS.RemoveTagsFromStream,
        refused: STREAM_ID,
        handle: admin.removeTags,
      },
      ListTagsForStream: { input: INPUTS.ListTagsForStream, refused: STREAM_ID, handle: admin.listTags },
    },
  };
}
