import type { StreamsErrorCode } from '../../modules/streams/index.ts';
import { AwsError, errorTable } from '../aws-json/index.ts';

/** How each code of the streams module looks in the protocol. */
export const mapStreamsError = errorTable<StreamsErrorCode>({
  'stream-not-found': { type: 'ResourceNotFoundException' },
  'shard-not-found': { type: 'ResourceNotFoundException' },
  'consumer-not-found': { type: 'ResourceNotFoundException' },
  'consumer-exists': { type: 'ResourceInUseException' },
  'subscription-active': { type: 'ResourceInUseException' },
  'stream-exists': { type: 'ResourceInUseException' },
  'stream-in-use': { type: 'ResourceInUseException' },
  throttled: { type: 'ProvisionedThroughputExceededException' },
  invalid: { type: 'InvalidArgumentException' },
  'limit-exceeded': { type: 'LimitExceededException' },
  overloaded: { type: 'ProvisionedThroughputExceededException' },
  'key-not-found': { type: 'KMSNotFoundException' },
  'key-disabled': { type: 'KMSDisabledException' },
  'key-unusable': { type: 'KMSInvalidStateException' },
  'storage-full': { type: 'ServiceUnavailable', status: 503 },
  'storage-failed': { type: 'InternalFailure', status: 500 },
  damaged: { type: 'InternalFailure', status: 500 },
});

export const ACCOUNT_ID = '000000000000';

export function streamNotFound(name: string, account = ACCOUNT_ID): AwsError {
  return new AwsError('ResourceNotFoundException', `Stream ${name} under account ${account} not found.`);
}

export function invalid(message: string): AwsError {
  return new AwsError('InvalidArgumentException', message);
}

export function limitExceeded(message: string): AwsError {
  return new AwsError('LimitExceededException', message);
}

export function notActive(name: string, status: string): AwsError {
  return new AwsError(
    'ResourceInUseException',
    `Stream ${name} under account ${ACCOUNT_ID} not ACTIVE, instead in state ${status}`,
  );
}

/** One value beyond a constraint, in the words that a service's shapes have for it. */
export function constraintBroken(value: string, constraint: string): AwsError {
  return new AwsError(
    'ValidationException',
    `1 validation error detected: Value${value} failed to satisfy constraint: ${constraint}`,
  );
}

/** What is said of one record that its shard has no capacity for. */
export function rateExceeded(shardId: string, stream: string): string {
  return `Rate exceeded for shard ${shardId} in stream ${stream} under account ${ACCOUNT_ID}.`;
}
