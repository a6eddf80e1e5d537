import { fork, type ChildProcess } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import { SqlError } from '../../ports/sql-engine.ts';
import type { EngineSettings, FromWorker, OperationName, Operations, ToWorker } from './protocol.ts';

/** DuckDB blocks threads of this pool while it runs; with four of them, four statements would stop all file I/O. */
const THREAD_POOL_SIZE = 16;
/** How long an operation may go on after it was told to stop, before its process is thrown away. */
const CANCEL_MS_MAX = 5_000;
const START_MS_MAX = 20_000;
/** Of one message, in characters. */
const MESSAGE_SIZE_MAX = 64 * 1_048_576;

interface Pending {
  readonly resolve: (value: never) => void;
  readonly reject: (error: SqlError) => void;
}

/** One life of the process; when it ends, so do its operations, with `engine-died`. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #pending = new Map<number, Pending>();
  readonly #exited = Promise.withResolvers<void>();
  #next = 1;
  #reason: string | undefined;
  #ended = false;

  private constructor(child: ChildProcess, clock: Clock, logger: Logger) {
    this.#child = child;
    this.#clock = clock;
    child.on('message', (message) => this.#receive(message as FromWorker));
    child.on('error', (error) => this.kill(error.message));
    child.on('exit', (code, signal) => this.#exit(logger, { code, signal }));
    // The process goes with this one, so it doesn't keep it alive.
    child.unref();
    child.channel?.unref();
  }

  static async start(settings: EngineSettings, clock: Clock, logger: Logger): Promise<WorkerProcess> {
    // What a life before this one spilled is nobody's.
    await rm(settings.temporaryDirectory, { recursive: true, force: true });
    await mkdir(settings.temporaryDirectory, { recursive: true });
    const child = fork(new URL('./worker/main.ts', import.meta.url), [], {
      // Users' SQL must find no secret in the environment.
      env: { UV_THREADPOOL_SIZE: String(THREAD_POOL_SIZE), TZ: 'UTC' },
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const worker = new WorkerProcess(child, clock, logger);
    const timer = clock.timer(START_MS_MAX, () => worker.kill('it did not start in time'));
    try {
      await worker.call('configure', settings);
      return worker;
    } catch (cause) {
      worker.kill('it could not start');
      throw new SqlError({
        code: 'engine-died',
        message: `QUERY_PROCESS_ENDED: the process for queries could not start: ${String(cause)}`,
        retry: 'backoff',
        cause,
      });
    } finally {
      timer.cancel();
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  call<Name extends OperationName>(
    operation: Name,
    request: Operations[Name]['request'],
    signal?: AbortSignal,
  ): Promise<Operations[Name]['response']> {
    const id = this.#next;
    this.#next += 1;
    const { promise, resolve, reject } = Promise.withResolvers<Operations[Name]['response']>();
    if (this.#ended) {
      reject(this.#death());
      return promise;
    }
    if (signal?.aborted) {
      reject(new SqlError({ code: 'cancelled', message: 'the query was cancelled' }));
      return promise;
    }
    this.#pending.set(id, { resolve, reject });
    this.#child.channel?.ref();
    const settled = signal && this.#cancelOn(signal, id);
    this.#send({ id, operation, request } as ToWorker);
    return promise.finally(() => {
      settled?.();
      this.#pending.delete(id);
      if (this.#pending.size === 0) this.#child.channel?.unref();
    });
  }

  /** The operations that run fail with this reason. */
  kill(reason: string): void {
    this.#reason ??= reason;
    this.#ended = true;
    this.#child.kill('SIGKILL');
  }

  /** Resolves when the process is gone. */
  async close(): Promise<void> {
    this.#child.ref();
    this.kill('the server stopped');
    await this.#exited.promise;
  }

  /** Gives what to call when the operation has ended. */
  #cancelOn(signal: AbortSignal, id: number): () => void {
    let timer: { cancel(): void } | undefined;
    const cancel = (): void => {
      timer = this.#clock.timer(CANCEL_MS_MAX, () => this.kill('a cancelled query did not stop'));
      this.#send({ cancel: id });
    };
    signal.addEventListener('abort', cancel, { once: true });
    return () => {
      signal.removeEventListener('abort', cancel);
      timer?.cancel();
    };
  }

  #send(message: ToWorker): void {
    assert(sizeOf(message) <= MESSAGE_SIZE_MAX, 'a message to the query process is too large');
    this.#child.send(message, (error) => {
      if (error) this.kill(`its channel failed: ${error.message}`);
    });
  }

  #receive(message: FromWorker): void {
    if ('dying' in message) {
      this.#reason ??= message.dying;
      this.#ended = true;
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if ('ok' in message) pending.resolve(message.ok as never);
    else pending.reject(new SqlError(message.error));
  }

  #exit(logger: Logger, how: { code: number | null; signal: NodeJS.Signals | null }): void {
    this.#ended = true;
    this.#exited.resolve();
    const operations = this.#pending.size;
    if (this.#reason !== 'the server stopped') {
      logger.warn(
        { ...how, reason: this.#reason, operations },
        'the query process ended; it is started again when needed',
      );
    }
    for (const { reject } of this.#pending.values()) reject(this.#death());
  }

  #death(): SqlError {
    const reason = this.#reason ?? 'it ended by itself';
    return new SqlError({
      code: 'engine-died',
      message: `QUERY_PROCESS_ENDED: the process that ran the query was ended: ${reason}`,
      retry: 'backoff',
      hint: 'Run the query again; if this happens again, read fewer rows at a time.',
    });
  }
}

function sizeOf(message: ToWorker): number {
  if ('cancel' in message || message.operation === 'configure') return 0;
  const { request } = message;
  const tables = 'tables' in request ? request.tables : [];
  return tables.reduce((sum, table) => sum + ('sql' in table ? table.sql.length : 0), request.sql.length);
}
