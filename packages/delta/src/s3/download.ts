/** Brings an object's bytes to a local file; a torn connection goes on where it ended, of the same object. */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { GetObjectCommand, type GetObjectCommandOutput, type S3Client } from '@aws-sdk/client-s3';
import { DeltaError } from '../errors.ts';
import type { DownloadOptions, ObjectFacts } from '../store/object-store.ts';
import { failureKind, storeError } from './failures.ts';
import { type Attempt, type Retrying, retrying } from './retrying.ts';

export interface DownloadSource {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  /** Names the object in messages. */
  readonly path: string;
  readonly retrying: Retrying;
}

/** What is known of the object and what has been written of it. */
interface Progress {
  facts: ObjectFacts | undefined;
  checksum: string | undefined;
  writtenBytes: number;
  crc: number;
}

/**
 * Writes the object to a new file, with the object's length and, where the service knows one, its CRC-32 checked. The
 * file is not synced; after a failure it is left in part. Throws `not-found`, `no-space` and `io`, and the signal's
 * reason.
 */
export async function download(
  source: DownloadSource,
  file: string,
  { signal }: DownloadOptions = {},
): Promise<ObjectFacts> {
  const what = `read "${source.path}"`;
  const handle = await open(file, 'wx').catch((cause: unknown) => {
    throw diskError(file, cause);
  });
  try {
    const progress: Progress = { facts: undefined, checksum: undefined, writtenBytes: 0, crc: 0 };
    const write = async (bytes: Uint8Array): Promise<void> => {
      for (let at = 0; at < bytes.length;) {
        const position = progress.writtenBytes + at;
        const written = await handle.write(bytes, at, bytes.length - at, position).catch((cause: unknown) => {
          throw diskError(file, cause);
        });
        at += written.bytesWritten;
      }
      progress.writtenBytes += bytes.length;
      progress.crc = crc32(bytes, progress.crc);
    };
    return await retrying(source.retrying, { what, signal }, async (attempt) => {
      await resume(source, progress, { attempt, write });
      const { facts } = progress;
      if (facts === undefined || progress.writtenBytes < facts.sizeBytes) {
        throw new Error(`the connection ended after ${progress.writtenBytes} of ${facts?.sizeBytes} bytes`);
      }
      if (isDamaged(progress)) {
        Object.assign(progress, { facts: undefined, writtenBytes: 0, crc: 0 });
        await handle.truncate(0);
        throw new Error('the bytes were damaged on their way: their checksum or length is another one');
      }
      return facts;
    });
  } finally {
    await handle.close();
  }
}

async function resume(
  source: DownloadSource,
  progress: Progress,
  { attempt, write }: { attempt: Attempt; write: (bytes: Uint8Array) => Promise<void> },
): Promise<void> {
  const { facts, writtenBytes: from } = progress;
  if (facts !== undefined && from === facts.sizeBytes) return;
  const command = new GetObjectCommand({
    Bucket: source.bucket,
    Key: source.key,
    ...(from === 0 ? { ChecksumMode: 'ENABLED' } : { Range: `bytes=${from}-` }),
    ...(facts?.etag === undefined ? {} : { IfMatch: facts.etag }),
  });
  const answer = await source.client
    .send(command, { abortSignal: attempt.signal })
    .catch((error: unknown) => {
      throw failureKind(error) === 'exists' ? changed(source) : error;
    });
  if (from === 0) {
    progress.facts = factsOf(answer);
    progress.checksum = wholeChecksum(answer);
  } else if (!answer.ContentRange?.startsWith(`bytes ${from}-`)) {
    const message = `can't read "${source.path}": the service does not answer with the range asked for`;
    throw new DeltaError({ code: 'io', message, retry: 'never' });
  }
  if (answer.Body === undefined) return;
  for await (const chunk of answer.Body as unknown as AsyncIterable<Uint8Array>) {
    attempt.progressed();
    await write(chunk);
  }
}

function isDamaged({ facts, checksum, writtenBytes, crc }: Progress): boolean {
  return writtenBytes !== facts?.sizeBytes || (checksum !== undefined && checksum !== base64Of(crc));
}

/** CRC-32 of the whole object, as base64; undefined if the service has none, or one of its parts' checksums. */
function wholeChecksum(answer: GetObjectCommandOutput): string | undefined {
  const isWhole = answer.ChecksumType === undefined || answer.ChecksumType === 'FULL_OBJECT';
  return isWhole && answer.ChecksumCRC32?.includes('-') === false ? answer.ChecksumCRC32 : undefined;
}

function base64Of(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc);
  return bytes.toString('base64');
}

/** Size and time of an answer about a whole object. Times are cut to seconds: some answers of a service know more digits than others. */
export function factsOf(answer: {
  ContentLength?: number | undefined;
  LastModified?: Date | undefined;
  ETag?: string | undefined;
}): ObjectFacts {
  return {
    sizeBytes: answer.ContentLength ?? 0,
    modifiedMs: Math.floor((answer.LastModified?.getTime() ?? 0) / 1000) * 1000,
    ...(answer.ETag === undefined ? {} : { etag: answer.ETag }),
  };
}

function changed(source: DownloadSource): DeltaError {
  const message = `"${source.path}" was replaced while it was read`;
  return new DeltaError({ code: 'io', message });
}

function diskError(file: string, cause: unknown): DeltaError {
  const errno = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    const message = `can't write the file "${file}": no space is left`;
    return new DeltaError({ code: 'no-space', message, hint: 'Free space, then try again.', cause });
  }
  return storeError(
    `write the file "${file}"`,
    new DeltaError({ code: 'io', message: String(cause), cause }),
  );
}
