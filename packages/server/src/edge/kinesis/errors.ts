import type { StreamsErrorCode } from '../../modules/streams/index.ts';
import { AwsError, errorTable } from '../aws-json/index.ts';

/** How each code of the streams module looks in the protocol. */
export const mapStreamsError = errorTable<StreamsErrorCode>({
  'stream-not-found': { type: 'ResourceNotFoundException' },
  'shard-not-found': { type: 'ResourceNotFoundException' },
  'stream-exists': { type: 'ResourceInUseException' },
  invalid: { type: 'InvalidArgumentException' },
  'limit-exceeded': { type: 'LimitExceededException' },
  overloaded: { type: 'ProvisionedThroughputExceededException' },
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
