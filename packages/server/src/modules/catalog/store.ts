import type { MetaStore, Migration } from '../../ports/meta-store.ts';
import type { Page, Paged } from './api.ts';
import { CatalogError } from './errors.ts';

export interface DatabaseRow {
  name: string;
  description: string | null;
  /** Relative to the data directory, so that it can be moved. */
  location: string;
  /** JSON object. */
  parameters: string;
  created_ms: number;
}

export interface TableRow {
  database: string;
  name: string;
  /** JSON of `StoredTable`. */
  definition: string;
  /** Relative to the data directory. */
  location: string;
  created_ms: number;
  updated_ms: number;
  version_id: number;
}

export interface CatalogTables {
  catalog_databases: DatabaseRow;
  catalog_tables: TableRow;
  catalog_table_versions: {
    database: string;
    name: string;
    version_id: number;
    definition: string;
    replaced_ms: number;
  };
}

export const MIGRATIONS: readonly Migration[] = [
  {
    version: 1,
    sql: [
      `CREATE TABLE catalog_databases (
        name text PRIMARY KEY, description text, location text NOT NULL, parameters text NOT NULL, created_ms bigint NOT NULL)`,
      `CREATE TABLE catalog_tables (
        database text NOT NULL REFERENCES catalog_databases (name), name text NOT NULL, definition text NOT NULL,
        location text NOT NULL, created_ms bigint NOT NULL, updated_ms bigint NOT NULL, version_id bigint NOT NULL,
        PRIMARY KEY (database, name))`,
      `CREATE TABLE catalog_table_versions (
        database text NOT NULL, name text NOT NULL, version_id bigint NOT NULL, definition text NOT NULL,
        replaced_ms bigint NOT NULL,
        PRIMARY KEY (database, name, version_id),
        FOREIGN KEY (database, name) REFERENCES catalog_tables (database, name) ON DELETE CASCADE)`,
    ],
  },
];

const PAGE_MAX = 1_000;

/** Rows of the catalogue; every change is durable on return. */
export class CatalogStore {
  readonly #meta: MetaStore;

  private constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  static async open(meta: MetaStore): Promise<CatalogStore> {
    await meta.migrate('catalog', MIGRATIONS);
    return new CatalogStore(meta);
  }

  /** False when the name is taken. */
  async addDatabase(row: DatabaseRow): Promise<boolean> {
    const result = await this.#db
      .insertInto('catalog_databases')
      .values(row)
      .onConflict((conflict) => conflict.doNothing())
      .executeTakeFirst();
    return result.numInsertedOrUpdatedRows === 1n;
  }

  database(name: string): Promise<DatabaseRow | undefined> {
    return this.#db.selectFrom('catalog_databases').selectAll().where('name', '=', name).executeTakeFirst();
  }

  async databases(page: Page): Promise<Paged<DatabaseRow>> {
    const { after, limit } = bounds(page);
    const rows = await this.#db
      .selectFrom('catalog_databases')
      .selectAll()
      .where('name', '>', after)
      .orderBy('name')
      .limit(limit + 1)
      .execute();
    return paged(rows, limit);
  }

  removeDatabase(name: string): Promise<'removed' | 'not-empty' | 'absent'> {
    return this.#meta.transaction<CatalogTables, 'removed' | 'not-empty' | 'absent'>(async (tx) => {
      const table = await tx
        .selectFrom('catalog_tables')
        .select('name')
        .where('database', '=', name)
        .limit(1)
        .executeTakeFirst();
      if (table) return 'not-empty';
      const { numDeletedRows } = await tx
        .deleteFrom('catalog_databases')
        .where('name', '=', name)
        .executeTakeFirst();
      return numDeletedRows === 1n ? 'removed' : 'absent';
    });
  }

  addTable(row: TableRow): Promise<'added' | 'exists' | 'no-database'> {
    return this.#meta.transaction<CatalogTables, 'added' | 'exists' | 'no-database'>(async (tx) => {
      const database = await tx
        .selectFrom('catalog_databases')
        .select('name')
        .where('name', '=', row.database)
        .executeTakeFirst();
      if (!database) return 'no-database';
      const result = await tx
        .insertInto('catalog_tables')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      return result.numInsertedOrUpdatedRows === 1n ? 'added' : 'exists';
    });
  }

  table(database: string, name: string): Promise<TableRow | undefined> {
    return this.#db
      .selectFrom('catalog_tables')
      .selectAll()
      .where('database', '=', database)
      .where('name', '=', name)
      .executeTakeFirst();
  }

  async tables(database: string, page: Page, accept: (name: string) => boolean): Promise<Paged<TableRow>> {
    const { after, limit } = bounds(page);
    const accepted: TableRow[] = [];
    for (let from = after; accepted.length <= limit;) {
      const rows = await this.#db
        .selectFrom('catalog_tables')
        .selectAll()
        .where('database', '=', database)
        .where('name', '>', from)
        .orderBy('name')
        .limit(limit + 1)
        .execute();
      accepted.push(...rows.filter((row) => accept(row.name)));
      if (rows.length <= limit) break;
      from = rows.at(-1)!.name;
    }
    return paged(accepted.slice(0, limit + 1), limit);
  }

  allTables(): Promise<TableRow[]> {
    return this.#db.selectFrom('catalog_tables').selectAll().orderBy('database').orderBy('name').execute();
  }

  /** Keeps the definition that is replaced. False when the table's version is not the expected one any more. */
  replaceTable(row: TableRow, expectedVersionId: number): Promise<boolean> {
    return this.#meta.transaction<CatalogTables, boolean>(async (tx) => {
      const present = await tx
        .selectFrom('catalog_tables')
        .selectAll()
        .where('database', '=', row.database)
        .where('name', '=', row.name)
        .executeTakeFirst();
      if (present?.version_id !== expectedVersionId) return false;
      await tx
        .insertInto('catalog_table_versions')
        .values({
          database: row.database,
          name: row.name,
          version_id: present.version_id,
          definition: present.definition,
          replaced_ms: row.updated_ms,
        })
        .execute();
      await tx
        .updateTable('catalog_tables')
        .set({ definition: row.definition, updated_ms: row.updated_ms, version_id: row.version_id })
        .where('database', '=', row.database)
        .where('name', '=', row.name)
        .execute();
      return true;
    });
  }

  async removeTable(database: string, name: string): Promise<boolean> {
    const { numDeletedRows } = await this.#db
      .deleteFrom('catalog_tables')
      .where('database', '=', database)
      .where('name', '=', name)
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }

  get #db() {
    return this.#meta.tables<CatalogTables>();
  }
}

/** Tokens are the last name of the page before, so that they outlive changes and restarts. */
function bounds({ token, limit }: Page): { after: string; limit: number } {
  if (token === undefined) return { after: '', limit: Math.min(limit, PAGE_MAX) };
  const after = Buffer.from(token, 'base64url').toString();
  if (!after.startsWith(TOKEN_PREFIX) || Buffer.from(after).toString('base64url') !== token) {
    throw new CatalogError({
      code: 'invalid',
      message: 'the page token is not one that this list gave',
      hint: 'Start again without a token.',
    });
  }
  return { after: after.slice(TOKEN_PREFIX.length), limit: Math.min(limit, PAGE_MAX) };
}

const TOKEN_PREFIX = 'after:';

function paged<Row extends { name: string }>(rows: Row[], limit: number): Paged<Row> {
  if (rows.length <= limit) return { items: rows };
  const items = rows.slice(0, limit);
  const next = Buffer.from(TOKEN_PREFIX + items.at(-1)!.name).toString('base64url');
  return { items, next };
}
