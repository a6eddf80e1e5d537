import type { Engine, SqlSession } from '@sluice/delta';
import type { DuckDbEngine, DuckDbEngineOptions } from '@sluice/delta/duckdb';

/**
 * The engine that reads and writes Parquet, started with its first use: a server that only takes in records never
 * pays its 90 MB.
 */
export class LazyEngine implements Engine {
  readonly #options: DuckDbEngineOptions;
  #engine: Promise<DuckDbEngine> | undefined;

  constructor(options: DuckDbEngineOptions = {}) {
    this.#options = options;
  }

  async writeParquet(request: Parameters<Engine['writeParquet']>[0]): ReturnType<Engine['writeParquet']> {
    return (await this.#started()).writeParquet(request);
  }

  async readParquet(request: Parameters<Engine['readParquet']>[0]): ReturnType<Engine['readParquet']> {
    return (await this.#started()).readParquet(request);
  }

  async readCheckpoint(
    request: Parameters<NonNullable<Engine['readCheckpoint']>>[0],
  ): ReturnType<NonNullable<Engine['readCheckpoint']>> {
    return (await this.#started()).readCheckpoint(request);
  }

  async session<Result>(task: (session: SqlSession) => Promise<Result>): Promise<Result> {
    return (await this.#started()).session(task);
  }

  /** Nothing may use the engine any more. */
  async close(): Promise<void> {
    const engine = await this.#engine?.catch(() => undefined);
    await engine?.close();
  }

  #started(): Promise<DuckDbEngine> {
    this.#engine ??= import('@sluice/delta/duckdb')
      .then((module) => module.DuckDbEngine.create(this.#options))
      .catch((error: unknown) => {
        // The next use tries again.
        this.#engine = undefined;
        throw error;
      });
    return this.#engine;
  }
}
