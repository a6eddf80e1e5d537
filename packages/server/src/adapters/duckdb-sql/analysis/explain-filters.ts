/**
 * Conditions out of the filters that EXPLAIN shows at its scans. Their text is no stable interface of the engine: a
 * form that is not known here means that nothing is known, and a test watches the forms of the engine's version.
 *
 * The scans are of stubs whose columns are named `t<table>_<column>`, so that a name can't be mistaken for another
 * table's or for a part of the syntax.
 */
import type { Comparison, Condition, ConditionValue } from '../../../ports/sql-engine.ts';

export interface StubTable {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** How often the statement names the table. */
  readonly references: number;
}

interface PlanNode {
  readonly name?: string;
  readonly children?: readonly PlanNode[];
  readonly extra_info?: { readonly Filters?: unknown; readonly Projections?: unknown };
}

export const stubColumn = (table: number, column: number): string => `t${table}_${column}`;

/** One condition a table: what at least one of its scans asks for. Undefined where a scan asks for nothing known. */
export function conditionsOf(explained: string, tables: readonly StubTable[]): (Condition | undefined)[] {
  const scans = tables.map((): (Condition | undefined)[] => []);
  // Conditions can only be tied to a table by its columns; a scan without any could be of each of them.
  let unknownScan = false;
  const visit = (node: PlanNode): void => {
    if (/READ_PARQUET|PARQUET_SCAN/.test(node.name ?? '')) {
      const table = tableOf(node);
      if (table === undefined || scans[table] === undefined) unknownScan = true;
      else scans[table].push(conditionOfScan(node, tables));
    }
    for (const child of node.children ?? []) visit(child);
  };
  for (const node of JSON.parse(explained) as PlanNode[]) visit(node);
  return scans.map((conditions, table) => {
    // A scan that the optimiser left out of this plan could be in the plan over the real files.
    if (unknownScan || conditions.length === 0 || conditions.length < tables[table]!.references)
      return undefined;
    const known = conditions.filter((condition) => condition !== undefined);
    if (known.length < conditions.length) return undefined;
    return known.length === 1 ? known[0] : { kind: 'or', conditions: known };
  });
}

function tableOf(node: PlanNode): number | undefined {
  const { Filters: filters, Projections: projections } = node.extra_info ?? {};
  const match =
    /\bt(\d+)_\d+\b/.exec(listOf(projections)[0] ?? '') ??
    /^(?:optional: )?\(?(?:NOT )?t(\d+)_\d+\b/.exec(listOf(filters)[0] ?? '');
  return match === null ? undefined : Number(match[1]);
}

function conditionOfScan(node: PlanNode, tables: readonly StubTable[]): Condition | undefined {
  const known = listOf(node.extra_info?.Filters)
    .map((text) => parseFilter(text, tables))
    .filter((condition) => condition !== undefined);
  if (known.length === 0) return undefined;
  return known.length === 1 ? known[0] : { kind: 'and', conditions: known };
}

function listOf(value: unknown): string[] {
  if (typeof value === 'string') return value === '' ? [] : [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Undefined for every form that is not exactly known. */
export function parseFilter(text: string, tables: readonly StubTable[]): Condition | undefined {
  const tokens = tokensOf(text.startsWith('optional: ') ? text.slice('optional: '.length) : text);
  if (tokens === undefined) return undefined;
  const parser = new FilterParser(tokens, tables);
  return parser.whole();
}

interface Token {
  readonly kind: 'column' | 'number' | 'text' | 'word' | 'sign' | 'cast';
  readonly text: string;
}

const TOKEN =
  /\s*(?:(?<column>t\d+_\d+)(?![\w.])|(?<number>-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))(?![\w.])|'(?<text>(?:[^']|'')*)'|(?<cast>::(?:TIMESTAMP WITH TIME ZONE|TIMESTAMP|DATE|DOUBLE|FLOAT))(?!\w)|(?<word>AND|OR|NOT|IN|IS|NULL|true|false)(?!\w)|(?<sign><=|>=|!=|<|>|=|\(|\)|,))/y;

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (match?.groups === undefined) return undefined;
    const found = Object.entries(match.groups).find(([, value]) => value !== undefined);
    if (found === undefined) return undefined;
    tokens.push({ kind: found[0] as Token['kind'], text: found[1] });
  }
  return tokens;
}

class Unknown extends Error {}

class FilterParser {
  readonly #tokens: readonly Token[];
  readonly #tables: readonly StubTable[];
  #at = 0;

  constructor(tokens: readonly Token[], tables: readonly StubTable[]) {
    this.#tokens = tokens;
    this.#tables = tables;
  }

  whole(): Condition | undefined {
    try {
      const condition = this.#list();
      return this.#at === this.#tokens.length ? condition : undefined;
    } catch (error) {
      if (error instanceof Unknown) return undefined;
      throw error;
    }
  }

  /** Terms joined by one word: AND and OR side by side have no sure meaning without parentheses. */
  #list(): Condition | undefined {
    const first = this.#term();
    const word = this.#peek('word', 'AND') ? 'AND' : this.#peek('word', 'OR') ? 'OR' : undefined;
    if (word === undefined) return first;
    const terms = [first];
    while (this.#take('word', word)) terms.push(this.#term());
    if (this.#peek('word', 'AND') || this.#peek('word', 'OR')) throw new Unknown();
    const known = terms.filter((term) => term !== undefined);
    // Of an AND, what is known holds by itself; of an OR, it doesn't.
    if (known.length < terms.length && (word === 'OR' || known.length === 0)) return undefined;
    return { kind: word === 'AND' ? 'and' : 'or', conditions: known };
  }

  /** Undefined for a term that is understood and says nothing that can be used. */
  #term(): Condition | undefined {
    if (this.#take('sign', '(')) {
      const inner = this.#take('word', 'NOT') ? this.#negated() : this.#list();
      this.#expect('sign', ')');
      return inner;
    }
    const { name, type } = this.#column();
    if (this.#take('word', 'IS')) {
      const not = this.#take('word', 'NOT');
      this.#expect('word', 'NULL');
      return { kind: not ? 'not-null' : 'null', column: name };
    }
    if (this.#take('word', 'IN')) return this.#in(name, type);
    const sign = this.#tokens[this.#at];
    if (sign?.kind !== 'sign' || !/^(=|!=|<=?|>=?)$/.test(sign.text)) {
      if (type !== 'BOOLEAN') throw new Unknown();
      return { kind: 'compare', column: name, operator: '=', value: { type: 'boolean', value: true } };
    }
    this.#at += 1;
    const value = this.#value(type);
    if (sign.text === '!=' || value === undefined) return undefined;
    return { kind: 'compare', column: name, operator: sign.text as Comparison, value };
  }

  #negated(): Condition {
    const { name, type } = this.#column();
    if (type !== 'BOOLEAN') throw new Unknown();
    return { kind: 'compare', column: name, operator: '=', value: { type: 'boolean', value: false } };
  }

  #in(column: string, type: string): Condition | undefined {
    this.#expect('sign', '(');
    const values: (ConditionValue | undefined)[] = [];
    do values.push(this.#value(type));
    while (this.#take('sign', ','));
    this.#expect('sign', ')');
    const known = values.filter((value) => value !== undefined);
    if (known.length < values.length) return undefined;
    const conditions = known.map((value): Condition => ({ kind: 'compare', column, operator: '=', value }));
    return conditions.length === 1 ? conditions[0] : { kind: 'or', conditions };
  }

  #column(): { name: string; type: string } {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'column') throw new Unknown();
    this.#at += 1;
    const [, table, column] = /^t(\d+)_(\d+)$/.exec(token.text) ?? [];
    const found = this.#tables[Number(table)]?.columns[Number(column)];
    if (found === undefined) throw new Unknown();
    return found;
  }

  /** Undefined for a value that is understood and has no order that statistics share, as NaN. */
  #value(type: string): ConditionValue | undefined {
    const token = this.#tokens[this.#at];
    this.#at += 1;
    const next = this.#tokens[this.#at];
    const cast = next?.kind === 'cast' ? next.text.slice(2) : undefined;
    if (cast !== undefined) this.#at += 1;
    if (token?.kind === 'number' && cast === undefined && isNumeric(type)) {
      return Number.isFinite(Number(token.text)) ? { type: 'number', text: token.text } : undefined;
    }
    if (token?.kind === 'word' && /^(true|false)$/.test(token.text) && type === 'BOOLEAN') {
      return { type: 'boolean', value: token.text === 'true' };
    }
    if (token?.kind !== 'text') throw new Unknown();
    const text = token.text.replaceAll("''", "'");
    if (cast === undefined && type === 'VARCHAR') return { type: 'string', text };
    if (cast === 'DATE' && type === 'DATE')
      return /^\d{4}-\d\d-\d\d$/.test(text) ? { type: 'date', text } : undefined;
    if (cast === 'TIMESTAMP' && type === 'TIMESTAMP' && TIMESTAMP.test(text))
      return { type: 'timestamp', text };
    if (cast === 'TIMESTAMP WITH TIME ZONE' && type === cast && text.endsWith('+00')) {
      const instant = text.slice(0, -3);
      return TIMESTAMP.test(instant) ? { type: 'instant', text: instant } : undefined;
    }
    if (cast === type) return undefined;
    throw new Unknown();
  }

  #peek(kind: Token['kind'], text: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === kind && token.text === text;
  }

  #take(kind: Token['kind'], text: string): boolean {
    const taken = this.#peek(kind, text);
    if (taken) this.#at += 1;
    return taken;
  }

  #expect(kind: Token['kind'], text: string): void {
    if (!this.#take(kind, text)) throw new Unknown();
  }
}

const TIMESTAMP = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?$/;

/** FLOAT is not among them: its text is shorter than the value that the log's statistics hold. */
function isNumeric(type: string): boolean {
  return /^(TINYINT|SMALLINT|INTEGER|BIGINT|DOUBLE|DECIMAL\(\d+,\d+\))$/.test(type);
}
