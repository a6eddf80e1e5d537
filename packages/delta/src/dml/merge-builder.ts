import { MERGE } from '../arguments/operations.ts';
import { assertShape } from '../arguments/shape.ts';
import type { TableContext } from '../table-context.ts';
import type { MergeClause, MergeRequest, MergeResult, MergeTarget, MergeValues } from './merge-request.ts';
import { mergeRows } from './merge-rows.ts';

/** Of a clause: which of the rows that it is for it applies to. */
export interface MergeCondition {
  /** Default: always. */
  readonly condition?: string | undefined;
}

/** A merge clause by clause; each call gives another builder and leaves this one as it was. */
export class MergeBuilder {
  readonly #context: TableContext;
  readonly #request: MergeRequest;

  /** @internal */
  constructor(context: TableContext, request: MergeRequest) {
    this.#context = context;
    this.#request = request;
  }

  /** Updates rows that match a row of the source. */
  whenMatchedUpdate(clause: MergeCondition & { readonly set: MergeValues }): MergeBuilder {
    return this.#with({ kind: 'matched-update', ...clause });
  }

  /** Deletes rows that match a row of the source. */
  whenMatchedDelete(clause: MergeCondition = {}): MergeBuilder {
    return this.#with({ kind: 'matched-delete', ...clause });
  }

  /** Inserts rows of the source that match none; the condition and the values see the source alone. */
  whenNotMatchedInsert(clause: MergeCondition & { readonly values: MergeValues }): MergeBuilder {
    return this.#with({ kind: 'insert', ...clause });
  }

  /** Updates rows that match no row of the source; the condition and the values see the table alone. */
  whenNotMatchedBySourceUpdate(
    clause: MergeCondition & { readonly set: Readonly<Record<string, string>> },
  ): MergeBuilder {
    return this.#with({ kind: 'by-source-update', ...clause });
  }

  /** Deletes rows that match no row of the source; the condition sees the table alone. */
  whenNotMatchedBySourceDelete(clause: MergeCondition = {}): MergeBuilder {
    return this.#with({ kind: 'by-source-delete', ...clause });
  }

  /** Lets the merge add columns, and members of structs, that clauses take from the source and the table lacks. */
  withSchemaEvolution(): MergeBuilder {
    return new MergeBuilder(this.#context, { ...this.#request, schemaEvolution: true });
  }

  /**
   * Makes the merge; durable and visible on return. Throws as `DeltaTable.update`, and `duplicate-match` where several
   * rows of the source would change one row of the table, unless an unconditional delete is the only clause for matches.
   */
  async execute(): Promise<MergeResult> {
    assertShape(this.#request, MERGE, 'merge');
    return mergeRows(this.#context, this.#request);
  }

  #with(clause: MergeClause): MergeBuilder {
    const clauses = [...this.#request.clauses, clause];
    return new MergeBuilder(this.#context, { ...this.#request, clauses });
  }
}

/** Begins a merge of a source into the table; nothing happens before `execute()`. */
export function mergeInto(context: TableContext, target: MergeTarget): MergeBuilder {
  return new MergeBuilder(context, { ...target, clauses: [] });
}
