/**
 * Objects in a bucket of Amazon S3, or of a service that speaks its protocol.
 *
 * Invariants: nothing is written to a service that has not shown that it honours `If-None-Match: *`; of racing creates
 * one wins; a request is sent a bounded number of times, each of them for a bounded time.
 *
 * Specification: the Amazon S3 API Reference; "How to prevent object overwrites with conditional writes" of the Amazon
 * S3 User Guide.
 */
import { setTimeout as sleepMs } from 'node:timers/promises';
import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3';
import { DeltaError } from '../errors.ts';
import type {
  ByteRange,
  DownloadOptions,
  FileTransfer,
  ListedObject,
  ListOptions,
  ObjectFacts,
  ObjectStore,
} from '../store/object-store.ts';
import { probeConditionalCompletion, probeConditionalPuts } from './conditional-probe.ts';
import { download, factsOf } from './download.ts';
import { failureKind } from './failures.ts';
import { inUtf16Order, startAfterInUtf8 } from './list-order.ts';
import { type PartSource, partsOfBytes, partsOfFile } from './part-source.ts';
import { type Attempt, RETRY_DEFAULTS, type RetryLimits, type Retrying, retrying } from './retrying.ts';
import { upload, type UploadLimits, type UploadTarget } from './upload.ts';

/** Bytes of a key that S3 takes. */
export const KEY_BYTES_MAX = 1024;
/** Objects that one request deletes. */
const DELETES_PER_REQUEST_MAX = 1000;
/** What S3 demands of each part but the last. */
const PART_SIZE_BYTES_MIN = 5 * 1024 * 1024;

const UPLOAD_DEFAULTS: UploadLimits = { partSizeBytes: 16 * 1024 * 1024, partsInFlightMax: 4 };
const CONNECT_MS_MAX = 10_000;
const SOCKETS_MAX = 64;

export interface S3StoreOptions {
  readonly bucket: string;
  /** Above all of the store's paths, with or without a slash at its end; '' (the default) for the bucket's root. */
  readonly prefix?: string;
  /**
   * Region, endpoint, credentials, `forcePathStyle` and the like; what is absent comes from the environment, as with
   * the AWS tools. Retries are the store's own.
   */
  readonly client?: S3ClientConfig;
  readonly limits?: Partial<RetryLimits & UploadLimits>;
  /**
   * `probe` (the default) has the service prove, before the first write, that it honours conditional puts; `trust`
   * spares those requests. A service that ignores the condition loses commits.
   */
  readonly conditionalPuts?: 'probe' | 'trust';
  /** In [0, 1), of the pauses between attempts; default `Math.random`. */
  readonly random?: () => number;
}

/**
 * Writing throws `io`, never to be retried, if the service does not honour conditional puts. `modifiedMs` is in whole
 * seconds. Call `close` when the store is no longer needed.
 */
export class S3Store implements ObjectStore, FileTransfer {
  readonly #client: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #retrying: Retrying;
  readonly #uploads: UploadLimits;
  readonly #trustsConditions: boolean;
  readonly #proofs = new Map<'put' | 'completion', Promise<void>>();

  constructor(options: S3StoreOptions) {
    const { prefix = '', limits = {} } = options;
    this.#client = new S3Client({
      requestHandler: { connectionTimeout: CONNECT_MS_MAX, httpAgent: AGENT, httpsAgent: AGENT },
      ...options.client,
      maxAttempts: 1,
    });
    this.#bucket = options.bucket;
    this.#prefix = prefix === '' || prefix.endsWith('/') ? prefix : `${prefix}/`;
    this.#uploads = { ...UPLOAD_DEFAULTS, ...definedOf(limits) };
    if (this.#uploads.partSizeBytes < PART_SIZE_BYTES_MIN) {
      const message = `partSizeBytes is ${this.#uploads.partSizeBytes}; S3 takes parts from ${PART_SIZE_BYTES_MIN} on`;
      throw new DeltaError({ code: 'io', message, retry: 'never' });
    }
    this.#retrying = {
      limits: { ...RETRY_DEFAULTS, ...definedOf(limits) },
      sleep: (ms, signal) => sleepMs(ms, undefined, signal === undefined ? {} : { signal }),
      random: options.random ?? Math.random,
    };
    this.#trustsConditions = options.conditionalPuts === 'trust';
  }

  /** Closes the connections; requests under way fail. */
  close(): void {
    this.#client.destroy();
  }

  async read(path: string, range?: ByteRange): Promise<Uint8Array> {
    if (range?.length === 0) return this.#nothingOf(path);
    const command = new GetObjectCommand({
      ...this.#at(path),
      ChecksumMode: 'ENABLED',
      ...(range === undefined ? {} : { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
    });
    return this.#send(`read "${path}"`, async ({ signal, progressed }) => {
      try {
        const answer = await this.#client.send(command, { abortSignal: signal });
        const bytes = await collected(answer.Body, progressed);
        if (answer.ContentLength !== undefined && bytes.length !== answer.ContentLength) {
          throw new Error(`the connection ended after ${bytes.length} of ${answer.ContentLength} bytes`);
        }
        // Some services ignore a range and answer with the whole object.
        return range === undefined || answer.ContentRange !== undefined
          ? bytes
          : bytes.subarray(range.offset, range.offset + range.length);
      } catch (error) {
        if (range !== undefined && failureKind(error) === 'range') return new Uint8Array();
        throw error;
      }
    });
  }

  async head(path: string): Promise<ObjectFacts | undefined> {
    const command = new HeadObjectCommand(this.#at(path));
    return this.#send(`look up "${path}"`, async ({ signal }) => {
      try {
        return factsOf(await this.#client.send(command, { abortSignal: signal }));
      } catch (error) {
        if (failureKind(error) === 'absent') return undefined;
        throw error;
      }
    });
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#upload(path, partsOfBytes(bytes), { ifAbsent: true });
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#upload(path, partsOfBytes(bytes), { ifAbsent: false });
  }

  async putFile(path: string, file: string): Promise<void> {
    const source = await partsOfFile(file);
    try {
      await this.#upload(path, source, { ifAbsent: false });
    } finally {
      await source.close();
    }
  }

  async download(path: string, file: string, options: DownloadOptions = {}): Promise<ObjectFacts> {
    const source = {
      client: this.#client,
      bucket: this.#bucket,
      key: this.#keyOf(path),
      path,
      retrying: this.#retrying,
    };
    return download(source, file, options);
  }

  list(prefix: string, options: ListOptions = {}): AsyncIterable<ListedObject> {
    return inUtf16Order(this.#listed(prefix, options.startAfter ?? ''));
  }

  async delete(path: string): Promise<void> {
    const command = new DeleteObjectCommand(this.#at(path));
    await this.#send(`delete "${path}"`, async ({ signal }) => {
      try {
        await this.#client.send(command, { abortSignal: signal });
      } catch (error) {
        if (failureKind(error) !== 'absent') throw error;
      }
    });
  }

  async deleteMany(paths: readonly string[]): Promise<void> {
    // The request is XML, which has no way to say these.
    const unspeakable = paths.filter((path) => UNSPEAKABLE_IN_XML.test(path));
    for (const path of unspeakable) await this.delete(path);
    const rest = paths.filter((path) => !UNSPEAKABLE_IN_XML.test(path));
    for (let at = 0; at < rest.length; at += DELETES_PER_REQUEST_MAX) {
      await this.#deleteBatch(rest.slice(at, at + DELETES_PER_REQUEST_MAX));
    }
  }

  /** Repeats what the service could not delete; what it won't delete fails the whole. */
  async #deleteBatch(paths: readonly string[]): Promise<void> {
    let keys = paths.map((path) => this.#keyOf(path));
    await this.#send(`delete ${paths.length} objects`, async ({ signal }) => {
      const command = new DeleteObjectsCommand({
        Bucket: this.#bucket,
        Delete: { Objects: keys.map((Key) => ({ Key })), Quiet: true },
      });
      const { Errors = [] } = await this.#client.send(command, { abortSignal: signal });
      const failed = Errors.filter((failure) => failure.Code !== 'NoSuchKey');
      keys = failed.flatMap((failure) => failure.Key ?? []);
      const [first] = failed;
      if (first === undefined) return;
      const failure = new Error(`${failed.length} are left; "${first.Key}": ${first.Code} ${first.Message}`);
      // By its name, whether to try again is decided as of a whole request.
      failure.name = first.Code ?? 'InternalError';
      if (failure.name === 'AccessDenied') {
        throw new DeltaError({ code: 'io', message: failure.message, retry: 'never', cause: failure });
      }
      throw failure;
    });
  }

  async *#listed(prefix: string, startAfter: string): AsyncIterable<ListedObject> {
    let token: string | undefined;
    const after = startAfterInUtf8(startAfter);
    const request = {
      Bucket: this.#bucket,
      Prefix: this.#keyOf(prefix),
      EncodingType: 'url' as const,
      ...(after === '' ? {} : { StartAfter: this.#keyOf(after) }),
    };
    do {
      const command = new ListObjectsV2Command({
        ...request,
        ...(token === undefined ? {} : { ContinuationToken: token }),
      });
      const page: ListObjectsV2CommandOutput = await this.#send(`list "${prefix}"`, ({ signal }) =>
        this.#client.send(command, { abortSignal: signal }),
      );
      for (const object of page.Contents ?? []) {
        const path = this.#pathOf(decodedKey(object.Key ?? '', page.EncodingType));
        if (path > startAfter) yield { path, ...factsOf({ ...object, ContentLength: object.Size }) };
      }
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (token !== undefined);
  }

  async #upload(
    path: string,
    source: PartSource,
    mode: { ifAbsent: boolean },
  ): Promise<'created' | 'exists'> {
    const { Bucket: bucket, Key: key } = this.#at(path);
    const isInParts = source.sizeBytes > this.#uploads.partSizeBytes;
    await this.#assertConditions('put');
    if (mode.ifAbsent && isInParts) await this.#assertConditions('completion');
    const target: UploadTarget = {
      client: this.#client,
      bucket,
      key,
      path,
      limits: this.#uploads,
      retrying: this.#retrying,
    };
    return upload(target, source, mode);
  }

  /** One proof at a time and of a kind; one that could not be had is asked for again. */
  async #assertConditions(kind: 'put' | 'completion'): Promise<void> {
    if (this.#trustsConditions) return;
    let proof = this.#proofs.get(kind);
    if (proof === undefined) {
      const target = {
        client: this.#client,
        bucket: this.#bucket,
        prefix: this.#prefix,
        retrying: this.#retrying,
      };
      proof = kind === 'put' ? probeConditionalPuts(target) : probeConditionalCompletion(target);
      this.#proofs.set(kind, proof);
      proof.catch((error: unknown) => {
        if (!(error instanceof DeltaError) || error.retry !== 'never') this.#proofs.delete(kind);
      });
    }
    await proof;
  }

  async #nothingOf(path: string): Promise<Uint8Array> {
    if ((await this.head(path)) !== undefined) return new Uint8Array();
    throw new DeltaError({ code: 'not-found', message: `"${path}" does not exist` });
  }

  #send<Result>(what: string, attempt: (attempt: Attempt) => Promise<Result>): Promise<Result> {
    return retrying(this.#retrying, { what }, attempt);
  }

  #at(path: string): { Bucket: string; Key: string } {
    if (path === '')
      throw new DeltaError({ code: 'io', message: "an object's path is not empty", retry: 'never' });
    return { Bucket: this.#bucket, Key: this.#keyOf(path) };
  }

  #keyOf(path: string): string {
    const key = this.#prefix + path;
    if (!key.isWellFormed()) {
      const message = `${JSON.stringify(key)} can't be a key: it is no well-formed Unicode`;
      throw new DeltaError({ code: 'io', message, retry: 'never' });
    }
    if (Buffer.byteLength(key) > KEY_BYTES_MAX) {
      const message = `"${key}" can't be a key: it is longer than ${KEY_BYTES_MAX} bytes`;
      throw new DeltaError({ code: 'io', message, retry: 'never' });
    }
    return key;
  }

  #pathOf(key: string): string {
    return key.slice(this.#prefix.length);
  }
}

/** Characters that XML 1.0 can't hold, or changes. */
// eslint-disable-next-line no-control-regex -- They are what it is about.
const UNSPEAKABLE_IN_XML = /[\u0000-\u001F\uFFFE\uFFFF]/;

const AGENT = { maxSockets: SOCKETS_MAX, keepAlive: true };

async function collected(body: unknown, progressed: () => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
    progressed();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decodedKey(key: string, encoding: string | undefined): string {
  return encoding === 'url' ? decodeURIComponent(key.replaceAll('+', ' ')) : key;
}

function definedOf<Value extends object>(value: Value): Value {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
}
