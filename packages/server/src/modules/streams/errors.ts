import { PlatformError, type PlatformErrorOptions } from '../../base/errors.ts';
import type { StreamsError, StreamsErrorCode } from './api.ts';

export function streamsError(options: PlatformErrorOptions<StreamsErrorCode>): StreamsError {
  return new PlatformError(options);
}

export function damaged(where: string, reason: string, cause?: unknown): StreamsError {
  return streamsError({
    code: 'damaged',
    message: `${where} is damaged: ${reason}`,
    hint: 'Restore the file from a copy; records that were acknowledged are in it.',
    cause,
  });
}

export function storageFull(cause: unknown): StreamsError {
  return streamsError({
    code: 'storage-full',
    message: 'the disk of the stream log is full; nothing of the request was acknowledged',
    retry: 'backoff',
    hint: 'Free space on the disk that holds the data directory; the log goes on by itself.',
    cause,
  });
}

export function storageFailed(cause: unknown): StreamsError {
  return streamsError({
    code: 'storage-failed',
    message: 'the disk of the stream log failed; it takes no more records until it is started again',
    retry: 'backoff',
    hint: 'Check the disk and start the process again: it recovers all that was acknowledged.',
    cause,
  });
}

export function isDiskError(error: unknown, code: 'no-space' | 'not-found'): boolean {
  return error instanceof PlatformError && error.code === code;
}

export function streamNotFound(name: string): StreamsError {
  return streamsError({ code: 'stream-not-found', message: `there is no stream "${name}"` });
}

export function shardNotFound(shardId: string): StreamsError {
  return streamsError({ code: 'shard-not-found', message: `there is no shard "${shardId}" any more` });
}

export function streamInUse(name: string, status: string): StreamsError {
  return streamsError({
    code: 'stream-in-use',
    message: `the stream "${name}" is ${status}`,
    retry: 'backoff',
    hint: 'Wait until it is ACTIVE.',
  });
}
