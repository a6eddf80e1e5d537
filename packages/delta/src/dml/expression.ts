/**
 * SQL that a caller hands in as text: one expression that computes a value from the columns of a row, and nothing else.
 *
 * Invariants:
 * - X1 a checked expression can't read files, settings, the environment or other tables, and has no effect.
 * - X2 its text stays one expression wherever it is put: it can't end the parentheses or the statement around it.
 * - X3 within one statement it gives the same value for the same row.
 */
import type { SqlSession } from '../engine.ts';
import { DeltaError, messageOf } from '../errors.ts';
import { quoteText } from '../scan/quote.ts';

export interface CheckedExpression {
  /** In parentheses, fit for any place in a statement of DuckDB. */
  readonly sql: string;
  /** As the caller wrote it. */
  readonly text: string;
  /** DuckDB's parse tree of the expression, as of `json_serialize_sql`. */
  readonly tree: ExpressionTree;
  /** Names of the columns that it refers to, as written, with their qualifiers and members; parameters of lambdas too. */
  readonly columns: readonly (readonly string[])[];
}

/** A node of DuckDB's parse tree; the members depend on the class. */
export interface ExpressionTree {
  readonly class: string;
  readonly type: string;
  readonly [member: string]: unknown;
}

/** Characters of one expression; a tree of this size parses in milliseconds. */
export const EXPRESSION_LENGTH_MAX = 1_000_000;

/** What an expression of a row may be made of. */
const ALLOWED_CLASSES = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'FUNCTION',
  'LAMBDA',
  'LAMBDA_REF',
  'OPERATOR',
]);

/** Why a class of nodes is refused, where its own name doesn't say. */
const REFUSED_CLASSES: Readonly<Record<string, string>> = {
  SUBQUERY: 'a subquery',
  WINDOW: 'a window function',
  STAR: '* or COLUMNS(…)',
  PARAMETER: 'a parameter',
  DEFAULT: 'DEFAULT',
  POSITIONAL_REFERENCE: 'a position',
};

/**
 * Functions that are scalar and steady to DuckDB, but look beyond the row: settings, the session, the catalogue, or
 * SQL in a text.
 */
const REFUSED_FUNCTIONS =
  /^(current_(setting|user|role|query|schemas?|database|catalog)|session_user|user|getenv|getvariable|json_(de)?serialize_(sql|plan)|in_search_path|txid_current|version|pg_.*|has_.*|inet_.*|.*_description|get_block_size|generate_subscripts|regexp_split_to_table|unnest|unlist)$/;

const REFUSED_MACROS = /^(json_group_.*|geo(metric_)?mean|w(eighted_)?avg)$/;

/**
 * Checks the text of an expression; `what` names it for the error's reader. Throws `invalid-expression` for a text that
 * is no single expression, or that holds a subquery, an aggregate, a window, a table function, a parameter, or a
 * function that is volatile or looks beyond the row. Columns are not looked at: see {@link typeOfExpression}.
 */
export async function checkExpression(
  session: SqlSession,
  text: string,
  what: string,
): Promise<CheckedExpression> {
  if (text.length > EXPRESSION_LENGTH_MAX) {
    throw invalid(what, `it is longer than ${EXPRESSION_LENGTH_MAX} characters`);
  }
  if (text.includes('\0')) throw invalid(what, 'it holds the character NUL');
  // The second time within parentheses: what is one expression both ways can't end them, nor hide them in a comment.
  const [tree] = await parse(session, [text, `(${text}\n)`], what);
  const columns: string[][] = [];
  const functions = new Set<string>();
  walk(tree, (node) => {
    if (!ALLOWED_CLASSES.has(node.class)) {
      throw invalid(what, `it holds ${REFUSED_CLASSES[node.class] ?? node.class}, which is not allowed here`);
    }
    if (node.class === 'COLUMN_REF') columns.push(node['column_names'] as string[]);
    if (node.class === 'FUNCTION') functions.add(String(node['function_name']).toLowerCase());
  });
  await assertSteadyFunctions(session, functions, what);
  return { sql: `(${text}\n)`, text, tree, columns };
}

/**
 * DuckDB's name of the type that an expression has over the columns of `from` (the text after FROM), which is not read.
 * Throws `invalid-expression` for columns that aren't there or are ambiguous, and for types that don't fit.
 */
export async function typeOfExpression(
  session: SqlSession,
  expression: { readonly sql: string },
  { from, what }: { from: string; what: string },
): Promise<string> {
  try {
    const [row] = await session.rows(`DESCRIBE SELECT ${expression.sql} AS "value" FROM ${from}`);
    return String(row?.[1]);
  } catch (error) {
    throw invalid(what, explained(error), error);
  }
}

/**
 * As {@link checkExpression} and {@link typeOfExpression}, for an expression that must be true, false or NULL; its SQL may
 * be false where it would be NULL.
 */
export async function checkCondition(
  session: SqlSession,
  text: string,
  { from, what }: { from: string; what: string },
): Promise<CheckedExpression> {
  const expression = await checkExpression(session, text, what);
  const type = await typeOfExpression(session, expression, { from, what });
  if (type !== 'BOOLEAN' && !isNullConstant(expression.tree)) {
    throw invalid(what, `it is of the type ${type}, and must be a condition`);
  }
  if (isNullConstant(expression.tree)) return { ...expression, sql: 'CAST(NULL AS BOOLEAN)' };
  return isMisread(expression.tree) ? { ...expression, sql: `(${expression.sql} IS TRUE)` } : expression;
}

/**
 * Whether DuckDB would lose rows: of alternatives with IS DISTINCT FROM it makes a filter of the scan, which leaves out
 * whole files and row groups in which the column is NULL throughout. Within another expression it doesn't.
 */
function isMisread(tree: ExpressionTree): boolean {
  const types = new Set<string>();
  walk(tree, ({ type }) => types.add(type));
  const isDistinct = types.has('COMPARE_DISTINCT_FROM') || types.has('COMPARE_NOT_DISTINCT_FROM');
  return isDistinct && (types.has('CONJUNCTION_OR') || types.has('OPERATOR_NOT'));
}

/** Calls `visit` for a node and all nodes below it. */
export function walk(value: unknown, visit: (node: ExpressionTree) => void): void {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value) && 'class' in value && typeof value.class === 'string')
    visit(value as ExpressionTree);
  for (const member of Object.values(value)) walk(member, visit);
}

/** The reviver's third parameter, which the compiler's own declarations lack. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** Digits that every double holds. */
const SAFE_DIGITS = 15;

/** A parse tree from its JSON; numbers that a double may not hold stay as they are written, also when it is JSON again. */
function treeOf(json: string): unknown {
  return (JSON.parse as ParseWithSource)(json, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && source.length > SAFE_DIGITS
      ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(source)
      : value,
  );
}

export function invalid(what: string, why: string, cause?: unknown): DeltaError {
  return new DeltaError({ code: 'invalid-expression', message: `${what} can't be used: ${why}`, cause });
}

function isNullConstant(tree: ExpressionTree): boolean {
  return tree.class === 'CONSTANT' && (tree['value'] as { is_null?: boolean } | undefined)?.is_null === true;
}

interface SerializedSelect {
  readonly error: boolean;
  readonly error_message?: string;
  readonly statements?: readonly {
    readonly node: {
      readonly type: string;
      readonly modifiers?: readonly unknown[];
      readonly cte_map?: { readonly map?: readonly unknown[] };
      readonly select_list?: readonly ExpressionTree[];
      readonly from_table?: { readonly type?: string } | null;
      readonly where_clause?: unknown;
      readonly group_expressions?: readonly unknown[];
      readonly group_sets?: readonly unknown[];
      readonly aggregate_handling?: string;
      readonly having?: unknown;
      readonly sample?: unknown;
      readonly qualify?: unknown;
    };
  }[];
}

/** The trees of texts, each of which is one expression. */
async function parse<Texts extends readonly [string, ...string[]]>(
  session: SqlSession,
  texts: Texts,
  what: string,
): Promise<{ [At in keyof Texts]: ExpressionTree }> {
  const columns = texts.map(
    (text) => `CAST(json_serialize_sql(${quoteText(`SELECT ${text}\n`)}) AS VARCHAR)`,
  );
  const [row] = await session.rows(`SELECT ${columns.join(', ')}`).catch((error: unknown) => {
    throw invalid(what, explained(error), error);
  });
  return texts.map((_, at) => soleExpression(String(row?.[at]), what)) as {
    [At in keyof Texts]: ExpressionTree;
  };
}

function soleExpression(json: string, what: string): ExpressionTree {
  const parsed = treeOf(json) as SerializedSelect;
  if (parsed.error) throw invalid(what, parsed.error_message ?? 'it is no SQL');
  const [statement, ...others] = parsed.statements ?? [];
  const node = statement?.node;
  const [expression, ...more] = node?.select_list ?? [];
  const isAlone =
    others.length === 0 &&
    more.length === 0 &&
    node?.type === 'SELECT_NODE' &&
    (node.modifiers ?? []).length === 0 &&
    (node.cte_map?.map ?? []).length === 0 &&
    (node.from_table ?? { type: 'EMPTY' }).type === 'EMPTY' &&
    (node.group_expressions ?? []).length === 0 &&
    (node.group_sets ?? []).length === 0 &&
    (node.aggregate_handling ?? 'STANDARD_HANDLING') === 'STANDARD_HANDLING' &&
    [node.where_clause, node.having, node.sample, node.qualify].every((part) => (part ?? null) === null);
  if (!isAlone || expression === undefined || (expression['alias'] ?? '') !== '') {
    throw invalid(what, 'it is more than one expression');
  }
  return expression;
}

/** What is known of functions by name; they are those of the DuckDB that this process runs. */
const verdicts = new Map<string, string | undefined>();
const VERDICTS_MAX = 10_000;

async function assertSteadyFunctions(
  session: SqlSession,
  names: ReadonlySet<string>,
  what: string,
): Promise<void> {
  const unknown = [...names].filter((name) => !verdicts.has(name));
  if (unknown.length > 0) {
    if (verdicts.size > VERDICTS_MAX) verdicts.clear();
    const rows = await session.rows(
      `SELECT DISTINCT function_name, function_type, stability FROM duckdb_functions() ` +
        `WHERE lower(function_name) IN (${unknown.map(quoteText).join(', ')})`,
    );
    for (const name of unknown) {
      const own = rows.filter((row) => String(row[0]).toLowerCase() === name);
      verdicts.set(name, refusal(name, own));
    }
  }
  for (const name of names) {
    const why = verdicts.get(name);
    if (why !== undefined) throw invalid(what, `the function "${name}" ${why}`);
  }
}

function refusal(name: string, overloads: readonly unknown[][]): string | undefined {
  // Operators and constructs that the parser names itself are no catalogue entries; the binder knows them or fails.
  if (REFUSED_FUNCTIONS.test(name)) return 'looks beyond the row';
  const types = overloads.map((row) => String(row[1]));
  if (types.includes('aggregate') || REFUSED_MACROS.test(name)) return 'is an aggregate';
  // Some names, as range and repeat, are those of a table function besides.
  if (types.length > 0 && types.every((type) => type !== 'scalar' && type !== 'macro'))
    return 'gives a table';
  return overloads.some((row) => row[2] === 'VOLATILE')
    ? 'gives another value each time that it is called'
    : undefined;
}

/** DuckDB's message without the statement that it quotes, which the caller did not write. */
function explained(error: unknown): string {
  const cause = error instanceof DeltaError && error.cause !== undefined ? error.cause : error;
  const text = messageOf(cause).split('\n\n')[0] ?? '';
  return text.replace(/^(Binder|Parser|Catalog|Conversion|Invalid Input) Error: /, '').trim();
}
