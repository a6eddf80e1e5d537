import type {
  CommitSummary,
  DiffOptions,
  DiffSummary,
  FsckOptions,
  FsckResult,
  OptimizeOptions,
  RestoreOptions,
  RestoreResult,
  RewriteResult,
  TableDetail,
  VacuumOptions,
  VacuumResult,
} from '@sluice/delta';

export interface TableName {
  readonly database: string;
  readonly table: string;
}

/**
 * What keeps a table of the catalogue in shape, and tells what shape it is in. Every operation leaves the table readable
 * and writable by everyone while it runs; the options and results are the Delta library's.
 *
 * Rejects with `CatalogError`: `database-not-found`, `table-not-found`, `invalid` for options that the table can't take,
 * `unsupported`, `concurrent-change` when others were always first; and with the library's error for the rest.
 */
export interface TableMaintenance {
  /** The newest commits first. */
  history(name: TableName, options?: { readonly limit?: number | undefined }): Promise<CommitSummary[]>;
  detail(name: TableName): Promise<TableDetail>;
  optimize(name: TableName, options?: OptimizeOptions): Promise<RewriteResult>;
  vacuum(name: TableName, options?: VacuumOptions): Promise<VacuumResult>;
  restore(name: TableName, options: RestoreOptions): Promise<RestoreResult>;
  diff(name: TableName, options: DiffOptions): Promise<DiffSummary>;
  fsck(name: TableName, options?: FsckOptions): Promise<FsckResult>;
}
