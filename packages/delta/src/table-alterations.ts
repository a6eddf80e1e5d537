/** What ALTER TABLE does: changes of a table's schema, rules and properties, each durable and visible on return. */
import * as shapes from './arguments/operations.ts';
import { assertShape } from './arguments/shape.ts';
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

  /** @internal */
  constructor(context: TableContext) {
    this.#context = context;
  }

  /** Nullable columns, or members of structs, that the table lacks; rows before have NULL there. */
  async addColumns(columns: readonly (NewColumn | StructField)[]): Promise<AlterResult> {
    assertShape(columns, shapes.ADD_COLUMNS, 'alter.addColumns');
    return addColumns(this.#context, columns);
  }

  /** The type (to a wider one), the nullability, the comment or the place of a column. */
  async changeColumn(change: ColumnChange): Promise<AlterResult> {
    assertShape(change, shapes.CHANGE_COLUMN, 'alter.changeColumn');
    return changeColumn(this.#context, change);
  }

  /** Needs column mapping; no file is rewritten. */
  async renameColumn(rename: { readonly column: ColumnPath; readonly to: string }): Promise<AlterResult> {
    assertShape(rename, shapes.RENAME_COLUMN, 'alter.renameColumn');
    return renameColumn(this.#context, rename);
  }

  /** Needs column mapping; no file is rewritten. */
  async dropColumns(columns: readonly ColumnPath[]): Promise<AlterResult> {
    assertShape(columns, shapes.COLUMNS, 'alter.dropColumns');
    return dropColumns(this.#context, columns);
  }

  /** Lets columns be renamed and dropped; readers must then know reader version 2. */
  enableColumnMapping(): Promise<AlterResult> {
    return enableColumnMapping(this.#context);
  }

  /**
   * A condition, in Spark SQL, that all rows must meet; NULL breaks it. Reads the rows there are, and throws `constraint`
   * showing one that breaks it.
   */
  async addConstraint(constraint: {
    readonly name: string;
    readonly expression: string;
  }): Promise<AlterResult> {
    assertShape(constraint, shapes.CONSTRAINT, 'alter.addConstraint');
    return addConstraint(this.#context, constraint);
  }

  /** Throws `invalid-property` for one that isn't there, unless `ifExists`. */
  async dropConstraint(constraint: {
    readonly name: string;
    readonly ifExists?: boolean;
  }): Promise<AlterResult> {
    assertShape(constraint, shapes.DROPPED_CONSTRAINT, 'alter.dropConstraint');
    return dropConstraint(this.#context, constraint);
  }

  /** Null removes a property. Those that need a table feature bring it along in the same commit. */
  async setProperties(properties: Readonly<Record<string, string | null>>): Promise<AlterResult> {
    assertShape(properties, shapes.PROPERTIES, 'alter.setProperties');
    return setProperties(this.#context, properties);
  }

  /** The table's description; null removes it. */
  async setComment(comment: string | null): Promise<AlterResult> {
    assertShape(comment, shapes.COMMENT, 'alter.setComment');
    return setComment(this.#context, comment);
  }

  /** The columns that `optimize` clusters by from now on; none for no clustering. */
  async setClustering(columns: readonly ColumnPath[]): Promise<AlterResult> {
    assertShape(columns, shapes.COLUMNS, 'alter.setClustering');
    return setClustering(this.#context, columns);
  }

  /** Text of an application's own, kept with the table under a name that does not begin with `delta.`. */
  async setDomainMetadata(metadata: {
    readonly domain: string;
    readonly configuration: string;
  }): Promise<AlterResult> {
    assertShape(metadata, shapes.DOMAIN_METADATA, 'alter.setDomainMetadata');
    return setDomainMetadata(this.#context, metadata);
  }

  /** One that isn't there is left so. */
  async removeDomainMetadata(domain: string): Promise<AlterResult> {
    assertShape(domain, shapes.DOMAIN, 'alter.removeDomainMetadata');
    return removeDomainMetadata(this.#context, domain);
  }
}
