/** What a merge is asked to do. */
import type { RowSource } from '../engine.ts';
import type { StructType } from '../schema/types.ts';
import { invalid } from './expression.ts';
import type { RowOperationOptions, RowOperationResult } from './row-operation.ts';

/** `all`: every column from the source's column of that name. Otherwise expressions by column, cast to its type. */
export type MergeValues = 'all' | Readonly<Record<string, string>>;

export type MergeClause =
  /** For rows of the table that match a row of the source; conditions and values see both. */
  | { readonly kind: 'matched-update'; readonly condition?: string | undefined; readonly set: MergeValues }
  | { readonly kind: 'matched-delete'; readonly condition?: string | undefined }
  /** For rows of the source that match no row of the table; conditions and values see the source. */
  | { readonly kind: 'insert'; readonly condition?: string | undefined; readonly values: MergeValues }
  /** For rows of the table that match no row of the source; conditions and values see the table. */
  | {
      readonly kind: 'by-source-update';
      readonly condition?: string | undefined;
      readonly set: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'by-source-delete'; readonly condition?: string | undefined };

/** A merge without its clauses. */
export interface MergeTarget extends RowOperationOptions {
  readonly source: RowSource;
  /** Of the source; default: that of its SQL, and of other kinds the table's. */
  readonly schema?: StructType | undefined;
  /** The condition under which a row of the source and one of the table match. */
  readonly on: string;
  /** Default `source`. */
  readonly sourceAlias?: string | undefined;
  /** Default `target`. */
  readonly targetAlias?: string | undefined;
}

export interface MergeRequest extends MergeTarget {
  /** Of the clauses of a kind, the first whose condition is true applies to a row. */
  readonly clauses: readonly MergeClause[];
  /** Adds columns, and members of structs, that the source has and the table lacks, where a clause uses them. */
  readonly schemaEvolution?: boolean | undefined;
}

export interface MergeFacts {
  readonly rowsInserted: number;
  readonly rowsUpdated: number;
  readonly rowsDeleted: number;
  readonly sourceRows: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  readonly vectorsAdded: number;
}

export type MergeResult = RowOperationResult<MergeFacts>;

/** Throws `invalid-expression` for clauses that could never apply, aliases that are the same, and no clause at all. */
export function assertValidRequest(request: MergeRequest): void {
  const { clauses, sourceAlias = 'source', targetAlias = 'target' } = request;
  if (clauses.length === 0) throw invalid('the merge', 'it has no clause');
  if (sourceAlias.toLowerCase() === targetAlias.toLowerCase()) {
    throw invalid('the merge', `source and target have the same alias "${sourceAlias}"`);
  }
  for (const group of ['matched', 'insert', 'by-source']) {
    const own = clauses.filter(({ kind }) => kind.startsWith(group));
    if (own.slice(0, -1).some(({ condition }) => condition === undefined)) {
      throw invalid('the merge', `only the last clause of the kind "${group}" can be without a condition`);
    }
  }
}
