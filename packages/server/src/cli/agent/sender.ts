/** Batches to a stream or a delivery, until every record of them is taken. */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { FirehoseClient } from '@aws-sdk/client-firehose';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { isNetworkError } from '../clients.ts';
import { messageOf } from '../connection.ts';
import { destinationOf, type FlowConfig } from './config.ts';
import { ONCE_ATTEMPTS_MAX, REQUEST_MS_MAX } from './limits.ts';
import type { FlowMetrics } from './metrics.ts';

export interface Sender {
  /**
   * Resolves when all records are taken, each at least once; sends those again that were not, after a growing pause.
   * Rejects when the signal is aborted, and with `once` when it makes no sense to go on.
   */
  send(records: readonly Buffer[], signal: AbortSignal): Promise<void>;
}

export interface SenderOptions {
  readonly config: FlowConfig;
  readonly clients: { kinesis(): Promise<KinesisClient>; firehose(): Promise<FirehoseClient> };
  readonly metrics: FlowMetrics;
  readonly once: boolean;
  /** Told when a problem comes up or changes, and with undefined when it is over. */
  readonly onProblem: (problem: string | undefined) => void;
}

/** Why each record was not taken; undefined for those that were. */
type Put = (records: readonly Buffer[], signal: AbortSignal) => Promise<(string | undefined)[]>;

export function createSender(options: SenderOptions): Sender {
  const { config, metrics, once, onProblem } = options;
  const put = destinationOf(config).service === 'kinesis' ? kinesisPut(options) : firehosePut(options);

  const tell = (problem: string | undefined): void => {
    if (problem !== metrics.problem) onProblem(problem);
    metrics.problem = problem;
  };

  return {
    async send(records, signal) {
      let left = records;
      for (let failures = 0; ;) {
        const before = left.length;
        try {
          const problems = await put(left, AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS_MAX)]));
          left = left.filter((_, at) => problems[at] !== undefined);
          if (left.length === 0) {
            tell(undefined);
            return;
          }
          tell(problems.find((problem) => problem !== undefined));
        } catch (error) {
          signal.throwIfAborted();
          if (once && !isPassing(error)) throw error;
          tell(messageOf(error) || 'no connection');
          if (once && failures + 1 >= ONCE_ATTEMPTS_MAX) throw error;
        }
        metrics.add('failures', 1);
        metrics.add('retried', left.length);
        failures = left.length < before ? 1 : failures + 1;
        if (once && failures >= ONCE_ATTEMPTS_MAX)
          throw new Error(`${left.length} records are not taken: ${metrics.problem ?? 'unknown'}`);
        await pause(pauseMs(failures, config), undefined, { signal });
      }
    },
  };
}

/** Doubles with each failure, with a random part so that agents don't come together. */
function pauseMs(failures: number, { retryInitialBackoffMillis, retryMaxBackoffMillis }: FlowConfig): number {
  const full = Math.min(retryMaxBackoffMillis, retryInitialBackoffMillis * 2 ** Math.min(failures - 1, 20));
  return full / 2 + (Math.random() * full) / 2;
}

function isPassing(error: unknown): boolean {
  if (isNetworkError(error)) return true;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
  const name = error instanceof Error ? error.name : '';
  return status >= 500 || /Throughput|Throttl|LimitExceeded|Timeout|Abort/.test(name);
}

function kinesisPut({ config, clients }: SenderOptions): Put {
  const keyOf =
    config.partitionKeyOption === 'RANDOM'
      ? () => randomBytes(16).toString('hex')
      : (data: Buffer) => createHash('md5').update(data).digest('hex');
  return async (records, abortSignal) => {
    const { PutRecordsCommand } = await import('@aws-sdk/client-kinesis');
    const Records = records.map((Data) => ({ Data, PartitionKey: keyOf(Data) }));
    const command = new PutRecordsCommand({ StreamName: config.kinesisStream, Records });
    const answer = await (await clients.kinesis()).send(command, { abortSignal });
    return (answer.Records ?? []).map(({ ErrorCode, ErrorMessage }) => problemOf(ErrorCode, ErrorMessage));
  };
}

function firehosePut({ config, clients }: SenderOptions): Put {
  return async (records, abortSignal) => {
    const { PutRecordBatchCommand } = await import('@aws-sdk/client-firehose');
    const command = new PutRecordBatchCommand({
      DeliveryStreamName: config.deliveryStream,
      Records: records.map((Data) => ({ Data })),
    });
    const answer = await (await clients.firehose()).send(command, { abortSignal });
    return (answer.RequestResponses ?? []).map(({ ErrorCode, ErrorMessage }) =>
      problemOf(ErrorCode, ErrorMessage),
    );
  };
}

function problemOf(code: string | undefined, message: string | undefined): string | undefined {
  return code === undefined ? undefined : `${code}: ${message ?? ''}`;
}
