import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { DeltaError } from '../errors.ts';

/** Idle connections that are kept. */
const IDLE_CONNECTIONS_MAX = 8;

/**
 * Connections to one database, each used by one task at a time, since statements on one connection queue. Every
 * connection has the time zone UTC, so that zoneless texts mean the same on every machine.
 */
export class ConnectionPool {
  readonly #instance: DuckDBInstance;
  readonly #idle: DuckDBConnection[] = [];
  #isClosed = false;

  constructor(instance: DuckDBInstance) {
    this.#instance = instance;
  }

  async use<Result>(task: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
    const connection = this.#idle.pop() ?? (await this.#connect());
    try {
      return await task(connection);
    } finally {
      if (this.#idle.length < IDLE_CONNECTIONS_MAX) this.#idle.push(connection);
      else connection.closeSync();
    }
  }

  /** With a connection that is closed afterwards, and its temporary tables with it. */
  async useNew<Result>(task: (connection: DuckDBConnection) => Promise<Result>): Promise<Result> {
    const connection = await this.#connect();
    try {
      return await task(connection);
    } finally {
      connection.closeSync();
    }
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#idle.splice(0)) connection.closeSync();
    this.#instance.closeSync();
  }

  async #connect(): Promise<DuckDBConnection> {
    if (this.#isClosed) throw new DeltaError({ code: 'engine', message: 'the engine is closed' });
    const connection = await this.#instance.connect();
    await connection.run(`SET TimeZone = 'UTC'`);
    return connection;
  }
}
