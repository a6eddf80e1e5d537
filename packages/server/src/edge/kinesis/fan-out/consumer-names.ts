/** ARNs of consumers: that of the stream, the consumer's name, and when it was registered, in seconds. */
import type { Consumer, Streams } from '../../../modules/streams/index.ts';
import { AwsError } from '../../aws-json/index.ts';
import { ACCOUNT_ID, invalid } from '../errors.ts';
import { arnOf, describePublic, nameOf } from '../names.ts';
import type { ConsumerInput } from './inputs.ts';

const ARN = /^(arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream\/[^/]+)\/consumer\/([^/:]+):(\d+)$/;

export function isConsumerArn(arn: string): boolean {
  return ARN.test(arn);
}

export function consumerArnOf({ stream, name, createdMs }: Consumer, region: string): string {
  return `${arnOf(stream, region)}/consumer/${name}:${secondsOf(createdMs)}`;
}

/** By ARN, or by the stream's and its own name; all that is given must agree. */
export function consumerOf(streams: Streams, input: ConsumerInput): Consumer {
  const { ConsumerARN: arn, StreamARN: streamArn, ConsumerName: name } = input;
  if (arn === undefined) {
    if (streamArn === undefined || name === undefined)
      throw invalid('Either the ConsumerARN or both the StreamARN and the ConsumerName must be provided.');
    const stream = nameOf({ StreamARN: streamArn });
    describePublic(streams, stream);
    const consumer = streams.consumers.find(stream, name);
    if (consumer === undefined) throw consumerNotFound(`${stream}:${name}`);
    return consumer;
  }
  const [, ofStream = '', named = '', seconds = ''] = ARN.exec(arn) ?? [];
  if (streamArn !== undefined && nameOf({ StreamARN: streamArn }) !== nameOf({ StreamARN: ofStream }))
    throw invalid(`StreamARN ${streamArn} does not match the ConsumerARN ${arn}.`);
  if (name !== undefined && name !== named)
    throw invalid(`ConsumerName ${name} does not match the ConsumerARN ${arn}.`);
  const consumer = streams.consumers.find(nameOf({ StreamARN: ofStream }), named);
  // One that was registered anew under the name is another consumer.
  if (consumer === undefined || secondsOf(consumer.createdMs) !== Number(seconds))
    throw consumerNotFound(arn);
  return consumer;
}

export function consumerNotFound(which: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Consumer ${which} under account ${ACCOUNT_ID} not found.`,
  );
}

function secondsOf(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
