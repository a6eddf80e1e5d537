import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import type {
  CheckpointRead,
  Engine,
  ReadRequest,
  SqlSession,
  WriteRequest,
  WrittenFile,
} from '../engine.ts';
import { assert, DeltaError } from '../errors.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { readParquetSql } from '../scan/read-parquet-sql.ts';
import { isLocal, isLocaliser, movesFiles, type ObjectStore } from '../store/object-store.ts';
import { readCheckpointFile } from './checkpoint-reader.ts';
import { ConnectionPool } from './connection-pool.ts';
import { engineError } from './engine-error.ts';
import { keepByteOrderMarks } from './exact-text.ts';
import { ScratchDirectory } from './scratch-directory.ts';
import { DuckDbSession } from './session.ts';

export interface DuckDbEngineOptions {
  /** DuckDB's worker threads; default: one for each core. */
  readonly threads?: number;
  /** As DuckDB's `memory_limit`, such as `512MB`; default: 80 % of the machine's memory. */
  readonly memoryLimit?: string;
  /** Where statements go on that need more memory; default: a directory of the system's for temporary files. */
  readonly temporaryDirectory?: string;
}

/**
 * The engine over an embedded DuckDB of its own. Files of a local store are written in its place; those of other
 * stores go through a temporary directory. DuckDB works on libuv's thread pool: a process that runs many of these at
 * once should raise `UV_THREADPOOL_SIZE`.
 */
export class DuckDbEngine implements Engine {
  readonly #pool: ConnectionPool;
  readonly #scratch: ScratchDirectory;

  private constructor(instance: DuckDBInstance, temporaryDirectory: string) {
    this.#scratch = new ScratchDirectory(temporaryDirectory);
    this.#pool = new ConnectionPool(instance);
  }

  static async create(options: DuckDbEngineOptions = {}): Promise<DuckDbEngine> {
    const { temporaryDirectory = tmpdir() } = options;
    keepByteOrderMarks();
    // DuckDB's own default is the working directory.
    const settings: Record<string, string> = {
      temp_directory: join(temporaryDirectory, 'sluice-duckdb'),
      // Or memory that a large statement had is not given back to the system as long as the database is open.
      allocator_background_threads: 'true',
    };
    if (options.threads !== undefined) settings.threads = String(options.threads);
    if (options.memoryLimit !== undefined) settings.memory_limit = options.memoryLimit;
    return new DuckDbEngine(await DuckDBInstance.create(':memory:', settings), temporaryDirectory);
  }

  /** Frees the database and the temporary files; calls must have ended. */
  async close(): Promise<void> {
    this.#pool.close();
    await this.#scratch.remove();
  }

  async writeParquet(request: WriteRequest): Promise<WrittenFile[]> {
    return this.#pool.use((connection) => new DuckDbSession(connection, this.#scratch).writeParquet(request));
  }

  async session<Result>(task: (session: SqlSession) => Promise<Result>): Promise<Result> {
    return this.#pool.useNew((connection) => task(new DuckDbSession(connection, this.#scratch)));
  }

  async readParquet(request: ReadRequest): Promise<Record<string, unknown>[]> {
    return this.#withLocalCopy(request.store, request.path, (file) =>
      this.#pool.use(async (connection) => {
        const members = request.schema.fields.map(({ name }) => {
          const quoted = quoteIdentifier(name);
          return `${quoted} := ${quoted}`;
        });
        const from = readParquetSql([file], request.schema.fields);
        try {
          const sql = `SELECT CAST(to_json(struct_pack(${members.join(', ')})) AS VARCHAR) FROM ${from}`;
          const [rows = []] = (await connection.runAndReadAll(sql)).getColumnsJS();
          return rows.map((row) => {
            assert(typeof row === 'string', 'to_json gives text');
            return JSON.parse(row) as Record<string, unknown>;
          });
        } catch (error) {
          throw engineError(error, `read "${request.path}"`);
        }
      }),
    );
  }

  async readCheckpoint({ store, path }: Omit<ReadRequest, 'schema'>): Promise<CheckpointRead | undefined> {
    return this.#withLocalCopy(store, path, async (file) => {
      try {
        return await readCheckpointFile(this.#pool, { file, path });
      } catch (error) {
        throw engineError(error, `read "${path}"`);
      }
    });
  }

  async #withLocalCopy<Result>(
    store: ObjectStore,
    path: string,
    task: (file: string) => Promise<Result>,
  ): Promise<Result> {
    if (isLocal(store)) return task(store.localPath(path));
    if (isLocaliser(store)) {
      const localised = await store.localise([{ path, sizeBytes: await sizeOf(store, path) }]);
      try {
        return await task(localised.localPath(path));
      } finally {
        localised.release();
      }
    }
    const file = await this.#scratch.newPath('.parquet');
    try {
      if (movesFiles(store)) await store.download(path, file);
      else await writeFile(file, await store.read(path));
      return await task(file);
    } finally {
      await rm(file, { force: true });
    }
  }
}

async function sizeOf(store: ObjectStore, path: string): Promise<number> {
  const facts = await store.head(path);
  if (facts === undefined) throw new DeltaError({ code: 'not-found', message: `"${path}" is absent` });
  return facts.sizeBytes;
}
