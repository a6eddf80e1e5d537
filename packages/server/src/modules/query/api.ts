import type { Principal } from '../identity/index.ts';

/** SQL over the catalogue's tables, run in a process of its own; executions and results outlive a restart. */
export interface Query {
  /** Durable on return: an execution that a crash interrupts is FAILED, never lost. */
  start(input: StartQuery): Promise<string>;
  execution(id: string): Promise<QueryExecution>;
  /** Newest first. */
  list(page: {
    readonly token?: string;
    readonly limit: number;
  }): Promise<{ ids: readonly string[]; next?: string }>;
  /** Stops a queued or running one; no effect on one that ended. */
  stop(id: string): Promise<void>;
  /** Rows of a SUCCEEDED execution, read from its result file page by page; the header is not among them. */
  results(id: string, page: { readonly token?: string; readonly limit: number }): Promise<ResultPage>;
  /** Resolves when the execution has ended. */
  ended(id: string, signal?: AbortSignal): Promise<QueryExecution>;
  /** Takes no more; those that are queued or running become FAILED. Resolves when all of them have ended. */
  close(): Promise<void>;
}

export type QueryErrorCode =
  | 'execution-not-found'
  | 'not-succeeded'
  | 'result-missing'
  | 'invalid'
  | 'unsupported'
  | 'too-many-queued'
  | 'storage-full';

export interface StartQuery {
  readonly sql: string;
  readonly principal: Principal;
  /** Schema for names without one. */
  readonly database?: string;
  /** The same token and SQL give the same execution. */
  readonly clientRequestToken?: string;
}

export type QueryState = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';

export interface QueryExecution {
  readonly id: string;
  readonly sql: string;
  readonly database?: string;
  readonly state: QueryState;
  /** Why it failed or was cancelled, for the user. */
  readonly reason?: string;
  readonly statementType: 'DML' | 'DDL' | 'UTILITY';
  readonly submittedMs: number;
  readonly startedMs?: number;
  readonly endedMs?: number;
  /** Bytes of the data files that the plan reads, from the tables' logs. */
  readonly bytesScanned: number;
  /** The engine's own time, without queueing and planning. */
  readonly engineMs: number;
  readonly planningMs: number;
  readonly rows?: number;
  /** Absolute path of the CSV file. */
  readonly resultFile: string;
  /** The version of each table that the query read. */
  readonly tables: readonly { readonly name: string; readonly version: number }[];
}

export interface ResultColumn {
  readonly name: string;
  /** Athena's name of the type: `varchar`, `bigint`, `decimal(10,2)`, `timestamp` … */
  readonly type: string;
  readonly nullable: boolean;
}

export interface ResultPage {
  readonly columns: readonly ResultColumn[];
  /** Values as Athena prints them; undefined for NULL. */
  readonly rows: readonly (readonly (string | undefined)[])[];
  readonly next?: string;
}
