import type { Engine } from '@sluice/delta';

/**
 * The engine that reads and writes Parquet, started with its first use: a server that only takes in records never
 * pays its 90 MB.
 */
export class LazyEngine implements Engine {
  #engine: Promise<DuckDbEngineModule> | undefined;

  async writeParquet(request: Parameters<Engine['writeParquet']>[0]): ReturnType<Engine['writeParquet']> {
    return (await this.#started()).writeParquet(request);
  }

  async readParquet(request: Parameters<Engine['readParquet']>[0]): ReturnType<Engine['readParquet']> {
    return (await this.#started()).readParquet(request);
  }

  /** Nothing may use the engine any more. */
  async close(): Promise<void> {
    const engine = await this.#engine?.catch(() => undefined);
    await engine?.close();
  }

  #started(): Promise<DuckDbEngineModule> {
    this.#engine ??= import('@sluice/delta/duckdb').then(({ DuckDbEngine }) => DuckDbEngine.create());
    return this.#engine;
  }
}

type DuckDbEngineModule = Awaited<
  ReturnType<(typeof import('@sluice/delta/duckdb'))['DuckDbEngine']['create']>
>;
