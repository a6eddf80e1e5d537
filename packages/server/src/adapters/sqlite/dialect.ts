import { AsyncLocalStorage } from 'node:async_hooks';
import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite';
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
} from 'kysely';
import { assert } from '../../base/assert.ts';
import { MetaStoreError } from '../../ports/meta-store.ts';
import { toMetaStoreError } from './sqlite-errors.ts';

/** Prepared statements kept for the next run of the same SQL. */
const STATEMENTS_MAX = 256;

/**
 * kysely over node:sqlite. One connection, handed out to one statement or transaction after another in the order of
 * asking, by microtasks alone, so that a simulation that runs on it is the same every time.
 */
export function createDialect(database: DatabaseSync): Dialect {
  const driver = new SqliteDriver(database);
  return {
    createAdapter: () => new QueuedAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Marks the code that runs inside a transaction, which would wait for itself if it asked for the connection. */
export const insideTransaction = new AsyncLocalStorage<{ open: boolean }>();

/** The driver keeps the queue itself, since it must see who asks before it lets anyone wait. */
class QueuedAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

class SqliteDriver implements Driver {
  readonly #database: DatabaseSync;
  readonly #connection: SqliteConnection;
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#connection = new SqliteConnection(database);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    assert(
      insideTransaction.getStore()?.open !== true,
      'a statement outside of the running transaction was started inside it: it would wait for itself',
    );
    if (this.#taken) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#taken = true;
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    const next = this.#waiting.shift();
    // The connection passes on without a gap that a newcomer could slip into.
    if (next) next();
    else this.#taken = false;
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // SQLite rolls back by itself on some errors, a full disk among them.
    if (this.#database.isTransaction) await connection.executeQuery(CompiledQuery.raw('rollback'));
  }

  async destroy(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    if (!this.#database.isOpen) {
      throw new MetaStoreError({ code: 'closed', message: 'the metadata store is closed' });
    }
    try {
      const statement = this.#prepare(sql);
      const values = parameters.map(toSqlite);
      if (statement.columns().length > 0) return { rows: statement.all(...values).map(plain) as Row[] };
      const { changes, lastInsertRowid } = statement.run(...values);
      return { rows: [], insertId: BigInt(lastInsertRowid), numAffectedRows: BigInt(changes) };
    } catch (error) {
      throw toMetaStoreError(error, this.#database.location() ?? 'the metadata store');
    }
  }

  // oxlint-disable-next-line require-yield
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('streams of rows would hold the one connection: read pages instead');
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) {
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    const oldest = this.#statements.keys().next();
    if (this.#statements.size > STATEMENTS_MAX && !oldest.done) this.#statements.delete(oldest.value);
    return statement;
  }
}

function toSqlite(value: unknown): SQLInputValue {
  if (value === undefined) return null;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value as SQLInputValue;
}

/** Rows as ordinary objects: node:sqlite gives them no prototype. */
function plain(row: Record<string, SQLOutputValue>): Record<string, SQLOutputValue> {
  return { ...row };
}
