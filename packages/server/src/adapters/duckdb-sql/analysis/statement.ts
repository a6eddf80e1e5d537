/**
 * What a statement refers to, from the engine's own syntax tree. Only shapes that are known here pass: a node, table
 * reference or expression of another kind is refused by name, so that what a new version of the engine adds is closed
 * until it is looked at.
 */
import { SqlError, type StatementAnalysis, type TableReference } from '../../../ports/sql-engine.ts';
import { ALLOWED_FUNCTIONS, ALLOWED_TABLE_FUNCTIONS, REFUSED_WORDS } from './functions.ts';
import { blankCatalogs, type CatalogMention } from './catalog-mentions.ts';

const TABLES_MAX = 256;
const DEPTH_MAX = 1_000;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

const EXPRESSIONS = new Set([
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
  'POSITIONAL_REFERENCE',
  'STAR',
  'SUBQUERY',
  'WINDOW',
]);
const QUERY_NODES = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE']);
const TABLE_NODES = new Set([
  'BASE_TABLE',
  'EMPTY',
  'EXPRESSION_LIST',
  'JOIN',
  'PIVOT',
  'SUBQUERY',
  'TABLE_FUNCTION',
]);
const OTHER_NODES = new Set([
  'DISTINCT_MODIFIER',
  'LIMIT_MODIFIER',
  'LIMIT_PERCENT_MODIFIER',
  'ORDER_MODIFIER',
  'ORDER_DEFAULT',
  'ASCENDING',
  'DESCENDING',
]);

/** Members of the tree that can restrict the rows of a scan; constants that look like one do no harm. */
const FILTERING = /"(where_clause|having|qualify|condition)":/;

function treeOf(text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    // The engine writes a literal beyond the doubles as a bare Infinity, which is no JSON.
    throw refused(
      'a number in the statement is out of range',
      'Numbers reach from -1.8E308 to 1.8E308; write a larger one as text.',
    );
  }
}

/** `tree` is what `json_serialize_sql` gives for `sql`. */
export function analyseTree(options: {
  readonly tree: string;
  readonly sql: string;
  readonly catalogs: readonly string[];
}): Omit<StatementAnalysis, 'kind'> {
  const root = treeOf(options.tree);
  if (root['error'] === true) throw syntaxError(root, options.sql);
  const statements = root['statements'];
  if (!Array.isArray(statements) || statements.length !== 1) {
    throw refused('one statement at a time can be run', 'Send each statement as a query of its own.');
  }
  const walk = new Walk(options.catalogs);
  const [statement] = statements;
  if (!isObject(statement) || !isObject(statement['node'])) throw refused('the statement has no query');
  if (Array.isArray(statement['named_param_map']) && statement['named_param_map'].length > 0) {
    throw refused('parameters (?) are not supported', 'Write the values into the statement.');
  }
  walk.visit(statement['node'], new Set(), 0);
  return {
    sql: blankCatalogs(options.sql, walk.mentions(), options.catalogs),
    tables: [...walk.tables.values()],
    filters: FILTERING.test(options.tree),
    unnamed: unnamedOf(statement['node']),
  };
}

/** Of the outermost query's first SELECT list; a `*` in the middle shifts what is behind it by a number not known here. */
function unnamedOf(node: JsonObject): number[] {
  let select: JsonObject = node;
  while (isObject(select['left'] ?? select['child']))
    select = (select['left'] ?? select['child']) as JsonObject;
  const list = Array.isArray(select['select_list']) ? select['select_list'].filter(isObject) : [];
  const isStar = (item: JsonObject): boolean => JSON.stringify(item).includes('"class":"STAR"');
  const isUnnamed = (item: JsonObject): boolean =>
    item['class'] !== 'COLUMN_REF' &&
    !isStar(item) &&
    item['alias'] === undefined &&
    item['function_name'] !== 'unnest';
  const firstStar = list.findIndex(isStar);
  const lastStar = list.findLastIndex(isStar);
  return list.flatMap((item, place) => {
    if (!isUnnamed(item)) return [];
    if (firstStar < 0 || place < firstStar) return [place];
    return place > lastStar ? [place - list.length] : [];
  });
}

class Walk {
  readonly tables = new Map<string, TableReference & { count: number }>();
  readonly #catalogs: ReadonlySet<string>;
  readonly #tableMentions: CatalogMention[] = [];
  readonly #columnMentions: (CatalogMention & { table: string })[] = [];

  constructor(catalogs: readonly string[]) {
    this.#catalogs = new Set(catalogs.map((name) => name.toLowerCase()));
  }

  /** Columns count only where a table was named with its catalogue: `a.b.c.d` may also be a field of a field. */
  mentions(): CatalogMention[] {
    const named = new Set(this.#tableMentions.map((mention) => mention.table));
    return [...this.#tableMentions, ...this.#columnMentions.filter((mention) => named.has(mention.table))];
  }

  visit(value: Json, ctes: ReadonlySet<string>, depth: number): void {
    if (depth > DEPTH_MAX) throw refused('the statement is nested too deeply');
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, ctes, depth + 1);
      return;
    }
    if (!isObject(value)) return;
    const { class: kind, type } = value;
    if (typeof kind === 'string') return this.#expression(value, kind, ctes, depth);
    if (typeof type === 'string') {
      if (QUERY_NODES.has(type)) return this.#query(value, ctes, depth);
      if (TABLE_NODES.has(type)) return this.#table(value, type, ctes, depth);
      if (!OTHER_NODES.has(type)) throw refused(`${nameOf(type)} is not supported`);
    }
    this.#members(value, ctes, depth);
  }

  #members(
    value: JsonObject,
    ctes: ReadonlySet<string>,
    depth: number,
    except: readonly string[] = [],
  ): void {
    for (const key of Object.keys(value)) {
      if (!except.includes(key)) this.visit(value[key]!, ctes, depth + 1);
    }
  }

  #query(node: JsonObject, outer: ReadonlySet<string>, depth: number): void {
    const ctes = new Set(outer);
    const map = isObject(node['cte_map']) ? node['cte_map']['map'] : undefined;
    for (const entry of Array.isArray(map) ? map : []) {
      if (!isObject(entry) || typeof entry['key'] !== 'string')
        throw refused('this form of WITH is not supported');
      // A CTE sees those before it; its own name inside it means the table, unless it is recursive.
      this.visit(entry['value']!, ctes, depth + 1);
      ctes.add(entry['key'].toLowerCase());
    }
    if (typeof node['cte_name'] === 'string') ctes.add(node['cte_name'].toLowerCase());
    this.#members(node, ctes, depth, ['cte_map']);
  }

  #table(node: JsonObject, type: string, ctes: ReadonlySet<string>, depth: number): void {
    if (type === 'BASE_TABLE') return this.#baseTable(node, ctes);
    if (type === 'TABLE_FUNCTION') {
      const call = node['function'];
      const name = isObject(call) && typeof call['function_name'] === 'string' ? call['function_name'] : '';
      if (!isObject(call) || !ALLOWED_TABLE_FUNCTIONS.has(name.toLowerCase())) {
        throw refused(
          `the table function ${name} is not allowed`,
          'Queries read tables of the catalogue only.',
        );
      }
      this.#refuseQualified(call, name);
      this.#members(call, ctes, depth);
      return;
    }
    // The values of a PIVOT's IN list are constants in the form of a type and a value.
    this.#members(node, ctes, depth, type === 'PIVOT' ? ['pivots'] : []);
    if (type === 'PIVOT') this.#pivots(node['pivots'] ?? null, ctes, depth);
  }

  #pivots(pivots: Json, ctes: ReadonlySet<string>, depth: number): void {
    for (const pivot of Array.isArray(pivots) ? pivots : []) {
      if (!isObject(pivot)) continue;
      if (isObject(pivot['subquery'] ?? null)) this.visit(pivot['subquery']!, ctes, depth + 1);
      this.visit(pivot['pivot_expressions'] ?? null, ctes, depth + 1);
      for (const entry of Array.isArray(pivot['entries']) ? pivot['entries'] : []) {
        if (isObject(entry)) this.visit(entry['expr'] ?? null, ctes, depth + 1);
      }
    }
  }

  #baseTable(node: JsonObject, ctes: ReadonlySet<string>): void {
    const { catalog_name: catalog, schema_name: schema, table_name: table, query_location: location } = node;
    if (typeof table !== 'string' || table === '') throw refused('a table has no name');
    if (node['at_clause'] !== undefined)
      throw refused('AT (VERSION …) is not supported', 'Query the table as it is now.');
    const database = typeof schema === 'string' && schema !== '' ? schema : undefined;
    if (database === undefined && ctes.has(table.toLowerCase())) return;
    if (database?.toLowerCase() === 'recurring' && ctes.has(table.toLowerCase())) return;
    const key = `${database === undefined ? '' : JSON.stringify(database.toLowerCase())}.${table.toLowerCase()}`;
    if (typeof catalog === 'string' && catalog !== '') {
      if (!this.#catalogs.has(catalog.toLowerCase())) {
        throw refused(
          `there is no data catalogue "${catalog}"`,
          'Write database.table, or leave out the catalogue.',
        );
      }
      this.#tableMentions.push({ location: Number(location), catalog, table: key });
    }
    const known = this.tables.get(key);
    if (known) known.count += 1;
    else this.tables.set(key, { ...(database !== undefined && { database }), table, count: 1 });
    if (this.tables.size > TABLES_MAX) throw refused(`a statement may name at most ${TABLES_MAX} tables`);
  }

  #expression(node: JsonObject, kind: string, ctes: ReadonlySet<string>, depth: number): void {
    if (!EXPRESSIONS.has(kind)) {
      throw kind === 'PARAMETER'
        ? refused('parameters (?) are not supported', 'Write the values into the statement.')
        : refused(`${nameOf(kind)} is not supported here`);
    }
    if (kind === 'CONSTANT') return;
    if (kind === 'COLUMN_REF') return this.#columnRef(node);
    if (kind === 'FUNCTION' || kind === 'WINDOW') {
      const name = textOf(node['function_name']);
      if (!ALLOWED_FUNCTIONS.has(name.toLowerCase())) {
        throw refused(`the function ${name} is not known or not allowed`);
      }
      this.#refuseQualified(node, name);
    }
    // A type is a name with numbers or fields; there is nothing in it that could be read.
    this.#members(node, ctes, depth, ['cast_type']);
  }

  #columnRef(node: JsonObject): void {
    const names = Array.isArray(node['column_names']) ? node['column_names'].map(String) : [];
    const [first = '', database = '', table = ''] = names;
    if (names.length === 1 && REFUSED_WORDS.has(first.toLowerCase()))
      throw refused(`${first} is not allowed`);
    if (names.length < 4 || !this.#catalogs.has(first.toLowerCase())) return;
    const key = `${JSON.stringify(database.toLowerCase())}.${table.toLowerCase()}`;
    this.#columnMentions.push({ location: Number(node['query_location']), catalog: first, table: key });
  }

  #refuseQualified(call: JsonObject, name: string): void {
    for (const part of ['schema', 'catalog', 'schema_name', 'catalog_name']) {
      // The engine's parser writes `main` before what it makes out of [a, b] and the like.
      if (typeof call[part] === 'string' && !['', 'main'].includes(call[part])) {
        throw refused(
          `the function ${call[part]}.${name} is not allowed`,
          'Call functions by their plain names.',
        );
      }
    }
  }
}

function syntaxError(root: JsonObject, sql: string): SqlError {
  const message = textOf(root['error_message']);
  if (root['error_type'] === 'not implemented') {
    return refused(
      'only queries (SELECT, WITH, VALUES) can be run',
      'PIVOT needs its values listed: FOR x IN (…).',
    );
  }
  const position = Number(root['position']);
  const place =
    Number.isFinite(position) && root['position'] !== undefined ? `${lineAndColumn(sql, position)}: ` : '';
  return new SqlError({ code: 'syntax', message: `SYNTAX_ERROR: ${place}${message}` });
}

/** `line 1:8`, both from 1. Unlike places in the tree, that of an error counts characters and not bytes. */
function lineAndColumn(sql: string, position: number): string {
  const lines = Array.from(sql).slice(0, position).join('').split('\n');
  return `line ${lines.length}:${Array.from(lines.at(-1)!).length + 1}`;
}

function refused(message: string, hint?: string): SqlError {
  return new SqlError({
    code: 'refused',
    message: `NOT_SUPPORTED: ${message}`,
    ...(hint !== undefined && { hint }),
  });
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function nameOf(type: string): string {
  return type.toLowerCase().replaceAll('_', ' ');
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
