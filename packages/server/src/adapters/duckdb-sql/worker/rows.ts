import type { DuckDBConnection, DuckDBDataChunk, DuckDBResult } from '@duckdb/node-api';
import { SqlError, type EngineColumn } from '../../../ports/sql-engine.ts';
import type { Operations } from '../protocol.ts';
import { csvField } from '../result-format.ts';
import { ResultWriter } from '../result-writer.ts';
import { STATEMENT_DATABASE } from '../engine-errors.ts';
import { athenaType, exceedsBigint, formatterOf } from './athena-values.ts';

/** Runs a statement and writes its rows as they come. `assertWanted` throws when it was cancelled. */
export async function writeRows(
  connection: DuckDBConnection,
  request: Operations['run']['request'],
  assertWanted: () => void,
): Promise<Operations['run']['response']> {
  const start = performance.now();
  const result = await connection.stream(request.sql);
  const streams = result.isStreaming;
  const writing = request.kind === 'explain' ? planTable() : new RowTable(result, request.unnamed);
  const writer = await ResultWriter.create(request.resultFile, writing.names, {
    bytesMax: request.resultBytesMax,
    smallBytesMax: request.smallBytesMax,
  });
  try {
    for (;;) {
      const chunk = await result.fetchChunk();
      if (chunk === null || chunk.rowCount === 0) break;
      for (const row of writing.rows(chunk)) {
        const full = writer.add(row);
        if (full) await full;
      }
    }
    assertWanted();
    // A stream that failed ends like one that is complete; it only says that it is no stream any more.
    if (streams && !result.isStreaming) await throwCause(connection, request.sql);
    const engineMs = performance.now() - start;
    const columns = writing.columns();
    return { columns, ...(await writer.finish(columns)), engineMs };
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** The engine keeps the reason why a stream failed to itself, so the statement is run again without its rows. */
async function throwCause(connection: DuckDBConnection, sql: string): Promise<never> {
  await connection.run(`EXPLAIN ANALYZE ${sql}`);
  throw new SqlError({
    code: 'failed',
    message: 'QUERY_ERROR: the query failed while its rows were read',
    retry: 'backoff',
    hint: 'Run the query again.',
  });
}

interface Table {
  readonly names: readonly string[];
  rows(chunk: DuckDBDataChunk): Iterable<string>;
  /** Types are sure only after the last row. */
  columns(): EngineColumn[];
}

class RowTable implements Table {
  readonly names: readonly string[];
  readonly #types: string[];
  readonly #formats;

  constructor(result: DuckDBResult, unnamed: readonly number[]) {
    const types = result.columnTypes();
    const places = new Set(unnamed.map((place) => (place < 0 ? types.length + place : place)));
    this.names = result.columnNames().map((name, place) => (places.has(place) ? `_col${place}` : name));
    this.#types = types.map(athenaType);
    this.#formats = types.map(formatterOf);
  }

  *rows(chunk: DuckDBDataChunk): Iterable<string> {
    const vectors = this.names.map((_, column) => chunk.getColumnVector(column));
    for (let row = 0; row < chunk.rowCount; row += 1) {
      let line = '';
      for (let column = 0; column < vectors.length; column += 1) {
        const value = vectors[column]!.getItem(row);
        if (column > 0) line += ',';
        if (value === null) continue;
        if (this.#types[column] === 'bigint' && exceedsBigint(value)) this.#types[column] = 'decimal(38,0)';
        line += csvField(this.#formats[column]!(value));
      }
      yield `${line}\n`;
    }
  }

  columns(): EngineColumn[] {
    return this.names.map((name, column) => ({ name, type: this.#types[column]! }));
  }
}

/** The plan as one column of lines. It shows paths of files and inner names, which are not the user's. */
function planTable(): Table {
  return {
    names: ['Query Plan'],
    *rows(chunk) {
      const last = chunk.columnCount - 1;
      for (const value of chunk.getColumnValues(last)) {
        const plan = String(value)
          .replaceAll(STATEMENT_DATABASE, '')
          .replaceAll(/\/\S*\.parquet/g, '…');
        for (const line of plan.trimEnd().split('\n')) yield `${csvField(line)}\n`;
      }
    },
    columns: () => [{ name: 'Query Plan', type: 'varchar' }],
  };
}
