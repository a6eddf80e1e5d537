/**
 * Whether a service honours `If-None-Match: *`. A service that ignores it would let a commit overwrite another one, so
 * it is asked before anything is written.
 *
 * The probe has a few requests race to create one object; exactly one must win, and one more after them must lose. It
 * proves a service unfit; it can't prove that one is fit under every load, or over several endpoints.
 */
import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { DeltaError } from '../errors.ts';
import { failureKind } from './failures.ts';
import { type Retrying, retrying } from './retrying.ts';

/** Requests that race. */
export const PROBE_WRITERS = 8;

/** Where the probe's objects are for a moment: a name that readers of tables ignore. */
const PROBE_DIRECTORY = '_sluice_probe/';

export interface ProbeTarget {
  readonly client: S3Client;
  readonly bucket: string;
  readonly prefix: string;
  readonly retrying: Retrying;
}

/** Throws `io` (never to be retried) if the service can't be trusted with puts. */
export async function probeConditionalPuts(target: ProbeTarget): Promise<void> {
  await withProbeObject(target, async (Key) => {
    const put = (): Promise<Answer> =>
      ask(target, (abortSignal) =>
        target.client.send(
          new PutObjectCommand({ Bucket: target.bucket, Key, Body: Buffer.from('probe'), IfNoneMatch: '*' }),
          { abortSignal },
        ),
      );
    const answers = await Promise.all(Array.from({ length: PROBE_WRITERS }, put));
    const last = await put();
    const won = answers.filter((answer) => answer === 'done').length;
    if (answers.includes('unknown-condition') || last === 'unknown-condition') {
      throw unfit(target, 'it does not know conditional puts');
    }
    if (last === 'done') throw unfit(target, 'it ignores the condition of a put');
    // None is fine: the reply of the winner may have been lost.
    if (won > 1) throw unfit(target, `${won} of ${PROBE_WRITERS} racing puts were told that they won`);
  });
}

/** The same of the completion of a multipart upload. */
export async function probeConditionalCompletion(target: ProbeTarget): Promise<void> {
  await withProbeObject(target, async (Key) => {
    const { client } = target;
    const at = { Bucket: target.bucket, Key };
    const request = { what: `try conditional puts in the bucket "${target.bucket}"` };
    const send = <Result>(action: (abortSignal: AbortSignal) => Promise<Result>): Promise<Result> =>
      retrying(target.retrying, request, ({ signal }) => action(signal));
    await send((abortSignal) =>
      client.send(new PutObjectCommand({ ...at, Body: Buffer.from('probe') }), { abortSignal }),
    );
    const { UploadId } = await send((abortSignal) =>
      client.send(new CreateMultipartUploadCommand(at), { abortSignal }),
    );
    const { ETag } = await send((abortSignal) =>
      client.send(new UploadPartCommand({ ...at, UploadId, PartNumber: 1, Body: Buffer.from('part') }), {
        abortSignal,
      }),
    );
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
    const answer = await ask(target, (abortSignal) =>
      client.send(
        new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload, IfNoneMatch: '*' }),
        {
          abortSignal,
        },
      ),
    );
    if (answer === 'exists') {
      await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => undefined);
      return;
    }
    throw unfit(target, 'it ignores the condition when it completes a multipart upload');
  });
}

type Answer = 'done' | 'exists' | 'unknown-condition';

async function ask(
  target: ProbeTarget,
  action: (abortSignal: AbortSignal) => Promise<unknown>,
): Promise<Answer> {
  const request = { what: `try conditional puts in the bucket "${target.bucket}"` };
  return retrying(target.retrying, request, async ({ signal }): Promise<Answer> => {
    try {
      await action(signal);
      return 'done';
    } catch (error) {
      const kind = failureKind(error);
      if (kind === 'exists') return 'exists';
      if (kind === 'unsupported') return 'unknown-condition';
      throw error;
    }
  });
}

async function withProbeObject(target: ProbeTarget, task: (key: string) => Promise<void>): Promise<void> {
  const key = `${target.prefix}${PROBE_DIRECTORY}${randomUUID()}`;
  try {
    await task(key);
  } finally {
    // What can't be removed harms nothing.
    await target.client
      .send(new DeleteObjectCommand({ Bucket: target.bucket, Key: key }))
      .catch(() => undefined);
  }
}

function unfit(target: ProbeTarget, why: string): DeltaError {
  return new DeltaError({
    code: 'io',
    retry: 'never',
    message: `the service of the bucket "${target.bucket}" can't keep tables that are written to: ${why}`,
    hint: 'Use a service with atomic conditional puts (If-None-Match), such as Amazon S3; reading works with any.',
  });
}
