/**
 * What a reader knows of the rows that it wants. A predicate only ever decides which files are left out: those of which
 * partition values and statistics prove that no row can match. It never filters rows.
 */
export type Predicate =
  | { readonly kind: 'and'; readonly of: readonly Predicate[] }
  | { readonly kind: 'or'; readonly of: readonly Predicate[] }
  | { readonly kind: 'not'; readonly of: Predicate }
  | {
      readonly kind: 'compare';
      readonly column: ColumnPath;
      readonly operator: ComparisonOperator;
      readonly value: Literal;
    }
  | { readonly kind: 'in'; readonly column: ColumnPath; readonly values: readonly Literal[] }
  | { readonly kind: 'is-null'; readonly column: ColumnPath }
  | { readonly kind: 'is-not-null'; readonly column: ColumnPath }
  /** A condition that the caller can't express: it may match every row, negated or not. */
  | { readonly kind: 'unknown' };

export type ComparisonOperator = '=' | '<>' | '<' | '<=' | '>' | '>=';

/** Names from the top-level column down; names match without regard to case. */
export type ColumnPath = readonly string[];

/**
 * A constant with the type that SQL gives it. One whose type doesn't fit the column's proves nothing. `integer` stands
 * for every integer type; a timestamp is ISO 8601, without an offset UTC; a date is `YYYY-MM-DD`; a decimal is its
 * digits.
 */
export type Literal =
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'integer'; readonly value: bigint }
  | { readonly type: 'decimal'; readonly value: string }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'date'; readonly value: string }
  | { readonly type: 'timestamp'; readonly value: string }
  | { readonly type: 'timestamp_ntz'; readonly value: string };

export function and(...of: Predicate[]): Predicate {
  return { kind: 'and', of };
}

export function or(...of: Predicate[]): Predicate {
  return { kind: 'or', of };
}

export function not(of: Predicate): Predicate {
  return { kind: 'not', of };
}

export function compare(
  column: string | ColumnPath,
  operator: ComparisonOperator,
  value: Literal,
): Predicate {
  return { kind: 'compare', column: pathOf(column), operator, value };
}

/** `column IN (…)`; named so because `in` is a keyword. */
export function isIn(column: string | ColumnPath, values: readonly Literal[]): Predicate {
  return { kind: 'in', column: pathOf(column), values };
}

export function isNull(column: string | ColumnPath): Predicate {
  return { kind: 'is-null', column: pathOf(column) };
}

export function isNotNull(column: string | ColumnPath): Predicate {
  return { kind: 'is-not-null', column: pathOf(column) };
}

export function unknown(): Predicate {
  return { kind: 'unknown' };
}

/** A string is one name, dots included. */
function pathOf(column: string | ColumnPath): ColumnPath {
  return typeof column === 'string' ? [column] : column;
}
