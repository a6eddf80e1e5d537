/**
 * Uploads objects whole: small ones by one request, large ones in parts that become visible together.
 *
 * Invariants: a create that reports `created` wrote the object that is there; a create whose reply was lost is
 * recognised by a mark of its own in the object's metadata, never taken for another's; an upload that fails leaves no
 * parts behind unless the service is out of reach.
 */
import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { assert, DeltaError } from '../errors.ts';
import { failureKind } from './failures.ts';
import type { PartSource } from './part-source.ts';
import { type Attempt, type Retrying, retrying } from './retrying.ts';

/** Parts of one upload that S3 takes. */
const PARTS_MAX = 10_000;
/** Times that a multipart upload begins anew because the service says that its condition met a conflict. */
const UPLOADS_MAX = 5;
/** Name, in the object's metadata, of the mark by which an upload knows its own object. */
const MARK = 'sluice-put';

export interface UploadLimits {
  /** Objects above it are uploaded in parts, of at least this size each; at least 5 MiB, as S3 demands. */
  readonly partSizeBytes: number;
  /** Parts of one object that are in memory and on their way at once. */
  readonly partsInFlightMax: number;
}

export interface UploadTarget {
  readonly client: S3Client;
  readonly bucket: string;
  readonly key: string;
  /** Names the object in messages. */
  readonly path: string;
  readonly limits: UploadLimits;
  readonly retrying: Retrying;
}

export interface UploadMode {
  /** Only if there is no object of that name. */
  readonly ifAbsent: boolean;
}

/** The object is durable, whole and visible on return, unless it was there and the mode says `ifAbsent`. */
export async function upload(
  target: UploadTarget,
  source: PartSource,
  mode: UploadMode,
): Promise<'created' | 'exists'> {
  if (source.sizeBytes <= target.limits.partSizeBytes) return uploadWhole(target, source, mode);
  for (let attempt = 1; attempt <= UPLOADS_MAX; attempt += 1) {
    const outcome = await uploadInParts(target, source, mode);
    if (outcome !== 'again') return outcome;
  }
  const message = `can't create "${target.path}": the service reported a conflict ${UPLOADS_MAX} times`;
  throw new DeltaError({ code: 'io', message });
}

async function uploadWhole(
  target: UploadTarget,
  source: PartSource,
  mode: UploadMode,
): Promise<'created' | 'exists'> {
  const mark = randomUUID();
  const body = await source.part(0, source.sizeBytes);
  const request = { what: `write "${target.path}"`, sizeBytes: body.length };
  return retrying(target.retrying, request, async (attempt) => {
    const command = new PutObjectCommand({
      Bucket: target.bucket,
      Key: target.key,
      Body: body,
      ContentLength: body.length,
      ...(mode.ifAbsent ? { IfNoneMatch: '*', Metadata: { [MARK]: mark } } : {}),
    });
    try {
      await target.client.send(command, { abortSignal: attempt.signal });
      return 'created';
    } catch (error) {
      if (failureKind(error) !== 'exists') throw error;
      return (await isOurs(target, { mark, attempt })) ? 'created' : 'exists';
    }
  });
}

/** Whether the object that is there is the one of an earlier attempt, whose reply was lost. */
async function isOurs(target: UploadTarget, of: { mark: string; attempt: Attempt }): Promise<boolean> {
  return of.attempt.mayBeApplied && (await markOf(target, of.attempt)) === of.mark;
}

async function markOf(target: UploadTarget, attempt: Attempt): Promise<string | undefined> {
  const command = new HeadObjectCommand({ Bucket: target.bucket, Key: target.key });
  try {
    const head = await target.client.send(command, { abortSignal: attempt.signal });
    return head.Metadata?.[MARK];
  } catch (error) {
    if (failureKind(error) === 'absent') return undefined;
    throw error;
  }
}

async function uploadInParts(
  target: UploadTarget,
  source: PartSource,
  mode: UploadMode,
): Promise<'created' | 'exists' | 'again'> {
  const mark = randomUUID();
  const at = { Bucket: target.bucket, Key: target.key };
  const request = { what: `write "${target.path}"` };
  const { UploadId } = await retrying(target.retrying, request, ({ signal }) =>
    target.client.send(
      new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm: 'CRC32', Metadata: { [MARK]: mark } }),
      { abortSignal: signal },
    ),
  );
  assert(UploadId !== undefined, 'an upload has an id');
  let outcome: 'created' | 'exists' | 'again' | undefined;
  try {
    const parts = await uploadParts(target, source, UploadId);
    outcome = await complete(target, { UploadId, parts, mark }, mode);
    return outcome;
  } finally {
    if (outcome !== 'created') await abort(target, UploadId);
  }
}

async function uploadParts(
  target: UploadTarget,
  source: PartSource,
  UploadId: string,
): Promise<CompletedPart[]> {
  const { partSizeBytes: least, partsInFlightMax } = target.limits;
  const partSizeBytes = Math.max(least, Math.ceil(source.sizeBytes / PARTS_MAX));
  const count = Math.ceil(source.sizeBytes / partSizeBytes);
  const parts: CompletedPart[] = [];
  const failing = new AbortController();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count && !failing.signal.aborted) {
      const index = next;
      next += 1;
      const offset = index * partSizeBytes;
      const body = await source.part(offset, Math.min(partSizeBytes, source.sizeBytes - offset));
      const request = {
        what: `write part ${index + 1} of ${count} of "${target.path}"`,
        signal: failing.signal,
        // All the parts share the connection's speed.
        sizeBytes: body.length * partsInFlightMax,
      };
      parts[index] = await retrying(target.retrying, request, ({ signal }) =>
        uploadPart(target, { UploadId, PartNumber: index + 1, body }, signal),
      );
    }
  };
  let failure: { error: unknown } | undefined;
  const guarded = (): Promise<void> =>
    worker().catch((error: unknown) => {
      failure ??= { error };
      failing.abort(error);
    });
  await Promise.all(Array.from({ length: Math.min(partsInFlightMax, count) }, guarded));
  if (failure !== undefined) throw failure.error;
  return parts;
}

async function uploadPart(
  target: UploadTarget,
  part: { UploadId: string; PartNumber: number; body: Uint8Array },
  abortSignal: AbortSignal,
): Promise<CompletedPart> {
  const { body, ...ids } = part;
  const sent = await target.client.send(
    new UploadPartCommand({
      Bucket: target.bucket,
      Key: target.key,
      ...ids,
      Body: body,
      ContentLength: body.length,
      ChecksumAlgorithm: 'CRC32',
    }),
    { abortSignal },
  );
  return {
    PartNumber: part.PartNumber,
    ETag: sent.ETag,
    ...(sent.ChecksumCRC32 === undefined ? {} : { ChecksumCRC32: sent.ChecksumCRC32 }),
  };
}

async function complete(
  target: UploadTarget,
  of: { UploadId: string; parts: CompletedPart[]; mark: string },
  mode: UploadMode,
): Promise<'created' | 'exists' | 'again'> {
  return retrying(target.retrying, { what: `write "${target.path}"` }, async (attempt) => {
    const command = new CompleteMultipartUploadCommand({
      Bucket: target.bucket,
      Key: target.key,
      UploadId: of.UploadId,
      MultipartUpload: { Parts: of.parts },
      ...(mode.ifAbsent ? { IfNoneMatch: '*' } : {}),
    });
    try {
      await target.client.send(command, { abortSignal: attempt.signal });
      return 'created';
    } catch (error) {
      const kind = failureKind(error);
      if (kind === 'exists') return (await isOurs(target, { mark: of.mark, attempt })) ? 'created' : 'exists';
      // After a conflict S3 wants the parts again, too.
      if (kind === 'conflict')
        return (await isOurs(target, { mark: of.mark, attempt })) ? 'created' : 'again';
      // The upload is gone: an attempt whose reply was lost has completed it. The object may be another's by now.
      if (kind === 'absent' && attempt.mayBeApplied) {
        if ((await markOf(target, attempt)) === of.mark || !mode.ifAbsent) return 'created';
      }
      throw error;
    }
  });
}

async function abort(target: UploadTarget, UploadId: string): Promise<void> {
  const command = new AbortMultipartUploadCommand({ Bucket: target.bucket, Key: target.key, UploadId });
  await retrying(target.retrying, { what: `give up "${target.path}"` }, ({ signal }) =>
    target.client.send(command, { abortSignal: signal }),
  ).catch(() => undefined);
}
