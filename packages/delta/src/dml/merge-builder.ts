import type { TableContext } from '../table-context.ts';
import type { MergeClause, MergeRequest, MergeResult, MergeValues } from './merge-request.ts';
import { mergeRows } from './merge-rows.ts';

/** A merge without its clauses. */
export type MergeTarget = Omit<MergeRequest, 'clauses' | 'schemaEvolution'>;

interface Conditional {
  /** Default: always. */
  readonly condition?: string | undefined;
}

/** A merge clause by clause; each call gives another builder and leaves this one as it was. */
export class MergeBuilder {
  readonly #context: TableContext;
  readonly #request: MergeRequest;

  constructor(context: TableContext, request: MergeRequest) {
    this.#context = context;
    this.#request = request;
  }

  /** Updates rows that match a row of the source. */
  whenMatchedUpdate(clause: Conditional & { readonly set: MergeValues }): MergeBuilder {
    return this.#with({ kind: 'matched-update', ...clause });
  }

  /** Deletes rows that match a row of the source. */
  whenMatchedDelete(clause: Conditional = {}): MergeBuilder {
    return this.#with({ kind: 'matched-delete', ...clause });
  }

  /** Inserts rows of the source that match none; the condition and the values see the source alone. */
  whenNotMatchedInsert(clause: Conditional & { readonly values: MergeValues }): MergeBuilder {
    return this.#with({ kind: 'insert', ...clause });
  }

  /** Updates rows that match no row of the source; the condition and the values see the table alone. */
  whenNotMatchedBySourceUpdate(
    clause: Conditional & { readonly set: Readonly<Record<string, string>> },
  ): MergeBuilder {
    return this.#with({ kind: 'by-source-update', ...clause });
  }

  /** Deletes rows that match no row of the source; the condition sees the table alone. */
  whenNotMatchedBySourceDelete(clause: Conditional = {}): MergeBuilder {
    return this.#with({ kind: 'by-source-delete', ...clause });
  }

  /** Lets the merge add columns, and members of structs, that clauses take from the source and the table lacks. */
  withSchemaEvolution(): MergeBuilder {
    return new MergeBuilder(this.#context, { ...this.#request, schemaEvolution: true });
  }

  /** Makes the merge, as `mergeRows` promises. */
  execute(): Promise<MergeResult> {
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
