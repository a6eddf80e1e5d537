import { PlatformError } from '../../base/errors.ts';
import type { StreamsErrorCode } from '../../modules/streams/index.ts';
import { AwsError } from '../aws-json/index.ts';

/** How each code of the streams module looks in the protocol. */
const ERRORS: Readonly<Record<StreamsErrorCode, { readonly type: string; readonly status: number }>> = {
  'stream-not-found': { type: 'ResourceNotFoundException', status: 400 },
  'shard-not-found': { type: 'ResourceNotFoundException', status: 400 },
  'stream-exists': { type: 'ResourceInUseException', status: 400 },
  invalid: { type: 'InvalidArgumentException', status: 400 },
  'limit-exceeded': { type: 'LimitExceededException', status: 400 },
  overloaded: { type: 'ProvisionedThroughputExceededException', status: 400 },
  'storage-full': { type: 'ServiceUnavailable', status: 503 },
  'storage-failed': { type: 'InternalFailure', status: 500 },
  damaged: { type: 'InternalFailure', status: 500 },
};

export function mapStreamsError(error: unknown): AwsError | undefined {
  if (!(error instanceof PlatformError) || !(error.code in ERRORS)) return undefined;
  const { type, status } = ERRORS[error.code as StreamsErrorCode];
  return new AwsError(type, error.hint === undefined ? error.message : `${error.message}. ${error.hint}`, status);
}

export const ACCOUNT_ID = '000000000000';

export function streamNotFound(name: string, account = ACCOUNT_ID): AwsError {
  return new AwsError('ResourceNotFoundException', `Stream ${name} under account ${account} not found.`);
}

export function invalid(message: string): AwsError {
  return new AwsError('InvalidArgumentException', message);
}
