/**
 * The SqlEngine on DuckDB, in a process of its own (`worker/`) that is started by the first statement, kept warm, and
 * thrown away when it dies, holds too much memory or doesn't stop on request; the next statement starts another.
 */
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import { SqlError, type SqlEngine } from '../../ports/sql-engine.ts';
import type { EngineSettings } from './protocol.ts';
import { toSqlError } from './engine-errors.ts';
import { ResultReader } from './result-reader.ts';
import { ResultWriter, discardResult } from './result-writer.ts';
import { csvRow } from './result-format.ts';
import { WorkerProcess } from './worker-process.ts';

export interface DuckDbSqlOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The only directories whose files statements can read; absolute. */
  readonly dataDirectories: readonly string[];
  /** Emptied whenever the process starts; absolute, for this engine alone. */
  readonly temporaryDirectory: string;
  readonly limits?: Partial<DuckDbSqlLimits>;
}

export interface DuckDbSqlLimits {
  /** Of the engine's buffers, over all statements that run. */
  readonly memoryBytesMax: number;
  /** Of what is spilled to the temporary directory, over all statements that run. */
  readonly temporaryBytesMax: number;
  readonly threads: number;
}

const MEMORY_SHARE = 0.4;
const TEMPORARY_BYTES_MAX = 20 * 1_073_741_824;

export function createDuckDbSql(options: DuckDbSqlOptions): SqlEngine {
  const { clock, logger } = options;
  const settings: EngineSettings = {
    memoryBytesMax: Math.floor(totalmem() * MEMORY_SHARE),
    temporaryBytesMax: TEMPORARY_BYTES_MAX,
    threads: availableParallelism(),
    ...options.limits,
    dataDirectories: options.dataDirectories,
    temporaryDirectory: join(options.temporaryDirectory, 'spill'),
  };
  const reader = new ResultReader();
  let worker: WorkerProcess | undefined;
  let starting: Promise<WorkerProcess> | undefined;
  let closed = false;

  const warm = async (): Promise<WorkerProcess> => {
    if (closed)
      throw new SqlError({ code: 'engine-died', message: 'the server is stopping', retry: 'backoff' });
    if (worker !== undefined && !worker.ended) return worker;
    starting ??= WorkerProcess.start(settings, clock, logger).finally(() => (starting = undefined));
    worker = await starting;
    return worker;
  };

  return {
    async analyse({ signal, ...request }) {
      return (await warm()).call('analyse', request, signal);
    },
    async conditions({ signal, sql, database, tables }) {
      const found = await (await warm()).call('conditions', { sql, database, tables }, signal);
      return found.map((condition) => condition ?? undefined);
    },
    async run({ signal, kind, sql, unnamed, database, tables, resultFile, resultBytesMax, smallBytesMax }) {
      const request = { kind, sql, unnamed, database, tables, resultFile, resultBytesMax, smallBytesMax };
      const process = await warm();
      try {
        return await process.call('run', request, signal);
      } catch (error) {
        // What the process itself could not clear away any more.
        if (process.ended) await discardResult(resultFile);
        throw error;
      }
    },
    async writeResult({ resultFile, columns, rows, smallBytesMax }) {
      const start = clock.monotonicMs();
      try {
        const writer = await ResultWriter.create(
          resultFile,
          columns.map(({ name }) => name),
          { bytesMax: Number.MAX_SAFE_INTEGER, smallBytesMax },
        );
        try {
          for (const row of rows) await writer.add(csvRow(row));
          return { columns, ...(await writer.finish(columns)), engineMs: clock.monotonicMs() - start };
        } catch (error) {
          await writer.discard();
          throw error;
        }
      } catch (error) {
        throw toSqlError(error, []);
      }
    },
    readResult: (request) => reader.read(request),
    removeResult: discardResult,
    async close() {
      closed = true;
      await starting?.catch(() => {});
      await worker?.close();
    },
  };
}
