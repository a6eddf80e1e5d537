/**
 * From a statement's names to views: each name is resolved through the catalogue, each table pinned to one snapshot
 * for the whole statement, and files that can't hold a row that matters are left out.
 */
import { duckDbType, type Predicate, type Snapshot } from '@sluice/delta';
import type { SqlEngine, StatementAnalysis, TableView } from '../../ports/sql-engine.ts';
import { SqlError } from '../../ports/sql-engine.ts';
import type { Catalog } from '../catalog/index.ts';
import { required } from './catalog-statements.ts';
import { predicateOf } from './core/predicates.ts';
import { QueryError } from './errors.ts';

/** Reading the footers of fewer files costs less than planning the statement twice. */
const PRUNE_FILES_MIN = 32;

/** Schemas that the engine has itself. */
const ENGINE_SCHEMAS = new Set([
  'information_schema',
  'main',
  'memory',
  'pg_catalog',
  'recurring',
  'system',
  'temp',
]);

export interface Plan {
  readonly views: readonly TableView[];
  readonly tables: readonly { readonly name: string; readonly version: number }[];
  /** Sizes of the data files that the views name, as the logs tell them; each table once. */
  readonly bytesScanned: number;
  readonly filesSkipped: number;
  /** Lets clean-ups have the files again; to be called once the views are no longer read. */
  release(): void;
}

interface PinnedTable {
  readonly database: string;
  readonly name: string;
  readonly snapshot: Snapshot;
  readonly references: number;
  unpin(): void;
}

export async function plan(options: {
  readonly analysis: StatementAnalysis;
  readonly database: string | undefined;
  readonly catalog: Catalog;
  readonly engine: SqlEngine;
  readonly signal: AbortSignal;
}): Promise<Plan> {
  const tables = await pin(options);
  try {
    return await planScans(tables, options);
  } catch (error) {
    for (const table of tables) table.unpin();
    throw error;
  }
}

async function planScans(tables: readonly PinnedTable[], options: Parameters<typeof plan>[0]): Promise<Plan> {
  const predicates = await predicatesOf(tables, options);
  const scans = await Promise.all(
    tables.map(({ snapshot }, at) => {
      const predicate = predicates[at];
      return snapshot.scan(predicate === undefined ? {} : { predicate });
    }),
  );
  return {
    views: scans.map(({ sql }, at): TableView => {
      const { database, name } = tables[at]!;
      return { database, name, sql };
    }),
    tables: tables.map(({ database, name, snapshot }) => ({
      name: `${database}.${name}`,
      version: snapshot.version,
    })),
    bytesScanned: scans.reduce((sum, { bytes }) => sum + bytes, 0),
    filesSkipped: scans.reduce((sum, scan) => sum + scan.filesSkipped, 0),
    release() {
      for (const scan of scans) scan.release();
      for (const table of tables) table.unpin();
    },
  };
}

/** One snapshot a table, whatever the ways in which the statement names it. */
async function pin({ analysis, database, catalog }: Parameters<typeof plan>[0]): Promise<PinnedTable[]> {
  const named = new Map<string, { database: string; table: string; references: number }>();
  for (const reference of analysis.tables) {
    const schema = required(reference.database ?? database).toLowerCase();
    if (ENGINE_SCHEMAS.has(schema)) {
      throw new QueryError({
        code: 'unsupported',
        message: `NOT_SUPPORTED: tables of "${schema}" can't be queried`,
        hint: 'SHOW DATABASES, SHOW TABLES and DESCRIBE tell what is there.',
      });
    }
    const table = reference.table.toLowerCase();
    const key = JSON.stringify([schema, table]);
    const references = (named.get(key)?.references ?? 0) + reference.count;
    named.set(key, { database: schema, table, references });
  }
  return Promise.all(
    [...named.values()].map(async ({ database, table, references }) => {
      const open = await catalog.open(database, table);
      const snapshot = await open.snapshot();
      return { database, name: table, snapshot, references, unpin: open.delta.pin(snapshot) };
    }),
  );
}

async function predicatesOf(
  tables: readonly PinnedTable[],
  { analysis, database, engine, signal }: Parameters<typeof plan>[0],
): Promise<(Predicate | undefined)[]> {
  if (!analysis.filters || !tables.some(({ snapshot }) => snapshot.fileCount >= PRUNE_FILES_MIN)) return [];
  try {
    const conditions = await engine.conditions({
      sql: analysis.sql,
      ...(database !== undefined && { database: database.toLowerCase() }),
      tables: tables.map(({ database, name, snapshot, references }) => ({
        database,
        name,
        references,
        columns: snapshot.schema.fields.map((field) => ({ name: field.name, type: duckDbType(field.type) })),
      })),
      signal,
    });
    return conditions.map(
      (condition, at) => condition && predicateOf(condition, tables[at]!.snapshot.schema),
    );
  } catch (error) {
    // A statement that can't be planned fails again when it is run, with positions in the user's own text.
    if (error instanceof SqlError && (error.code === 'failed' || error.code === 'syntax')) return [];
    throw error;
  }
}
