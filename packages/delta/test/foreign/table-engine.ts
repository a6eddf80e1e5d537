/** What every engine under test can be asked to do with a table, and the form in which rows travel between them. */
import type { StructType } from '../../src/index.ts';

/**
 * A value as `arrow_rows.py` describes it: long, decimal and timestamps (microseconds since 1970) as text, binary as
 * `0x…`, NaN and the infinities by name, maps as lists of pairs.
 */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [name: string]: Value };
export type Row = Readonly<Record<string, Value>>;

export interface Rows {
  readonly schema: StructType;
  readonly rows: readonly Row[];
}

export interface NewTable {
  readonly schema: StructType;
  readonly partitionColumns?: readonly string[];
  readonly properties?: Readonly<Record<string, string>>;
}

export interface Upsert extends Rows {
  /** Over `target` and `source`. */
  readonly on: string;
  /** Deletes matching rows for which it is true; the others take the source's values. */
  readonly deleteWhen?: string;
}

export interface Facts {
  readonly version: number;
  readonly files: number;
  readonly bytes: number;
}

export type EngineName = 'sluice' | 'spark' | 'delta-rs';

/** Paths are absolute. Conditions and expressions are SQL that all engines understand alike. */
export interface TableEngine {
  readonly name: EngineName;
  create(path: string, table: NewTable): Promise<void>;
  read(path: string, version?: number): Promise<Row[]>;
  append(path: string, rows: Rows & { readonly mergeSchema?: boolean }): Promise<void>;
  /** All rows, or those for which `where` is true. */
  overwrite(path: string, rows: Rows & { readonly where?: string }): Promise<void>;
  delete(path: string, where: string): Promise<void>;
  update(
    path: string,
    change: { readonly set: Readonly<Record<string, string>>; readonly where: string },
  ): Promise<void>;
  merge(path: string, upsert: Upsert): Promise<void>;
  optimize(path: string, options?: { readonly zOrderBy?: readonly string[] }): Promise<void>;
  /** Of everything that the newest version does not need. */
  vacuum(path: string): Promise<void>;
  checkpoint(path: string): Promise<void>;
  /** Deletes what of the log has expired. */
  cleanUp(path: string): Promise<void>;
  /** The change feed between two versions, both inclusive, without the times of the commits. */
  changes(path: string, range: { readonly from: number; readonly to?: number }): Promise<Row[]>;
  facts(path: string): Promise<Facts>;
}
