/** Amazon Kinesis Data Streams, API version 2013-12-02, over the streams module. */
import type { Clock } from '../../ports/clock.ts';
import type { Streams } from '../../modules/streams/index.ts';
import type { Logger } from '../../ports/observe.ts';
import type { AwsService, Operation } from '../aws-json/index.ts';
import type { AwsLimits } from './aws-limits.ts';
import { Encryption } from './encryption.ts';
import { mapStreamsError } from './errors.ts';
import { byResource, fanOut } from './fan-out/operations.ts';
import { isCertainlyPutRecord, isCertainlyPutRecords } from './hot-path.ts';
import { INPUTS } from './inputs.ts';
import { Records } from './records.ts';
import { Resharding } from './resharding.ts';
import { ResourcePolicies } from './resource-policies.ts';
import { ShardListing } from './shard-listing.ts';
import { StreamAdministration } from './stream-administration.ts';
import { StreamSettings } from './stream-settings.ts';
import { Tags } from './tags.ts';
import { Tokens } from './tokens.ts';

export interface KinesisOptions {
  readonly streams: Streams;
  readonly clock: Clock;
  /** Signs iterators and page tokens. Where it is kept over a restart, they outlive one. */
  readonly tokenSecret?: string | Uint8Array;
  /** As the streams module was created with for its capacity; `off` by default. */
  readonly limits?: AwsLimits;
  /** Told what fails after the head of an answer. */
  readonly logger?: Logger;
}

const UNSUPPORTED = [
  'CreateChannel',
  'DeleteChannel',
  'DescribeChannel',
  'ListChannels',
  'UpdateChannel',
  'UpdateStreamRecordDistributionStrategy',
  'UpdateStreamWarmThroughput',
];

const TIMESTAMPS: ReadonlySet<string> = new Set([
  'StreamCreationTimestamp',
  'ConsumerCreationTimestamp',
  'ApproximateArrivalTimestamp',
]);

const STREAM_ID = {
  StreamId: 'reserved by AWS for future use; streams are named by StreamName or StreamARN',
};
const OF_STREAMS = { ResourceARN: 'of a stream; consumers are refused' };
const MONITORED = {
  ShardLevelMetrics:
    'the list is kept and described; metrics are served by /metrics for the whole log, not by shard to CloudWatch',
};
const DRY_RUN = { ...STREAM_ID, DryRun: 'a dry run would answer without doing' };

export function createKinesisService({
  streams,
  clock,
  tokenSecret = 'sluice',
  limits = 'off',
  logger,
}: KinesisOptions): AwsService {
  const tokens = new Tokens(tokenSecret);
  const admin = new StreamAdministration(streams, clock, tokens);
  const records = new Records(streams, clock, tokens);
  const tags = new Tags(streams);
  const consumers = fanOut({ streams, clock, tokens, logger });
  return {
    name: 'kinesis',
    targetPrefix: 'Kinesis_20131202',
    validationError: 'ValidationException',
    unsupportedError: 'InvalidArgumentException',
    extendedRequestId: true,
    speaksCbor: true,
    timestampMembers: TIMESTAMPS,
    unsupported: UNSUPPORTED,
    mapError: mapStreamsError,
    stop: consumers.stop,
    operations: {
      CreateStream: {
        input: INPUTS.CreateStream,
        refused: {
          WarmThroughputMiBps: 'throughput is not provisioned',
          RecordDistributionStrategy: 'records go to the shard of their hash key',
        },
        different: {
          ShardCount: 'at most 10,000; no account limit',
          StreamModeDetails:
            'an ON_DEMAND stream begins with 4 shards and grows where capacity is limited (limits: aws); it does not shrink, nor split a single hot shard',
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
        handle: admin.delete,
      },
      ListShards: {
        input: INPUTS.ListShards,
        refused: STREAM_ID,
        handle: new ShardListing(streams, clock, tokens).list,
      },
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
      AddTagsToStream: { input: INPUTS.AddTagsToStream, refused: STREAM_ID, handle: tags.add },
      RemoveTagsFromStream: {
        input: INPUTS.RemoveTagsFromStream,
        refused: STREAM_ID,
        handle: tags.remove,
      },
      ListTagsForStream: { input: INPUTS.ListTagsForStream, refused: STREAM_ID, handle: tags.list },
      TagResource: {
        input: INPUTS.TagResource,
        refused: STREAM_ID,
        handle: byResource(consumers.tags.tag, tags.tagResource),
      },
      UntagResource: {
        input: INPUTS.UntagResource,
        refused: STREAM_ID,
        handle: byResource(consumers.tags.untag, tags.untagResource),
      },
      ListTagsForResource: {
        input: INPUTS.ListTagsForResource,
        refused: STREAM_ID,
        handle: byResource(consumers.tags.listTags, tags.listOfResource),
      },
      ...consumers.operations,
      ...resharding(new Resharding(streams, clock, limits)),
      ...encryption(new Encryption(streams)),
      ...settings(new StreamSettings(streams, clock, limits)),
      ...policies(new ResourcePolicies(streams)),
    },
  };
}

function resharding(handlers: Resharding): Record<string, Operation> {
  return {
    SplitShard: { input: INPUTS.SplitShard, refused: STREAM_ID, handle: handlers.split },
    MergeShards: { input: INPUTS.MergeShards, refused: STREAM_ID, handle: handlers.merge },
    UpdateShardCount: {
      input: INPUTS.UpdateShardCount,
      refused: STREAM_ID,
      different: { TargetShardCount: 'at most 10,000; 10 calls a day are the limit only with limits: aws' },
      handle: handlers.scale,
    },
  };
}

function encryption(handlers: Encryption): Record<string, Operation> {
  return {
    StartStreamEncryption: {
      input: INPUTS.StartStreamEncryption,
      refused: STREAM_ID,
      different: {
        KeyId:
          'names a key of this server, not of AWS KMS: an alias gets a key of its own on first use; ARNs must be of this account, and their region is not compared',
      },
      handle: handlers.start,
    },
    StopStreamEncryption: {
      input: INPUTS.StopStreamEncryption,
      refused: STREAM_ID,
      different: { KeyId: 'checked for its form, not compared with the key in use' },
      handle: handlers.stop,
    },
  };
}

function settings(handlers: StreamSettings): Record<string, Operation> {
  return {
    UpdateStreamMode: {
      input: INPUTS.UpdateStreamMode,
      refused: { ...STREAM_ID, WarmThroughputMiBps: 'throughput is not kept warm' },
      different: { StreamModeDetails: '2 changes a day are the limit only with limits: aws' },
      handle: handlers.setMode,
    },
    UpdateMaxRecordSize: {
      input: INPUTS.UpdateMaxRecordSize,
      refused: STREAM_ID,
      handle: handlers.setRecordSize,
    },
    EnableEnhancedMonitoring: {
      input: INPUTS.EnableEnhancedMonitoring,
      refused: STREAM_ID,
      different: MONITORED,
      handle: handlers.enableMonitoring,
    },
    DisableEnhancedMonitoring: {
      input: INPUTS.DisableEnhancedMonitoring,
      refused: STREAM_ID,
      different: MONITORED,
      handle: handlers.disableMonitoring,
    },
    DescribeLimits: { input: INPUTS.DescribeLimits, handle: handlers.describeLimits },
    DescribeAccountSettings: { input: INPUTS.DescribeAccountSettings, handle: handlers.describeAccount },
    UpdateAccountSettings: {
      input: INPUTS.UpdateAccountSettings,
      different: {
        'MinimumThroughputBillingCommitment.Status': 'ENABLED is refused: nothing is billed',
      },
      handle: handlers.updateAccount,
    },
  };
}

function policies(handlers: ResourcePolicies): Record<string, Operation> {
  return {
    PutResourcePolicy: {
      input: INPUTS.PutResourcePolicy,
      refused: STREAM_ID,
      different: {
        ...OF_STREAMS,
        Policy:
          'checked and kept, not enforced: there are no other accounts, and principals of this one are authorised without it',
      },
      handle: handlers.put,
    },
    GetResourcePolicy: {
      input: INPUTS.GetResourcePolicy,
      refused: STREAM_ID,
      different: OF_STREAMS,
      handle: handlers.get,
    },
    DeleteResourcePolicy: {
      input: INPUTS.DeleteResourcePolicy,
      refused: STREAM_ID,
      different: OF_STREAMS,
      handle: handlers.delete,
    },
  };
}
