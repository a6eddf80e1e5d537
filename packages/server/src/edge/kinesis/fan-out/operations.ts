/** The operations on consumers as a part of the service's table. */
import type { Clock } from '../../../ports/clock.ts';
import type { Logger } from '../../../ports/observe.ts';
import type { Streams } from '../../../modules/streams/index.ts';
import type { Operation, RequestContext } from '../../aws-json/index.ts';
import type { ResourceInput } from '../inputs.ts';
import type { Tokens } from '../tokens.ts';
import { ConsumerAdministration } from './consumer-administration.ts';
import { isConsumerArn } from './consumer-names.ts';
import { FAN_OUT_INPUTS } from './inputs.ts';
import { Subscribing } from './subscribing.ts';

export interface FanOut {
  readonly operations: Readonly<Record<string, Operation>>;
  readonly tags: Pick<ConsumerAdministration, 'tag' | 'untag' | 'listTags'>;
  readonly stop: () => void;
}

const STREAM_ID = { StreamId: 'reserved by AWS for future use; streams are named by StreamARN' };

export function fanOut(options: {
  readonly streams: Streams;
  readonly clock: Clock;
  readonly tokens: Tokens;
  readonly logger: Logger | undefined;
}): FanOut {
  const { streams, clock, tokens, logger } = options;
  const consumers = new ConsumerAdministration(streams, clock, tokens);
  const subscribing = new Subscribing(streams, clock, logger);
  const inputs = FAN_OUT_INPUTS;
  return {
    tags: consumers,
    stop: subscribing.stop,
    operations: {
      RegisterStreamConsumer: {
        input: inputs.RegisterStreamConsumer,
        refused: STREAM_ID,
        different: { ConsumerName: 'a consumer is ACTIVE at once; at most 20 for a stream in either mode' },
        handle: consumers.register,
      },
      DeregisterStreamConsumer: {
        input: inputs.DeregisterStreamConsumer,
        refused: STREAM_ID,
        handle: consumers.deregister,
      },
      DescribeStreamConsumer: {
        input: inputs.DescribeStreamConsumer,
        refused: STREAM_ID,
        handle: consumers.describe,
      },
      ListStreamConsumers: { input: inputs.ListStreamConsumers, refused: STREAM_ID, handle: consumers.list },
      SubscribeToShard: {
        input: inputs.SubscribeToShard,
        refused: { ...STREAM_ID, DryRun: 'a dry run would answer without doing' },
        different: {
          ConsumerARN:
            'a subscription that is over already does not make the consumer wait 5 seconds for the next one, unless limits are as on AWS (limits: aws)',
        },
        handle: subscribing.subscribe,
      },
    },
  };
}

/** An operation on a resource, which is a consumer or a stream by its ARN. */
export function byResource<Input extends ResourceInput>(
  ofConsumer: (input: Input) => Promise<object>,
  ofStream: (input: Input) => Promise<object>,
): (input: Input, context: RequestContext) => Promise<object> {
  return (input) => (isConsumerArn(input.ResourceARN) ? ofConsumer(input) : ofStream(input));
}
