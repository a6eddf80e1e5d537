/**
 * The catalogue over the MetaStore and Delta logs.
 *
 * C1 A table that is listed has a log: the log is created first and the row after it. A crash between leaves a log
 * without a name, which the same request takes over when it is repeated.
 * C2 Columns, partition keys and `delta.*` properties are read from the log; the row keeps only what a log has no
 * place for.
 * C3 Changes of one table run one after another in this process; the row's version guards against others.
 */
import { join, relative } from 'node:path';
import type { DeltaTable, Snapshot } from '@sluice/delta';
import type { Clock } from '../../ports/clock.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger } from '../../ports/observe.ts';
import type {
  Catalog,
  Database,
  DatabaseInput,
  HiveColumn,
  OpenTable,
  Page,
  Paged,
  PlacedTable,
  Table,
  TableInput,
  TableOverview,
} from './api.ts';
import { addedFields, columnsOf, schemaOf } from './core/columns.ts';
import { locationPath, locationUri } from './core/locations.ts';
import { namePattern } from './core/name-pattern.ts';
import { directoryName, entityName } from './core/names.ts';
import { sortParameters } from './core/parameters.ts';
import { translated } from './delta-errors.ts';
import { CatalogError } from './errors.ts';
import { CatalogStore, type DatabaseRow, type TableRow } from './store.ts';
import { TableHandles, type DeltaTables } from './table-handles.ts';

export interface CatalogOptions {
  readonly meta: MetaStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Absolute; every table is in it. A database's default location is the directory of its name in here. */
  readonly dataDirectory: string;
  readonly tables: DeltaTables;
}

/** Applies the catalogue's migrations. */
export async function createCatalog(options: CatalogOptions): Promise<Catalog> {
  return new CatalogService(options, await CatalogStore.open(options.meta));
}

/** What a row keeps of a table: all that its log doesn't. */
interface StoredTable {
  readonly description?: string;
  readonly owner?: string;
  readonly tableType?: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Overviews read this many tables at a time. */
const OVERVIEW_TABLES_AT_ONCE = 8;

class CatalogService implements Catalog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #dataDirectory: string;
  readonly #store: CatalogStore;
  readonly #handles: TableHandles;
  readonly #changing = new Map<string, Promise<unknown>>();

  constructor(options: CatalogOptions, store: CatalogStore) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#dataDirectory = options.dataDirectory;
    this.#handles = new TableHandles(options.tables);
    this.#store = store;
  }

  async createDatabase(input: DatabaseInput): Promise<Database> {
    const name = entityName('database', input.name);
    const uri = input.locationUri?.replace(/\/+$/, '');
    const path =
      uri === undefined || uri === ''
        ? join(this.#dataDirectory, directoryName(name))
        : locationPath(uri, this.#dataDirectory);
    const row: DatabaseRow = {
      name,
      description: input.description ?? null,
      location: relative(this.#dataDirectory, path),
      parameters: JSON.stringify(input.parameters ?? {}),
      created_ms: this.#clock.nowMs(),
    };
    if (!(await this.#store.addDatabase(row))) {
      throw new CatalogError({ code: 'database-exists', message: `the database "${name}" already exists` });
    }
    return toDatabase(row, this.#pathOf(row));
  }

  async database(name: string): Promise<Database> {
    const row = await this.#store.database(name.toLowerCase());
    if (!row) throw databaseNotFound(name);
    return toDatabase(row, this.#pathOf(row));
  }

  async databases(page: Page): Promise<Paged<Database>> {
    const { items, next } = await this.#store.databases(page);
    return {
      items: items.map((row) => toDatabase(row, this.#pathOf(row))),
      ...(next !== undefined && { next }),
    };
  }

  async deleteDatabase(name: string): Promise<void> {
    const outcome = await this.#store.removeDatabase(name.toLowerCase());
    if (outcome === 'absent') throw databaseNotFound(name);
    if (outcome === 'not-empty') {
      throw new CatalogError({
        code: 'database-not-empty',
        message: `the database "${name}" has tables`,
        hint: 'Delete its tables first.',
      });
    }
  }

  async createTable(databaseName: string, input: TableInput): Promise<Table> {
    const database = await this.database(databaseName);
    const name = entityName('table', input.name);
    const parameters = sortParameters(name, input.parameters);
    const schema = schemaOf(input.columns, input.partitionKeys);
    const root = this.#rootOf(database, name, input.location);
    return this.#oneAtATime(root, async () => {
      if (await this.#store.table(database.name, name)) throw tableExists(database.name, name);
      let delta = await this.#handles.open(root);
      if (delta === undefined) {
        if (schema.fields.length === 0) {
          throw new CatalogError({ code: 'invalid', message: `the table "${name}" has no columns` });
        }
        delta = await translated(name, () =>
          this.#handles.create(root, {
            ...(input.description !== undefined && { description: input.description }),
            schema,
            partitionColumns: input.partitionKeys.map((key) => key.name),
            properties: parameters.delta,
          }),
        );
      } else {
        await this.#adopt(delta, { name, input, root, delta: parameters.delta });
      }
      const now = this.#clock.nowMs();
      const row: TableRow = {
        database: database.name,
        name,
        definition: JSON.stringify(storedOf(input, parameters.kept)),
        location: relative(this.#dataDirectory, root),
        created_ms: now,
        updated_ms: now,
        version_id: 0,
      };
      const outcome = await this.#store.addTable(row);
      if (outcome === 'exists') throw tableExists(database.name, name);
      if (outcome === 'no-database') throw databaseNotFound(database.name);
      return this.#shown(row, await delta.snapshot());
    });
  }

  async table(database: string, name: string): Promise<Table> {
    const { table } = await this.#present(database, name);
    return table;
  }

  async tables(database: string, page: Page & { readonly expression?: string }): Promise<Paged<Table>> {
    await this.database(database);
    const accept = page.expression ? namePattern(page.expression) : () => true;
    const { items, next } = await this.#store.tables(database.toLowerCase(), page, accept);
    return {
      items: await Promise.all(items.map((row) => this.#listed(row))),
      ...(next !== undefined && { next }),
    };
  }

  async updateTable(database: string, input: TableInput): Promise<Table> {
    const name = entityName('table', input.name);
    const parameters = sortParameters(name, input.parameters);
    const { row: first } = await this.#row(database, name);
    const root = this.#pathOf(first);
    return this.#oneAtATime(root, async () => {
      const { row } = await this.#row(database, name);
      if (input.location !== undefined && this.#rootOf(undefined, name, input.location) !== root) {
        throw new CatalogError({
          code: 'unsupported',
          message: `the location of the table "${name}" can't change from ${locationUri(root)}`,
          hint: 'Create a table with another name at the other location.',
        });
      }
      const delta = await this.#log(row);
      await translated(name, () => this.#changeLog(delta, input, parameters.delta));
      const changed: TableRow = {
        ...row,
        definition: JSON.stringify(storedOf(input, parameters.kept)),
        updated_ms: this.#clock.nowMs(),
        version_id: row.version_id + 1,
      };
      if (!(await this.#store.replaceTable(changed, row.version_id))) {
        throw new CatalogError({
          code: 'concurrent-change',
          message: `the table "${row.database}.${name}" was changed at the same time`,
          retry: 'backoff',
        });
      }
      return this.#shown(changed, await delta.snapshot());
    });
  }

  async deleteTable(database: string, name: string): Promise<void> {
    const { row } = await this.#row(database, name);
    const root = this.#pathOf(row);
    await this.#oneAtATime(root, async () => {
      if (!(await this.#store.removeTable(row.database, row.name)))
        throw tableNotFound(row.database, row.name);
      this.#handles.forget(root);
    });
  }

  async open(database: string, name: string): Promise<OpenTable> {
    const { table, delta, root } = await this.#present(database, name);
    return { table, delta, root, snapshot: () => delta.snapshot() };
  }

  async overview(): Promise<TableOverview[]> {
    const rows = await this.#store.allTables();
    const overviews: TableOverview[] = [];
    for (let at = 0; at < rows.length; at += OVERVIEW_TABLES_AT_ONCE) {
      const some = rows.slice(at, at + OVERVIEW_TABLES_AT_ONCE).map((row) => this.#overviewOf(row));
      overviews.push(...(await Promise.all(some)).filter((overview) => overview !== undefined));
    }
    return overviews;
  }

  async places(): Promise<PlacedTable[]> {
    return (await this.#store.allTables()).map((row): PlacedTable => {
      const root = this.#pathOf(row);
      const { database, name } = row;
      return { database, name, isOpen: this.#handles.has(root), open: () => this.#handles.open(root) };
    });
  }

  async #overviewOf(row: TableRow): Promise<TableOverview | undefined> {
    try {
      const snapshot = await (await this.#log(row)).snapshot();
      return {
        database: row.database,
        name: row.name,
        version: snapshot.version,
        files: snapshot.fileCount,
        sizeBytes: snapshot.sizeBytes,
        rows: snapshot.rowCount,
        committedMs: snapshot.timestampMs,
      };
    } catch (error) {
      this.#logger.warn({ database: row.database, table: row.name, error }, 'a table can not be read');
      return undefined;
    }
  }

  async #changeLog(
    delta: DeltaTable,
    input: TableInput,
    properties: Readonly<Record<string, string>>,
  ): Promise<void> {
    const snapshot = await delta.snapshot();
    const present = columnsOf(snapshot.schema, snapshot.partitionColumns);
    if (input.partitionKeys.length > 0 && !sameNames(input.partitionKeys, present.partitionKeys)) {
      throw new CatalogError({
        code: 'unsupported',
        message: `the partition keys of the table "${input.name}" can't change from (${names(present.partitionKeys)}) to (${names(input.partitionKeys)})`,
      });
    }
    if (input.columns.length > 0) {
      const keys = input.partitionKeys.length > 0 ? input.partitionKeys : present.partitionKeys;
      const added = addedFields(snapshot.schema, schemaOf(input.columns, keys));
      if (added.length > 0) await delta.alter.addColumns(added);
    }
    const changed = Object.entries(properties).filter(([name, value]) => snapshot.properties[name] !== value);
    if (changed.length > 0) await delta.alter.setProperties(Object.fromEntries(changed));
  }

  /** Takes over a log that is there: left by a crash, by a table that was deleted, or written by another program. */
  async #adopt(
    delta: DeltaTable,
    wanted: { name: string; input: TableInput; root: string; delta: Readonly<Record<string, string>> },
  ): Promise<void> {
    const snapshot = await delta.snapshot();
    const { input } = wanted;
    const present = columnsOf(snapshot.schema, snapshot.partitionColumns);
    const asIs = input.columns.length === 0 && input.partitionKeys.length === 0;
    if (
      !asIs &&
      (!sameColumns(input.columns, present.columns) ||
        !sameColumns(input.partitionKeys, present.partitionKeys))
    ) {
      throw new CatalogError({
        code: 'invalid',
        message: `there is a Delta table at ${locationUri(wanted.root)} with other columns: ${describe(present.columns)}${present.partitionKeys.length > 0 ? `, partitioned by ${describe(present.partitionKeys)}` : ''}`,
        hint: 'Leave the columns out to take it as it is, or choose another location.',
      });
    }
    const changed = Object.entries(wanted.delta).filter(
      ([name, value]) => snapshot.properties[name] !== value,
    );
    if (changed.length === 0) return;
    await translated(wanted.name, () => delta.alter.setProperties(Object.fromEntries(changed)));
  }

  async #listed(row: TableRow): Promise<Table> {
    try {
      return this.#shown(row, await (await this.#log(row)).snapshot());
    } catch (error) {
      // One table with a damaged log must not hide the others.
      this.#logger.warn({ database: row.database, table: row.name, error }, 'a table can not be read');
      return this.#shown(row);
    }
  }

  async #present(database: string, name: string): Promise<{ table: Table; delta: DeltaTable; root: string }> {
    const { row } = await this.#row(database, name);
    const delta = await this.#log(row);
    return { table: this.#shown(row, await delta.snapshot()), delta, root: this.#pathOf(row) };
  }

  async #row(database: string, name: string): Promise<{ row: TableRow }> {
    const row = await this.#store.table(database.toLowerCase(), name.toLowerCase());
    if (row) return { row };
    await this.database(database);
    throw tableNotFound(database, name);
  }

  async #log(row: TableRow): Promise<DeltaTable> {
    const delta = await this.#handles.open(this.#pathOf(row));
    if (delta) return delta;
    throw new CatalogError({
      code: 'table-not-found',
      message: `the table "${row.database}.${row.name}" has no Delta log at ${locationUri(this.#pathOf(row))}`,
      hint: 'Its files were removed: bring them back, or delete the table and create it again.',
    });
  }

  #shown(row: TableRow, snapshot?: Snapshot): Table {
    return toTable({ row, path: this.#pathOf(row), snapshot });
  }

  #pathOf(row: DatabaseRow | TableRow): string {
    return join(this.#dataDirectory, row.location);
  }

  #rootOf(database: Database | undefined, name: string, location: string | undefined): string {
    const uri = location?.replace(/\/+$/, '');
    if (uri !== undefined && uri !== '') return locationPath(uri, this.#dataDirectory);
    const base = database ? locationPath(database.locationUri, this.#dataDirectory) : this.#dataDirectory;
    return join(base, directoryName(name));
  }

  #oneAtATime<Result>(root: string, change: () => Promise<Result>): Promise<Result> {
    const before = this.#changing.get(root) ?? Promise.resolve();
    const run = before.then(change, change);
    this.#changing.set(root, run);
    const done = (): void => {
      if (this.#changing.get(root) === run) this.#changing.delete(root);
    };
    run.then(done, done);
    return run;
  }
}

function storedOf(input: TableInput, parameters: Readonly<Record<string, string>>): StoredTable {
  const { description, owner, tableType } = input;
  return {
    ...(description !== undefined && { description }),
    ...(owner !== undefined && { owner }),
    ...(tableType !== undefined && { tableType }),
    parameters,
  };
}

function toDatabase(row: DatabaseRow, path: string): Database {
  return {
    name: row.name,
    ...(row.description !== null && { description: row.description }),
    locationUri: locationUri(path),
    parameters: JSON.parse(row.parameters) as Record<string, string>,
    createdMs: row.created_ms,
  };
}

function toTable({
  row,
  path,
  snapshot,
}: {
  row: TableRow;
  path: string;
  snapshot: Snapshot | undefined;
}): Table {
  const { parameters, ...stored } = JSON.parse(row.definition) as StoredTable;
  const shape = snapshot
    ? columnsOf(snapshot.schema, snapshot.partitionColumns)
    : { columns: [], partitionKeys: [] };
  const delta = Object.entries(snapshot?.properties ?? {}).filter(([name]) => name.startsWith('delta.'));
  return {
    ...stored,
    database: row.database,
    name: row.name,
    ...shape,
    location: locationUri(path),
    parameters: { ...Object.fromEntries(delta), ...parameters },
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
    versionId: row.version_id,
  };
}

function sameColumns(wanted: readonly HiveColumn[], present: readonly HiveColumn[]): boolean {
  const text = (columns: readonly HiveColumn[]): string =>
    schemaOf(columns, [])
      .fields.map((field) => `${field.name.toLowerCase()} ${JSON.stringify(field.type)}`)
      .join();
  return text(wanted) === text(present);
}

function sameNames(left: readonly HiveColumn[], right: readonly HiveColumn[]): boolean {
  return names(left).toLowerCase() === names(right).toLowerCase();
}

function names(columns: readonly HiveColumn[]): string {
  return columns.map((column) => column.name).join(', ');
}

function describe(columns: readonly HiveColumn[]): string {
  return columns.map((column) => `${column.name} ${column.type}`).join(', ');
}

function databaseNotFound(name: string): CatalogError {
  return new CatalogError({
    code: 'database-not-found',
    message: `the database "${name}" does not exist`,
    hint: 'CreateDatabase makes it; SHOW DATABASES lists those that are there.',
  });
}

function tableNotFound(database: string, name: string): CatalogError {
  return new CatalogError({
    code: 'table-not-found',
    message: `the table "${database}.${name}" does not exist`,
    hint: `SHOW TABLES IN ${database} lists those that are there.`,
  });
}

function tableExists(database: string, name: string): CatalogError {
  return new CatalogError({
    code: 'table-exists',
    message: `the table "${database}.${name}" already exists`,
  });
}
