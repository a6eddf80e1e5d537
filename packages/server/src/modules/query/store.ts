import type { MetaStore, Migration } from '../../ports/meta-store.ts';
import type { SmallResult } from '../../ports/sql-engine.ts';
import type { QueryExecution } from './api.ts';

/** What is kept of an execution; the path of the result follows from the id. */
export type StoredExecution = Omit<QueryExecution, 'resultFile'>;

export interface ExecutionRow {
  sequence: number;
  id: string;
  account: string;
  token: string | null;
  state: QueryExecution['state'];
  /** JSON of `StoredExecution`. */
  execution: string;
  /** JSON of a `SmallResult`; those that are larger are files. */
  result: string | null;
}

interface Tables {
  query_executions: ExecutionRow;
}

const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: [
      `CREATE TABLE query_executions (
        sequence bigint PRIMARY KEY, id text NOT NULL UNIQUE, account text NOT NULL, token text,
        state text NOT NULL, execution text NOT NULL)`,
      'CREATE UNIQUE INDEX query_executions_by_token ON query_executions (account, token)',
      "CREATE INDEX query_executions_open ON query_executions (state) WHERE state IN ('QUEUED', 'RUNNING')",
    ],
  },
  { version: 2, sql: ['ALTER TABLE query_executions ADD COLUMN result text'] },
];

export const PAGE_MAX = 1_000;

/** Executions, durable on return. */
export class ExecutionStore {
  readonly #meta: MetaStore;

  private constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  static async open(meta: MetaStore): Promise<ExecutionStore> {
    await meta.migrate('query', MIGRATIONS);
    return new ExecutionStore(meta);
  }

  /** Gives the execution that has the token already, when there is one. */
  add(
    execution: StoredExecution,
    caller: { account: string; token?: string },
  ): Promise<StoredExecution | undefined> {
    const { account, token } = caller;
    return this.#meta.transaction<Tables, StoredExecution | undefined>(async (tx) => {
      if (token !== undefined) {
        const known = await tx
          .selectFrom('query_executions')
          .select('execution')
          .where('account', '=', account)
          .where('token', '=', token)
          .executeTakeFirst();
        if (known) return JSON.parse(known.execution) as StoredExecution;
      }
      const last = await tx
        .selectFrom('query_executions')
        .select((columns) => columns.fn.max('sequence').as('sequence'))
        .executeTakeFirst();
      const sequence = (last?.sequence ?? 0) + 1;
      const { id, state } = execution;
      await tx
        .insertInto('query_executions')
        .values({
          sequence,
          id,
          account,
          token: token ?? null,
          state,
          execution: JSON.stringify(execution),
          result: null,
        })
        .execute();
      return undefined;
    });
  }

  /** The result becomes durable together with the end that promises it. */
  async save(execution: StoredExecution, result?: SmallResult): Promise<void> {
    await this.#db
      .updateTable('query_executions')
      .set({
        state: execution.state,
        execution: JSON.stringify(execution),
        result: result === undefined ? null : JSON.stringify(result),
      })
      .where('id', '=', execution.id)
      .execute();
  }

  async get(id: string): Promise<StoredExecution | undefined> {
    const row = await this.#db
      .selectFrom('query_executions')
      .select('execution')
      .where('id', '=', id)
      .executeTakeFirst();
    return row && (JSON.parse(row.execution) as StoredExecution);
  }

  /** Undefined when the execution has none, or has it in a file. */
  async result(id: string): Promise<SmallResult | undefined> {
    const row = await this.#db
      .selectFrom('query_executions')
      .select('result')
      .where('id', '=', id)
      .executeTakeFirst();
    return typeof row?.result === 'string' ? (JSON.parse(row.result) as SmallResult) : undefined;
  }

  /** Those that had not ended. */
  async unfinished(): Promise<StoredExecution[]> {
    const rows = await this.#db
      .selectFrom('query_executions')
      .select('execution')
      .where('state', 'in', ['QUEUED', 'RUNNING'])
      .execute();
    return rows.map((row) => JSON.parse(row.execution) as StoredExecution);
  }

  /** Newest first, those before `before`. */
  async list(before: number, limit: number): Promise<{ ids: string[]; next?: number }> {
    const rows = await this.#db
      .selectFrom('query_executions')
      .select(['id', 'sequence'])
      .where('sequence', '<', before)
      .orderBy('sequence', 'desc')
      .limit(limit + 1)
      .execute();
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return { ids: page.map((row) => row.id), ...(rows.length > limit && last && { next: last.sequence }) };
  }

  get #db() {
    return this.#meta.tables<Tables>();
  }
}
