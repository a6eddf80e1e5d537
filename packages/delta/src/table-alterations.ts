/** What ALTER TABLE does: changes of a table's schema, rules and properties, each durable and visible on return. */
import {
  addColumns,
  addConstraint,
  type AlterResult,
  changeColumn,
  type ColumnChange,
  type ColumnPath,
  dropColumns,
  dropConstraint,
  enableColumnMapping,
  type NewColumn,
  removeDomainMetadata,
  renameColumn,
  setClustering,
  setComment,
  setDomainMetadata,
  setProperties,
} from './alter/index.ts';
import type { StructField } from './schema/types.ts';
import type { TableContext } from './table-context.ts';

/**
 * Each method makes its change from the newest version, and again where other writers got in its way; throws
 * `invalid-schema` or `invalid-property` for a change that the table can't take, `unsupported-feature` for a table that
 * can't be written, `conflict`, and the errors of the store.
 */
export class TableAlterations {
  readonly #context: TableContext;

  constructor(context: TableContext) {
    this.#context = context;
  }

  /** Nullable columns, or members of structs, that the table lacks; rows before have NULL there. */
  addColumns(columns: readonly (NewColumn | StructField)[]): Promise<AlterResult> {
    return addColumns(this.#context, columns);
  }

  /** The type (to a wider one), the nullability, the comment or the place of a column. */
  changeColumn(change: ColumnChange): Promise<AlterResult> {
    return changeColumn(this.#context, change);
  }

  /** Needs column mapping; no file is rewritten. */
  renameColumn(rename: { readonly column: ColumnPath; readonly to: string }): Promise<AlterResult> {
    return renameColumn(this.#context, rename);
  }

  /** Needs column mapping; no file is rewritten. */
  dropColumns(columns: readonly ColumnPath[]): Promise<AlterResult> {
    return dropColumns(this.#context, columns);
  }

  /** Lets columns be renamed and dropped; readers must then know reader version 2. */
  enableColumnMapping(): Promise<AlterResult> {
    return enableColumnMapping(this.#context);
  }

  /** A condition that all rows, those there are included, must meet. */
  addConstraint(constraint: { readonly name: string; readonly expression: string }): Promise<AlterResult> {
    return addConstraint(this.#context, constraint);
  }

  dropConstraint(constraint: { readonly name: string; readonly ifExists?: boolean }): Promise<AlterResult> {
    return dropConstraint(this.#context, constraint);
  }

  /** Null removes a property. Those that need a table feature bring it along in the same commit. */
  setProperties(properties: Readonly<Record<string, string | null>>): Promise<AlterResult> {
    return setProperties(this.#context, properties);
  }

  /** Null removes it. */
  setComment(comment: string | null): Promise<AlterResult> {
    return setComment(this.#context, comment);
  }

  /** The columns that `optimize` clusters by from now on; none for no clustering. */
  setClustering(columns: readonly ColumnPath[]): Promise<AlterResult> {
    return setClustering(this.#context, columns);
  }

  /** Text of an application's own, kept with the table under a name that does not begin with `delta.`. */
  setDomainMetadata(metadata: {
    readonly domain: string;
    readonly configuration: string;
  }): Promise<AlterResult> {
    return setDomainMetadata(this.#context, metadata);
  }

  removeDomainMetadata(domain: string): Promise<AlterResult> {
    return removeDomainMetadata(this.#context, domain);
  }
}
