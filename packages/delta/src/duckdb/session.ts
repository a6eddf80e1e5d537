import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { JSDuckDBValueConverter } from '@duckdb/node-api';
import type {
  ColumnBatch,
  PositionBlock,
  RowSource,
  SqlSession,
  WriteRequest,
  WrittenFile,
} from '../engine.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import type { StructType } from '../schema/types.ts';
import { TEMPORARY_SUFFIX } from '../store/local-store.ts';
import { isLocal } from '../store/object-store.ts';
import { checkedSource } from './checked-source.ts';
import { copyToFiles } from './copy.ts';
import { namingDamagedFile } from './damaged-file.ts';
import { engineError } from './engine-error.ts';
import { readPositionBlocks } from './position-blocks.ts';
import type { ScratchDirectory } from './scratch-directory.ts';
import { withSourceSql } from './source-file.ts';

/** A session over a connection that nothing else uses while it lives. */
export class DuckDbSession implements SqlSession {
  readonly #connection: DuckDBConnection;
  readonly #scratch: ScratchDirectory;

  constructor(connection: DuckDBConnection, scratch: ScratchDirectory) {
    this.#connection = connection;
    this.#scratch = scratch;
  }

  async run(sql: string): Promise<void> {
    await this.#guarded('run a statement', sql, () => this.#connection.run(sql));
  }

  async rows(sql: string): Promise<unknown[][]> {
    return this.#guarded('query', sql, async () => (await this.#connection.runAndReadAll(sql)).getRowsJS());
  }

  async estimatedRows(sql: string): Promise<number> {
    const [row] = await this.rows(`EXPLAIN (FORMAT json) ${sql}`);
    const [root] = JSON.parse(String(row?.[1])) as { extra_info?: Record<string, unknown> }[];
    const rows = Number(root?.extra_info?.['Estimated Cardinality']);
    return Number.isFinite(rows) ? rows : 0;
  }

  async *stream(sql: string): AsyncGenerator<ColumnBatch, void, undefined> {
    try {
      const result = await this.#connection.stream(sql);
      const names = result.columnNames();
      for (;;) {
        const chunk = await result.fetchChunk();
        if (chunk === null || chunk.rowCount === 0) break;
        yield { names, columns: chunk.convertColumns(JSDuckDBValueConverter), rows: chunk.rowCount };
      }
    } catch (error) {
      throw engineError(await namingDamagedFile(this.#connection, sql, error), 'query');
    }
  }

  async positions(sql: string): Promise<ReadonlyMap<number, readonly PositionBlock[]>> {
    return this.#guarded('query', sql, () => readPositionBlocks(this.#connection, sql));
  }

  async writeParquet(request: WriteRequest): Promise<WrittenFile[]> {
    const { source, schema } = request;
    return withSourceSql({ source, schema, scratch: this.#scratch }, async (sql) => {
      const landing = await this.#landingPath(request);
      try {
        const checked = checkedSource(sql, request);
        return await copyToFiles(this.#connection, { request, source: checked, landing });
      } catch (error) {
        throw engineError(await namingDamagedFile(this.#connection, sql, error), 'write');
      } finally {
        await rm(landing, { recursive: true, force: true });
      }
    });
  }

  async load(source: RowSource, schema: StructType): Promise<string> {
    const table = `temp.${quoteIdentifier(`source ${randomUUID()}`)}`;
    await withSourceSql({ source, schema, scratch: this.#scratch }, (sql) =>
      this.#guarded('write', sql, () => this.#connection.run(`CREATE TEMPORARY TABLE ${table} AS ${sql}`)),
    );
    return table;
  }

  interrupt(): void {
    this.#connection.interrupt();
  }

  async #guarded<Result>(verb: string, sql: string, task: () => Promise<Result>): Promise<Result> {
    try {
      return await task();
    } catch (error) {
      throw engineError(await namingDamagedFile(this.#connection, sql, error), verb);
    }
  }

  /** Where a COPY writes before its files get their names: beside them, so that a rename moves them. */
  async #landingPath({ store, directory }: WriteRequest): Promise<string> {
    if (!isLocal(store)) return this.#scratch.newPath(TEMPORARY_SUFFIX);
    const parent = store.localPath(directory);
    await mkdir(parent, { recursive: true });
    return join(parent, `.${randomUUID()}${TEMPORARY_SUFFIX}`);
  }
}
