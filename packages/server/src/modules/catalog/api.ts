import type { DeltaTable, Snapshot, StructField, StructType } from '@sluice/delta';

/**
 * Names of databases and tables, and where their data is. A native Delta table has one truth, its log: the
 * catalogue keeps where it is and who describes it, and reads columns from the log.
 */
export interface Catalog {
  createDatabase(input: DatabaseInput): Promise<Database>;
  database(name: string): Promise<Database>;
  databases(page: Page): Promise<Paged<Database>>;
  /** Refused with `database-not-empty` while it holds a table; its directory stays. */
  deleteDatabase(name: string): Promise<void>;

  /** Creates the row and, for a Delta table without a log at its location, the log. */
  createTable(database: string, input: TableInput): Promise<Table>;
  table(database: string, name: string): Promise<Table>;
  tables(database: string, page: Page & { readonly expression?: string }): Promise<Paged<Table>>;
  /** New columns are added to the Delta log; dropping, renaming or retyping one is refused with `unsupported`. */
  updateTable(database: string, input: TableInput): Promise<Table>;
  /** Forgets the name; the files of the table stay. */
  deleteTable(database: string, name: string): Promise<void>;

  /**
   * The Delta table behind a name: one shared handle per table and process, so that snapshots are refreshed and never
   * replayed from the start.
   */
  open(database: string, name: string): Promise<OpenTable>;
  /** All tables with their present state; for `sluice status`, one refresh a table. */
  overview(): Promise<TableOverview[]>;
  /** All tables, without looking into their logs. */
  places(): Promise<PlacedTable[]>;
}

export type CatalogErrorCode =
  | 'database-not-found'
  | 'database-exists'
  | 'database-not-empty'
  | 'table-not-found'
  | 'table-exists'
  | 'invalid'
  | 'unsupported'
  | 'concurrent-change';

export interface DatabaseInput {
  /** Lower-cased on the way in, as Glue does. */
  readonly name: string;
  readonly description?: string;
  /** `file://` URI; defaults to a directory under the data directory. */
  readonly locationUri?: string;
  readonly parameters?: Readonly<Record<string, string>>;
}

export interface Database extends DatabaseInput {
  readonly locationUri: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly createdMs: number;
}

export interface TableInput {
  readonly name: string;
  readonly description?: string;
  readonly owner?: string;
  readonly tableType?: string;
  /** Hive types, as Glue takes them; the partition keys are not among the columns. */
  readonly columns: readonly HiveColumn[];
  readonly partitionKeys: readonly HiveColumn[];
  /** `file://` URI; defaults to a directory named as the table in the database's location. */
  readonly location?: string;
  /** `table_type = DELTA` makes it a native Delta table; other kinds are refused with `unsupported`. */
  readonly parameters: Readonly<Record<string, string>>;
}

export interface HiveColumn {
  readonly name: string;
  readonly type: string;
  readonly comment?: string;
}

export interface Table extends TableInput {
  readonly database: string;
  readonly location: string;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Counts changes of the catalogue's entry, from 0. */
  readonly versionId: number;
}

export interface OpenTable {
  readonly table: Table;
  readonly delta: DeltaTable;
  /** The newest snapshot; incremental. */
  snapshot(): Promise<Snapshot>;
  /** Absolute directory of the table on this machine. */
  readonly root: string;
}

export interface PlacedTable {
  readonly database: string;
  readonly name: string;
  /** Whether this process has used the table lately. */
  readonly isOpen: boolean;
  /** The shared handle; undefined when there is no log any more. */
  open(): Promise<DeltaTable | undefined>;
}

export interface TableOverview {
  readonly database: string;
  readonly name: string;
  readonly version: number;
  readonly files: number;
  readonly sizeBytes: number;
  readonly rows: number | undefined;
  /** When the newest version was committed. */
  readonly committedMs: number;
}

export interface Page {
  /** From the page before; opaque. */
  readonly token?: string;
  readonly limit: number;
}

export interface Paged<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

export type { DeltaTable, Snapshot, StructField, StructType };
