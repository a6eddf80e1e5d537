/** Puts records with several requests in flight, and again those that the server could not take. */
import type { FirehoseClient } from '@aws-sdk/client-firehose';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../exit.ts';
import type { Event } from './flights.ts';

/** As many as the API takes at once. */
export const RECORDS_PER_REQUEST = 500;
const REQUESTS_IN_FLIGHT = 8;
const TRIES_MAX = 10;
const PAUSE_MS_FIRST = 20;
const PAUSE_MS_MAX = 2000;

export interface LoadProgress {
  records: number;
  bytes: number;
  requests: number;
  retriedRecords: number;
  /** Of each request that was answered. */
  readonly latenciesMs: number[];
}

export function noProgress(): LoadProgress {
  return { records: 0, bytes: 0, requests: 0, retriedRecords: 0, latenciesMs: [] };
}

/** Resolves when all are acknowledged; `progress` counts them on the way. */
export async function putAll(
  batches: AsyncIterable<readonly Event[]>,
  put: PutBatch,
  { progress, signal }: { progress: LoadProgress; signal: AbortSignal },
): Promise<void> {
  const source = batches[Symbol.asyncIterator]();
  // When one worker fails the others stop too.
  const failing = new AbortController();
  const either = AbortSignal.any([signal, failing.signal]);
  const worker = async () => {
    while (!either.aborted) {
      const { value: batch, done } = await source.next();
      if (done === true) return;
      await putBatch(batch, put, { progress, signal: either });
    }
  };
  const workers = Array.from({ length: REQUESTS_IN_FLIGHT }, worker);
  try {
    await Promise.all(workers);
  } finally {
    failing.abort();
    await Promise.allSettled(workers);
    await source.return?.();
  }
  signal.throwIfAborted();
}

/** Puts a batch; gives the positions of those that were not taken, and why. */
export type PutBatch = (
  batch: readonly Event[],
  signal: AbortSignal,
) => Promise<{ failed: number[]; reason: string }>;

async function putBatch(
  batch: readonly Event[],
  put: PutBatch,
  { progress, signal }: { progress: LoadProgress; signal: AbortSignal },
): Promise<void> {
  let waiting = batch;
  for (
    let tries = 1, pauseMs = PAUSE_MS_FIRST;
    waiting.length > 0;
    tries++, pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)
  ) {
    const startMs = performance.now();
    const { failed, reason } = await put(waiting, signal);
    progress.latenciesMs.push(performance.now() - startMs);
    progress.requests++;
    const again = new Set(failed);
    for (const [index, { json }] of waiting.entries()) {
      if (again.has(index)) continue;
      progress.records++;
      // Events are ASCII but for the names of some airports, so that this is their size on the wire.
      progress.bytes += json.length;
    }
    if (again.size === 0) return;
    if (tries === TRIES_MAX) {
      throw new CliError(`${again.size} records were refused ${TRIES_MAX} times: ${reason}`, {
        hint: 'Look at "sluice status" and the server\'s log.',
      });
    }
    progress.retriedRecords += again.size;
    waiting = waiting.filter((_, index) => again.has(index));
    await sleep(pauseMs * (0.5 + Math.random() / 2), undefined, { signal });
  }
}

/** The partition key is the origin, so that the flights of one airport keep their order within a request. */
export async function toStream(kinesis: KinesisClient, stream: string): Promise<PutBatch> {
  const { PutRecordsCommand } = await import('@aws-sdk/client-kinesis');
  return async (batch, signal) => {
    const Records = batch.map(({ key, json }) => ({ PartitionKey: key, Data: Buffer.from(json) }));
    const answer = await kinesis.send(new PutRecordsCommand({ StreamName: stream, Records }), {
      abortSignal: signal,
    });
    return failures(answer.FailedRecordCount, answer.Records);
  };
}

export async function toDelivery(firehose: FirehoseClient, delivery: string): Promise<PutBatch> {
  const { PutRecordBatchCommand } = await import('@aws-sdk/client-firehose');
  return async (batch, signal) => {
    const Records = batch.map(({ json }) => ({ Data: Buffer.from(`${json}\n`) }));
    const answer = await firehose.send(new PutRecordBatchCommand({ DeliveryStreamName: delivery, Records }), {
      abortSignal: signal,
    });
    return failures(answer.FailedPutCount, answer.RequestResponses);
  };
}

type Outcome = { readonly ErrorCode?: string | undefined; readonly ErrorMessage?: string | undefined };

function failures(
  count: number | undefined,
  outcomes: readonly Outcome[] = [],
): { failed: number[]; reason: string } {
  if ((count ?? 0) === 0) return { failed: [], reason: '' };
  const failed = [...outcomes.keys()].filter((index) => outcomes[index]?.ErrorCode !== undefined);
  const first = outcomes[failed[0] ?? 0];
  return { failed, reason: `${first?.ErrorCode}: ${first?.ErrorMessage ?? ''}` };
}

/** The `share` (0 … 1) quantile; 0 of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
