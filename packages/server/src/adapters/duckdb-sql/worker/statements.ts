/**
 * The engine's side of a statement: one warm DuckDB instance; for each statement a connection and, when it names
 * tables, an in-memory database of its own with the views that it may see, gone with the statement.
 *
 * This is the second wall. The first, the analysis of the text, decides what runs at all; here the instance can read
 * no file outside of the lake, load nothing and change no setting, whatever gets through.
 */
import { randomBytes } from 'node:crypto';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import type { StatementAnalysis, TableView } from '../../../ports/sql-engine.ts';
import { analyseTree } from '../analysis/statement.ts';
import { conditionsOf, stubColumn, type StubTable } from '../analysis/explain-filters.ts';
import { SqlError, type Condition } from '../../../ports/sql-engine.ts';
import type { EngineSettings, Operations } from '../protocol.ts';
import { writeRows } from './rows.ts';

/** Trees above this size are refused: parsing them would take seconds and hundreds of megabytes. */
const TREE_BYTES_MAX = 128 * 1_048_576;
const EXPLAIN = /^\s*explain(\s+analyze)?(?=[\s(])/i;

export class Statements {
  readonly #instance: DuckDBInstance;
  readonly #stubFile: string;

  private constructor(instance: DuckDBInstance, stubFile: string) {
    this.#instance = instance;
    this.#stubFile = stubFile;
  }

  static async open(settings: EngineSettings): Promise<Statements> {
    const instance = await DuckDBInstance.create(':memory:', {
      threads: String(settings.threads),
      memory_limit: `${Math.floor(settings.memoryBytesMax / 1_048_576)}MiB`,
      temp_directory: settings.temporaryDirectory,
      max_temp_directory_size: `${Math.floor(settings.temporaryBytesMax / 1_048_576)}MiB`,
      autoload_known_extensions: 'false',
      autoinstall_known_extensions: 'false',
      allow_community_extensions: 'false',
      allow_unsigned_extensions: 'false',
    });
    const connection = await instance.connect();
    const stubFile = `${settings.temporaryDirectory}/stub.parquet`;
    await connection.run(`COPY (SELECT 1 AS none WHERE false) TO ${text(stubFile)} (FORMAT parquet)`);
    const directories = settings.dataDirectories.map((directory) =>
      text(`${directory.replace(/\/+$/, '')}/`),
    );
    await connection.run(`
      SET GLOBAL TimeZone = 'UTC';
      SET GLOBAL parquet_metadata_cache = true;
      SET GLOBAL allowed_directories = [${directories.join(', ')}];
      SET GLOBAL allowed_paths = [${text(stubFile)}];
      SET GLOBAL enable_external_access = false;
      SET GLOBAL lock_configuration = true`);
    connection.disconnectSync();
    return new Statements(instance, stubFile);
  }

  async analyse(
    { sql, catalogs }: Operations['analyse']['request'],
    use: UseConnection,
  ): Promise<StatementAnalysis> {
    const explain = EXPLAIN.exec(sql);
    // The word is blanked and not cut, so that positions stay those of the user's text.
    const query = explain === null ? sql : sql.replace(EXPLAIN, (word) => ' '.repeat(word.length));
    const tree = await this.#connected(use, async (connection) => {
      const reader = await connection.runAndReadAll(
        'SELECT json_serialize_sql($1::VARCHAR, skip_null := true, skip_empty := true)',
        [query],
      );
      return String(reader.getRows()[0]?.[0]);
    });
    if (tree.length > TREE_BYTES_MAX) {
      throw new SqlError({ code: 'refused', message: 'NOT_SUPPORTED: the statement is too complex' });
    }
    const analysis = analyseTree({ tree, sql: query, catalogs });
    if (explain === null) return { kind: 'rows', ...analysis };
    return {
      ...analysis,
      kind: 'explain',
      unnamed: [],
      sql: explain[0] + analysis.sql.slice(explain[0].length),
    };
  }

  async conditions(
    request: Operations['conditions']['request'],
    use: UseConnection,
  ): Promise<(Condition | null)[]> {
    return this.#connected(use, async (connection, show) => {
      const views = request.tables.map((table, at) => ({ ...table, sql: this.#stubView(at, table.columns) }));
      await show(views, request.database);
      const reader = await connection.runAndReadAll(
        `EXPLAIN (FORMAT json) ${request.sql.replace(EXPLAIN, '')}`,
      );
      const explained = String(reader.getRows()[0]?.[1]);
      return conditionsOf(explained, request.tables).map((condition) => condition ?? null);
    });
  }

  async run(
    request: Operations['run']['request'],
    use: UseConnection,
  ): Promise<Operations['run']['response']> {
    return this.#connected(use, async (connection, show) => {
      await show(request.tables, request.database);
      return writeRows(connection, request, () => use(connection));
    });
  }

  /** Zero rows under column names that can't be mistaken in the text of a plan. */
  #stubView(table: number, columns: StubTable['columns']): string {
    const schema = columns.map(({ type }, column) => {
      const name = text(stubColumn(table, column));
      return `${name}: {name: ${name}, type: ${text(type)}, default_value: NULL}`;
    });
    const list = columns.map(({ name }, column) => `${stubColumn(table, column)} AS ${identifier(name)}`);
    return `SELECT ${list.join(', ')} FROM read_parquet([${text(this.#stubFile)}], schema = MAP {${schema.join(', ')}})`;
  }

  async #connected<Result>(
    use: UseConnection,
    work: (connection: DuckDBConnection, show: Show) => Promise<Result>,
  ): Promise<Result> {
    const connection = await this.#instance.connect();
    const name = `statement_${randomBytes(16).toString('hex')}`;
    let attached = false;
    try {
      use(connection);
      return await work(connection, async (views, database) => {
        if (views.length === 0) return;
        attached = true;
        await connection.run(viewStatements(name, views, database));
      });
    } finally {
      // The answer doesn't wait for the clearing up.
      void release(connection, attached ? name : undefined);
    }
  }
}

/** Gives the connection's statements these views, and the schema for names without one. */
type Show = (views: readonly TableView[], database: string | undefined) => Promise<void>;

/** Is given the connection of an operation, to interrupt it; throws when it was cancelled before. */
export type UseConnection = (connection: DuckDBConnection) => void;

function viewStatements(name: string, views: readonly TableView[], database: string | undefined): string {
  const schemas = new Set(views.map((view) => view.database));
  if (database !== undefined) schemas.add(database);
  const statements = [`ATTACH ':memory:' AS ${name}`];
  for (const schema of schemas) statements.push(`CREATE SCHEMA ${name}.${identifier(schema)}`);
  for (const view of views) {
    statements.push(
      `CREATE VIEW ${name}.${identifier(view.database)}.${identifier(view.name)} AS ${view.sql}`,
    );
  }
  statements.push(`USE ${name}${database === undefined ? '' : `.${identifier(database)}`}`);
  return statements.join(';\n');
}

async function release(connection: DuckDBConnection, name: string | undefined): Promise<void> {
  try {
    if (name !== undefined) await connection.run(`USE memory; DETACH DATABASE IF EXISTS ${name}`);
  } catch {
    // Views that nobody can name any more; they go with the process.
  } finally {
    connection.disconnectSync();
  }
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function text(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}
