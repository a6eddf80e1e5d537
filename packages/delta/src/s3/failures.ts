/** What a failed request to an S3-compatible service means. */
import { S3ServiceException } from '@aws-sdk/client-s3';
import { DeltaError, messageOf } from '../errors.ts';

/**
 * - `absent`: no such object, or no such upload.
 * - `exists`: the condition "unless it is there" did not hold (412).
 * - `conflict`: the service wants a conditional request to be sent again (409).
 * - `range`: the range begins after the object's end (416).
 * - `unsupported`: the service does not know what was asked for.
 * - `full`: the service has no space, or the account's quota is used up.
 * - `throttled`: refused for now, without effect as far as one can know.
 * - `passing`: the connection or the service failed; the request may have had its effect.
 * - `refused`: the same again would fail the same way: credentials, permissions, a bucket that is absent.
 */
export type FailureKind =
  | 'absent'
  | 'exists'
  | 'conflict'
  | 'range'
  | 'unsupported'
  | 'full'
  | 'throttled'
  | 'passing'
  | 'refused';

const KIND_BY_NAME: Readonly<Record<string, FailureKind>> = {
  NoSuchKey: 'absent',
  NotFound: 'absent',
  NoSuchUpload: 'absent',
  NoSuchBucket: 'refused',
  PreconditionFailed: 'exists',
  ConditionalRequestConflict: 'conflict',
  OperationAborted: 'conflict',
  InvalidRange: 'range',
  NotImplemented: 'unsupported',
  QuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  XMinioBucketQuotaExceeded: 'full',
  SlowDown: 'throttled',
  SlowDownRead: 'throttled',
  SlowDownWrite: 'throttled',
  Throttling: 'throttled',
  ThrottlingException: 'throttled',
  TooManyRequests: 'throttled',
  RequestLimitExceeded: 'throttled',
  BandwidthLimitExceeded: 'throttled',
  ServiceUnavailable: 'throttled',
  RequestTimeout: 'passing',
  InternalError: 'passing',
  // The client corrects its clock by the service's answer; the next request is dated right.
  RequestTimeTooSkewed: 'passing',
  // Bytes were damaged on their way.
  BadDigest: 'passing',
  XAmzContentChecksumMismatch: 'passing',
  IncompleteBody: 'passing',
  CredentialsProviderError: 'refused',
  TokenProviderError: 'refused',
};

const KIND_BY_STATUS: Readonly<Record<number, FailureKind>> = {
  404: 'absent',
  409: 'conflict',
  412: 'exists',
  416: 'range',
  408: 'passing',
  429: 'throttled',
  500: 'passing',
  501: 'unsupported',
  502: 'passing',
  503: 'throttled',
  504: 'passing',
  507: 'full',
};

export function failureKind(error: unknown): FailureKind {
  const byName = error instanceof Error ? KIND_BY_NAME[error.name] : undefined;
  if (byName !== undefined) return byName;
  if (!(error instanceof S3ServiceException)) return 'passing';
  const status = error.$metadata.httpStatusCode;
  if (status === undefined || status < 300) return 'passing';
  return KIND_BY_STATUS[status] ?? (status >= 500 ? 'passing' : 'refused');
}

/** Whether a request that failed so is worth sending again. */
export function isWorthRetrying(kind: FailureKind): boolean {
  return kind === 'throttled' || kind === 'passing' || kind === 'conflict';
}

/** The failure as this library's error; `what` such as `read "a/b"`. */
export function storeError(what: string, error: unknown): DeltaError {
  if (error instanceof DeltaError) return error;
  const kind = failureKind(error);
  if (kind === 'absent') {
    return new DeltaError({ code: 'not-found', message: `can't ${what}: it does not exist`, cause: error });
  }
  const message = `can't ${what}: ${describe(error)}`;
  if (kind === 'full') {
    return new DeltaError({ code: 'no-space', message, hint: 'Free space, then try again.', cause: error });
  }
  if (kind === 'refused' || kind === 'unsupported') {
    const hint = 'Check the bucket, the region, the credentials and their permissions.';
    return new DeltaError({ code: 'io', message, retry: 'never', hint, cause: error });
  }
  return new DeltaError({ code: 'io', message, cause: error });
}

function describe(error: unknown): string {
  if (!(error instanceof S3ServiceException)) return messageOf(error);
  const status = error.$metadata.httpStatusCode;
  return `${error.name}${status === undefined ? '' : ` (HTTP ${status})`}: ${error.message}`;
}
