/** One statement over the Athena API: start, wait, page. */
import type { AthenaClient, QueryExecution } from '@aws-sdk/client-athena';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ResultColumn, Row } from './formats.ts';

const POLL_MS_FIRST = 8;
const POLL_MS_MAX = 400;
const PAGE_ROWS = 1000;

export interface Finished {
  readonly id: string;
  /** From the request to the end as this side sees it. */
  readonly elapsedMs: number;
  readonly engineMs: number;
  readonly scannedBytes: number;
  readonly columns: readonly ResultColumn[];
  /** The rows, page by page; to be walked once. */
  readonly pages: AsyncIterable<readonly Row[]>;
}

/** A statement that failed or was cancelled, with the engine's own words. */
export class StatementError extends Error {
  override readonly name = 'StatementError';
  readonly state: 'FAILED' | 'CANCELLED';
  readonly sql: string;

  constructor(message: string, { state, sql }: { state: 'FAILED' | 'CANCELLED'; sql: string }) {
    super(message);
    this.state = state;
    this.sql = sql;
  }
}

export interface RunOptions {
  readonly database?: string | undefined;
  /** When it is aborted the query is stopped on the server, and the promise rejects with `CANCELLED`. */
  readonly signal?: AbortSignal | undefined;
}

/** Resolves once the statement has succeeded; rejects with `StatementError` when it has not. */
export async function runStatement(
  client: AthenaClient,
  sql: string,
  options: RunOptions = {},
): Promise<Finished> {
  const athena = await import('@aws-sdk/client-athena');
  const startMs = performance.now();
  const { QueryExecutionId: id } = await client.send(
    new athena.StartQueryExecutionCommand({
      QueryString: sql,
      WorkGroup: 'primary',
      ...(options.database === undefined ? {} : { QueryExecutionContext: { Database: options.database } }),
    }),
  );
  if (id === undefined) throw new Error('the server gave no id for the query');
  const execution = await ended(client, id, options.signal);
  const elapsedMs = performance.now() - startMs;
  const state = execution.Status?.State;
  if (state !== 'SUCCEEDED') {
    const reason = execution.Status?.StateChangeReason ?? execution.Status?.AthenaError?.ErrorMessage;
    const failed = state === 'CANCELLED' ? 'CANCELLED' : 'FAILED';
    throw new StatementError(reason ?? `the query was ${failed.toLowerCase()}`, { state: failed, sql });
  }
  const results = async (token?: string) =>
    client.send(
      new athena.GetQueryResultsCommand({ QueryExecutionId: id, MaxResults: PAGE_ROWS, NextToken: token }),
    );
  const first = await results();
  const columns = (first.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map((column) => ({
    name: column.Name ?? '',
    type: column.Type ?? 'varchar',
  }));
  async function* pages(): AsyncGenerator<readonly Row[]> {
    let page = first;
    let rows = rowsOf(page.ResultSet?.Rows);
    // The first row of the first page repeats the names of the columns when the statement is a query.
    if (execution.StatementType === 'DML' && isHeader(rows[0], columns)) rows = rows.slice(1);
    yield rows;
    while (page.NextToken !== undefined) {
      options.signal?.throwIfAborted();
      page = await results(page.NextToken);
      yield rowsOf(page.ResultSet?.Rows);
    }
  }
  const { EngineExecutionTimeInMillis: engineMs = 0, DataScannedInBytes: scannedBytes = 0 } =
    execution.Statistics ?? {};
  return { id, elapsedMs, engineMs, scannedBytes, columns, pages: pages() };
}

/** All rows of a small result. */
export async function allRows(finished: Finished): Promise<Row[]> {
  const all: Row[] = [];
  for await (const rows of finished.pages) all.push(...rows);
  return all;
}

async function ended(client: AthenaClient, id: string, signal?: AbortSignal): Promise<QueryExecution> {
  const { GetQueryExecutionCommand, StopQueryExecutionCommand } = await import('@aws-sdk/client-athena');
  let stopped = false;
  for (let waitMs = POLL_MS_FIRST; ; waitMs = Math.min(waitMs * 1.6, POLL_MS_MAX)) {
    if (signal?.aborted === true && !stopped) {
      stopped = true;
      await client.send(new StopQueryExecutionCommand({ QueryExecutionId: id }));
    }
    const { QueryExecution: execution } = await client.send(
      new GetQueryExecutionCommand({ QueryExecutionId: id }),
    );
    const state = execution?.Status?.State;
    if (execution !== undefined && state !== 'QUEUED' && state !== 'RUNNING') return execution;
    await sleep(waitMs, undefined, signal === undefined || stopped ? {} : { signal }).catch(() => undefined);
  }
}

type SdkRow = { readonly Data?: readonly { readonly VarCharValue?: string | undefined }[] | undefined };

function rowsOf(rows: readonly SdkRow[] | undefined): Row[] {
  return (rows ?? []).map((row) => (row.Data ?? []).map((datum) => datum.VarCharValue));
}

function isHeader(row: Row | undefined, columns: readonly ResultColumn[]): boolean {
  return row !== undefined && columns.every((column, index) => row[index] === column.name);
}
