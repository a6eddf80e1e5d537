/**
 * Queries: queue, plan, run, keep.
 *
 * Q1 An execution that `start` gave an id for is in the store until its end is, so a crash makes it FAILED.
 * Q2 A SUCCEEDED execution has its whole result on disk: a small one in its own row of the store, so that one sync
 *    makes both durable, a larger one in its file, synced before.
 * Q3 All references of a query to one table see one version, which the execution names.
 * Q4 User's text reaches the engine only after its analysis, and sees only views of tables that it names.
 */
import { join } from 'node:path';
import { PlatformError } from '../../base/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import type { Random } from '../../ports/random.ts';
import {
  SqlError,
  type SmallResult,
  type SqlEngine,
  type StatementAnalysis,
  type WrittenResult,
} from '../../ports/sql-engine.ts';
import type { Catalog } from '../catalog/index.ts';
import type { Query, QueryExecution, QueryState, ResultPage, StartQuery } from './api.ts';
import { answerFromCatalog } from './catalog-statements.ts';
import { CATALOG_NAMES, classify, type Statement } from './core/statement.ts';
import { decodeToken, encodeToken } from './core/tokens.ts';
import { QueryError } from './errors.ts';
import { createQueryMetrics, type QueryMetrics } from './metrics.ts';
import { plan } from './planning.ts';
import { ExecutionStore, PAGE_MAX, type StoredExecution } from './store.ts';

export interface QueryLimits {
  readonly runningMax: number;
  /** Waiting beside those that run; more are refused with `too-many-queued`. */
  readonly queuedMax: number;
  readonly sqlBytesMax: number;
  readonly resultBytesMax: number;
  /** Results of up to this size are kept beside their execution, larger ones in a synced file. */
  readonly smallResultBytesMax: number;
  /** From the start of the run to its end. */
  readonly runMsMax: number;
  readonly pageRowsMax: number;
  readonly pageBytesMax: number;
}

const DEFAULT_QUERY_LIMITS: QueryLimits = {
  runningMax: 4,
  queuedMax: 200,
  sqlBytesMax: 262_144,
  resultBytesMax: 10 * 1_073_741_824,
  smallResultBytesMax: 16_384,
  runMsMax: 30 * 60_000,
  pageRowsMax: 1_000,
  pageBytesMax: 8 * 1_048_576,
};

export interface QueryOptions {
  readonly meta: MetaStore;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly random: Random;
  readonly engine: SqlEngine;
  /** Absolute; exists. */
  readonly resultsDirectory: string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly limits?: Partial<QueryLimits>;
}

/** Applies the migrations and ends executions that a former process left open. The engine stays the caller's to close. */
export async function createQuery(options: QueryOptions): Promise<Query> {
  const service = new Queries(options, await ExecutionStore.open(options.meta));
  await service.recover();
  return service;
}

type Ending = { readonly state: 'FAILED' | 'CANCELLED'; readonly reason: string };

interface Live {
  execution: StoredExecution;
  readonly statement: Statement;
  readonly abort: AbortController;
  readonly ended: PromiseWithResolvers<QueryExecution>;
  /** Begun before the execution was durable, for one that has not to wait; rejects with what the run reports. */
  readonly analysis: Promise<StatementAnalysis> | undefined;
  /** What an abort was for. */
  ending?: Ending;
}

const CANCELLED: Ending = { state: 'CANCELLED', reason: 'Query cancelled by user' };
const INTERRUPTED = 'The server stopped while the query was queued or running; run it again.';

class Queries implements Query {
  readonly #options: QueryOptions;
  readonly #limits: QueryLimits;
  readonly #store: ExecutionStore;
  readonly #metrics: QueryMetrics;
  readonly #live = new Map<string, Live>();
  readonly #queue: Live[] = [];
  #running = 0;
  #starting = 0;
  #closed = false;

  constructor(options: QueryOptions, store: ExecutionStore) {
    this.#options = options;
    this.#limits = { ...DEFAULT_QUERY_LIMITS, ...options.limits };
    this.#store = store;
    this.#metrics = createQueryMetrics(options.metrics);
  }

  async recover(): Promise<void> {
    const now = this.#options.clock.nowMs();
    for (const execution of await this.#store.unfinished()) {
      await this.#options.engine.removeResult(this.#resultFile(execution.id));
      await this.#store.save({ ...execution, state: 'FAILED', reason: INTERRUPTED, endedMs: now });
    }
  }

  async start({ sql, principal, database, clientRequestToken }: StartQuery): Promise<string> {
    this.#admit(sql);
    const statement = classify(sql);
    const execution: StoredExecution = {
      id: this.#options.random.uuid(),
      sql,
      ...(database !== undefined && { database: database.toLowerCase() }),
      state: 'QUEUED',
      statementType: statement.kind === 'query' ? statement.type : 'UTILITY',
      submittedMs: this.#options.clock.nowMs(),
      bytesScanned: 0,
      engineMs: 0,
      planningMs: 0,
      tables: [],
    };
    const caller = {
      account: principal.accountId,
      ...(clientRequestToken !== undefined && { token: clientRequestToken }),
    };
    const abort = new AbortController();
    // The query process reads the text while this one waits for the disk.
    const analysis =
      statement.kind === 'query' && this.#running + this.#starting < this.#limits.runningMax
        ? this.#analyse(statement.sql, abort.signal)
        : undefined;
    this.#starting += 1;
    const known = await this.#store
      .add(execution, caller)
      .catch((error: unknown) => {
        abort.abort();
        throw error;
      })
      .finally(() => (this.#starting -= 1));
    if (known) {
      abort.abort();
      if (known.sql === sql && known.database === execution.database) return known.id;
      throw new QueryError({
        code: 'invalid',
        message: `the client request token ${JSON.stringify(clientRequestToken)} was used for another query`,
        hint: 'Take a new token for each query, and the same one only to repeat a request.',
      });
    }
    const live: Live = { execution, statement, abort, analysis, ended: Promise.withResolvers() };
    this.#live.set(execution.id, live);
    this.#queue.push(live);
    if (this.#closed) this.#failQueued({ state: 'FAILED', reason: INTERRUPTED });
    this.#pump();
    return execution.id;
  }

  async execution(id: string): Promise<QueryExecution> {
    const execution = this.#live.get(id)?.execution ?? (await this.#store.get(id));
    if (!execution) throw notFound(id);
    return this.#shown(execution);
  }

  async list({
    token,
    limit,
  }: {
    token?: string;
    limit: number;
  }): Promise<{ ids: readonly string[]; next?: string }> {
    const before = token === undefined ? Number.MAX_SAFE_INTEGER : decodeToken('executions', token);
    const { ids, next } = await this.#store.list(before, Math.min(limit, PAGE_MAX));
    return { ids, ...(next !== undefined && { next: encodeToken('executions', next) }) };
  }

  async stop(id: string): Promise<void> {
    const live = this.#live.get(id);
    if (!live) {
      await this.execution(id);
      return;
    }
    const place = this.#queue.indexOf(live);
    if (place < 0) return this.#abort(live, CANCELLED);
    this.#queue.splice(place, 1);
    await this.#end(live, CANCELLED);
  }

  async results(id: string, page: { token?: string; limit: number }): Promise<ResultPage> {
    const execution = await this.execution(id);
    if (execution.state !== 'SUCCEEDED') {
      throw new QueryError({
        code: 'not-succeeded',
        message: `the query ${id} is ${execution.state}${execution.reason === undefined ? '' : `: ${execution.reason}`}`,
        retry: execution.endedMs === undefined ? 'backoff' : 'never',
        ...(execution.endedMs === undefined && { hint: 'Wait until it has SUCCEEDED.' }),
      });
    }
    const firstRow = page.token === undefined ? 0 : decodeToken(id, page.token);
    const small = await this.#store.result(id);
    const { columns, rows, rowsTotal } = await this.#options.engine.readResult({
      resultFile: execution.resultFile,
      ...(small && { small }),
      firstRow,
      rowsMax: Math.max(1, Math.min(page.limit, this.#limits.pageRowsMax)),
      bytesMax: this.#limits.pageBytesMax,
    });
    const nextRow = firstRow + rows.length;
    return {
      columns: columns.map((column) => ({ ...column, nullable: true })),
      rows,
      ...(nextRow < rowsTotal && { next: encodeToken(id, nextRow) }),
    };
  }

  async ended(id: string, signal?: AbortSignal): Promise<QueryExecution> {
    const live = this.#live.get(id);
    if (!live) return this.execution(id);
    if (!signal) return live.ended.promise;
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    return Promise.race([live.ended.promise, promise]).finally(() =>
      signal.removeEventListener('abort', abort),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    const ending: Ending = { state: 'FAILED', reason: INTERRUPTED };
    const all = [...this.#live.values()].map((live) => live.ended.promise);
    this.#failQueued(ending);
    for (const live of this.#live.values()) this.#abort(live, ending);
    await Promise.allSettled(all);
  }

  #admit(sql: string): void {
    const { sqlBytesMax, queuedMax, runningMax } = this.#limits;
    if (this.#closed) {
      throw new QueryError({ code: 'too-many-queued', message: 'the server is stopping', retry: 'backoff' });
    }
    const sizeBytes = Buffer.byteLength(sql);
    if (sizeBytes > sqlBytesMax) {
      throw new QueryError({
        code: 'invalid',
        message: `the query has ${sizeBytes} bytes; at most ${sqlBytesMax} are allowed`,
      });
    }
    const waiting = this.#queue.length + this.#starting - Math.max(0, runningMax - this.#running);
    if (waiting >= queuedMax) {
      throw new QueryError({
        code: 'too-many-queued',
        message: `${this.#queue.length} queries wait already; at most ${queuedMax} may`,
        retry: 'backoff',
        hint: 'Wait until some of them have ended.',
      });
    }
  }

  #pump(): void {
    while (this.#running < this.#limits.runningMax) {
      const live = this.#queue.shift();
      if (!live) break;
      this.#running += 1;
      void this.#run(live).finally(() => {
        this.#running -= 1;
        this.#pump();
      });
    }
    this.#metrics.load(this.#running, this.#queue.length);
  }

  async #run(live: Live): Promise<void> {
    const { clock } = this.#options;
    live.execution = { ...live.execution, state: 'RUNNING', startedMs: clock.nowMs() };
    const { runMsMax } = this.#limits;
    const timer = clock.timer(runMsMax, () => {
      this.#abort(live, {
        state: 'FAILED',
        reason: `EXCEEDED_TIME_LIMIT: the query ran longer than ${runMsMax / 1_000} s`,
      });
    });
    try {
      const result =
        live.statement.kind === 'query'
          ? await this.#runQuery(live, live.statement.sql)
          : await this.#answer(live, live.statement);
      const { rows, engineMs, small } = result;
      await this.#end(live, { state: 'SUCCEEDED', rows, engineMs }, small);
    } catch (error) {
      await this.#end(live, live.ending ?? this.#endingOf(error, live));
    } finally {
      timer.cancel();
    }
  }

  #analyse(sql: string, signal: AbortSignal): Promise<StatementAnalysis> {
    const analysis = this.#options.engine.analyse({ sql, catalogs: CATALOG_NAMES, signal });
    // A query that could not be stored never asks for it.
    analysis.catch(() => undefined);
    return analysis;
  }

  async #runQuery(live: Live, sql: string): Promise<WrittenResult> {
    const { engine, catalog, clock } = this.#options;
    const { signal } = live.abort;
    const { id, database } = live.execution;
    const start = clock.monotonicMs();
    const analysis = await (live.analysis ?? this.#analyse(sql, signal));
    const planned = await plan({ analysis, database, catalog, engine, signal });
    live.execution = {
      ...live.execution,
      tables: planned.tables,
      bytesScanned: planned.bytesScanned,
      planningMs: clock.monotonicMs() - start,
    };
    this.#metrics.planned(planned.bytesScanned, planned.filesSkipped);
    try {
      return await engine.run({
        kind: analysis.kind,
        sql: analysis.sql,
        unnamed: analysis.unnamed,
        ...(database !== undefined && planned.views.length > 0 && { database }),
        tables: planned.views,
        resultFile: this.#resultFile(id),
        resultBytesMax: this.#limits.resultBytesMax,
        smallBytesMax: this.#limits.smallResultBytesMax,
        signal,
      });
    } finally {
      planned.release();
    }
  }

  async #answer(live: Live, statement: Exclude<Statement, { kind: 'query' }>): Promise<WrittenResult> {
    const { catalog, engine } = this.#options;
    const answer = await answerFromCatalog(statement, catalog, live.execution.database);
    return engine.writeResult({
      resultFile: this.#resultFile(live.execution.id),
      smallBytesMax: this.#limits.smallResultBytesMax,
      ...answer,
    });
  }

  #abort(live: Live, ending: Ending): void {
    live.ending ??= ending;
    live.abort.abort();
  }

  #failQueued(ending: Ending): void {
    for (const live of this.#queue.splice(0)) void this.#end(live, ending);
  }

  async #end(
    live: Live,
    end: {
      readonly state: QueryState;
      readonly reason?: string;
      readonly rows?: number;
      readonly engineMs?: number;
    },
    small?: SmallResult,
  ): Promise<void> {
    const { clock, logger } = this.#options;
    let execution: StoredExecution = { ...live.execution, ...end, endedMs: clock.nowMs() };
    try {
      await this.#store.save(execution, small);
      this.#live.delete(execution.id);
    } catch (error) {
      // It stays in memory as failed, as it will be in the store after the next start.
      const reason =
        error instanceof PlatformError ? error.message : 'the end of the query could not be stored';
      logger.error({ id: execution.id, error }, 'the end of a query could not be stored');
      execution = { ...execution, state: 'FAILED', reason };
    }
    live.execution = execution;
    const seconds = (execution.endedMs! - execution.submittedMs) / 1_000;
    this.#metrics.ended(execution.state, seconds);
    logger.info(
      {
        id: execution.id,
        state: execution.state,
        seconds,
        engineMs: execution.engineMs,
        bytes: execution.bytesScanned,
      },
      'query ended',
    );
    live.ended.resolve(this.#shown(execution));
  }

  #endingOf(error: unknown, live: Live): Ending {
    if (!(error instanceof PlatformError) && !isDescribed(error)) {
      this.#options.logger.error(
        { id: live.execution.id, error },
        'a query failed for a reason that is none of its own',
      );
      return { state: 'FAILED', reason: 'GENERIC_INTERNAL_ERROR: the query failed inside the server' };
    }
    if (error instanceof SqlError && error.code === 'cancelled') return CANCELLED;
    const { message, hint } = error;
    const named = CATALOG_ERRORS[error.code];
    const reason = named === undefined ? message : `${named}: ${message}`;
    return { state: 'FAILED', reason: hint === undefined ? reason : `${reason}. ${hint}` };
  }

  #shown(execution: StoredExecution): QueryExecution {
    return { ...execution, resultFile: this.#resultFile(execution.id) };
  }

  #resultFile(id: string): string {
    return join(this.#options.resultsDirectory, `${id}.csv`);
  }
}

const CATALOG_ERRORS: Readonly<Record<string, string>> = {
  'table-not-found': 'TABLE_NOT_FOUND',
  'database-not-found': 'SCHEMA_NOT_FOUND',
};

/** Errors of the Delta library, whose messages are for users too. */
function isDescribed(error: unknown): error is Error & { code: string; hint: string | undefined } {
  return error instanceof Error && error.name === 'DeltaError' && 'code' in error && 'hint' in error;
}

function notFound(id: string): QueryError {
  return new QueryError({
    code: 'execution-not-found',
    message: `there is no query execution ${id}`,
    hint: 'ListQueryExecutions gives the ids that there are.',
  });
}
