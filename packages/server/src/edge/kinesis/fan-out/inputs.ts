/** Constraints of the operations on consumers, from the public Smithy model of Kinesis Data Streams (2013-12-02). */
import { integer, map, oneOf, required, string, structure, timestamp } from '../../aws-json/index.ts';
import { NAME_LENGTH_MAX, NAME_PATTERN } from '../inputs.ts';

const name = string({ lengthMin: 1, lengthMax: NAME_LENGTH_MAX, pattern: NAME_PATTERN });
const streamArn = string({
  lengthMin: 1,
  lengthMax: 2048,
  pattern: '^arn:aws.*:kinesis:.*:\\d{12}:stream/\\S+$',
});
const consumerArn = string({
  lengthMin: 1,
  lengthMax: 2048,
  pattern: '^(arn):aws.*:kinesis:.*:\\d{12}:.*stream\\/[a-zA-Z0-9_.-]+\\/consumer\\/[a-zA-Z0-9_.-]+:[0-9]+$',
});
const consumer = structure({ StreamARN: streamArn, ConsumerName: name, ConsumerARN: consumerArn });

export const FAN_OUT_INPUTS = {
  RegisterStreamConsumer: structure({
    StreamARN: required(streamArn),
    ConsumerName: required(name),
    Tags: map(string({ lengthMin: 1, lengthMax: 128 }), string({ lengthMin: 0, lengthMax: 256 }), {
      lengthMin: 1,
      lengthMax: 200,
    }),
  }),
  DeregisterStreamConsumer: consumer,
  DescribeStreamConsumer: consumer,
  ListStreamConsumers: structure({
    StreamARN: required(streamArn),
    NextToken: string({ lengthMin: 1, lengthMax: 1_048_576 }),
    MaxResults: integer({ min: 1, max: 10_000 }),
    StreamCreationTimestamp: timestamp(),
  }),
  SubscribeToShard: structure({
    ConsumerARN: required(consumerArn),
    ShardId: required(name),
    StartingPosition: required(
      structure({
        Type: required(
          oneOf('AT_SEQUENCE_NUMBER', 'AFTER_SEQUENCE_NUMBER', 'TRIM_HORIZON', 'LATEST', 'AT_TIMESTAMP'),
        ),
        SequenceNumber: string({ pattern: '^0|([1-9]\\d{0,128})$' }),
        Timestamp: timestamp(),
      }),
    ),
  }),
};

export interface RegisterConsumerInput {
  readonly StreamARN: string;
  readonly ConsumerName: string;
  readonly Tags?: Readonly<Record<string, string>>;
}
export interface ConsumerInput {
  readonly StreamARN?: string;
  readonly ConsumerName?: string;
  readonly ConsumerARN?: string;
}
export interface ListConsumersInput {
  readonly StreamARN: string;
  readonly NextToken?: string;
  readonly MaxResults?: number;
  readonly StreamCreationTimestamp?: number;
}
export interface SubscribeInput {
  readonly ConsumerARN: string;
  readonly ShardId: string;
  readonly StartingPosition: {
    readonly Type: string;
    readonly SequenceNumber?: string;
    readonly Timestamp?: number;
  };
}
