/**
 * The RowWriter in a worker thread, and the same handler without one. Parsing, casting and writing the temporary files
 * happen in the thread; the caller's thread only copies bytes into buffers that are handed over.
 */
import { Worker } from 'node:worker_threads';
import { BatchHandler } from '../../modules/delivery/index.ts';
import { PlatformError } from '../../base/errors.ts';
import type { RowBatch, RowWriter, SealedRows } from '../../ports/row-writer.ts';
import { batchFilesIn, clearBatchFiles } from './files.ts';
import { packRuns, transfersOf, type FromWorker, type ToWorker } from './protocol.ts';

export type RowWriterErrorCode = 'storage-full' | 'failed' | 'stopped';
export class RowWriterError extends PlatformError<RowWriterErrorCode> {}

export interface RowWriterOptions {
  /** For temporary files; created when it is absent, cleared of stale ones. */
  readonly directory: string;
}

/** Starts its thread with the first batch; a thread that died is replaced by the next one. */
export function createWorkerRowWriter({ directory }: RowWriterOptions): RowWriter {
  clearBatchFiles(directory);
  const pending = new Map<number, { settle: (answer: FromWorker) => void; thread: Worker }>();
  let worker: Worker | undefined;
  let closed = false;
  let [batches, calls] = [0, 0];

  const start = (): Worker => {
    const thread = new Worker(new URL('worker.ts', import.meta.url), { workerData: { directory } });
    thread.unref();
    const failAll = (message: string): void => {
      if (worker === thread) worker = undefined;
      for (const [call, waiting] of pending) {
        if (waiting.thread !== thread) continue;
        pending.delete(call);
        waiting.settle({ call, ok: false, message, code: 'stopped' });
      }
    };
    thread.on('message', (answer: FromWorker) => {
      const waiting = pending.get(answer.call);
      pending.delete(answer.call);
      waiting?.settle(answer);
    });
    thread.on('error', (error) => failAll(error instanceof Error ? error.message : String(error)));
    thread.on('exit', () => failAll("the row writer's thread ended"));
    return thread;
  };

  const ask = async (
    thread: Worker,
    message: ToWorker & { call: number },
  ): Promise<SealedRows | undefined> => {
    if (thread !== worker) throw stopped("the row writer's thread was replaced");
    const { promise, resolve } = Promise.withResolvers<FromWorker>();
    pending.set(message.call, { settle: resolve, thread });
    thread.postMessage(message, message.op === 'add' ? transfersOf(message.runs) : []);
    const answer = await promise;
    if (answer.ok) return answer.sealed;
    throw answer.code === 'stopped' ? stopped(answer.message) : failure(answer.message, answer.code);
  };

  return {
    open(request) {
      if (closed) return deadBatch();
      const thread = (worker ??= start());
      const batch = ++batches;
      thread.postMessage({ op: 'open', batch, request } satisfies ToWorker);
      return {
        async add(runs) {
          await ask(thread, { op: 'add', batch, call: ++calls, runs: packRuns(runs) });
        },
        async seal() {
          const sealed = await ask(thread, { op: 'seal', batch, call: ++calls });
          if (sealed === undefined) throw stopped('the row writer gave no answer');
          return sealed;
        },
        async discard() {
          // A thread that ended leaves its files to the end of the writer, or to the next start.
          await ask(thread, { op: 'discard', batch, call: ++calls }).catch(() => {});
        },
      };
    },
    async close() {
      closed = true;
      await worker?.terminate();
      clearBatchFiles(directory);
    },
  };
}

/** Runs in the caller's thread: for tests and simulations, where one thread makes the order repeatable. */
export function createInlineRowWriter({ directory }: RowWriterOptions): RowWriter {
  clearBatchFiles(directory);
  const handler = new BatchHandler(batchFilesIn(directory));
  let closed = false;
  let batches = 0;
  // oxlint-disable-next-line typescript/require-await
  const run = async <Result>(work: () => Result): Promise<Result> => {
    try {
      return work();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
      throw failure(error instanceof Error ? error.message : String(error), code);
    }
  };
  return {
    open(request): RowBatch {
      if (closed) return deadBatch();
      const batch = ++batches;
      let failed: unknown;
      try {
        handler.open(batch, request);
      } catch (error) {
        failed = error;
      }
      const use = <Result>(work: () => Result): Promise<Result> =>
        run(() => {
          if (failed !== undefined) throw failed;
          return work();
        });
      return {
        add: (runs) => use(() => handler.add(batch, runs)),
        seal: () => use(() => handler.seal(batch)),
        discard: () => run(() => handler.discard(batch)),
      };
    },
    // oxlint-disable-next-line typescript/require-await
    async close() {
      closed = true;
      handler.close();
    },
  };
}

function deadBatch(): RowBatch {
  const refuse = (): Promise<never> => Promise.reject(stopped('the row writer is closed'));
  return { add: refuse, seal: refuse, discard: () => Promise.resolve() };
}

function stopped(message: string): RowWriterError {
  return new RowWriterError({ code: 'stopped', message, retry: 'backoff' });
}

function failure(message: string, code: string | undefined): RowWriterError {
  if (code !== 'ENOSPC' && code !== 'EDQUOT')
    return new RowWriterError({ code: 'failed', message, retry: 'backoff' });
  return new RowWriterError({
    code: 'storage-full',
    message: `there is no space for the temporary files of a delivery: ${message}`,
    retry: 'backoff',
    hint: 'Free space on the disk of the data directory; delivery goes on by itself.',
  });
}
