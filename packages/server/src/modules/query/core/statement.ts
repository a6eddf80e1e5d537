/**
 * Which kind of statement a text is, by its first words. Queries go to the engine, which parses them; statements about
 * the catalogue are answered by Sluice itself; everything else is refused with what to use instead.
 */
import { QueryError } from '../errors.ts';
import { blankLeadingComments, tokensOf, type Token } from './text.ts';

export type Statement =
  /** `sql` is the text without leading comments, every position as before. */
  | { readonly kind: 'query'; readonly type: 'DML' | 'UTILITY'; readonly sql: string }
  | { readonly kind: 'show-databases'; readonly pattern?: string }
  | { readonly kind: 'show-tables'; readonly database?: string; readonly pattern?: string }
  | { readonly kind: 'show-columns' | 'describe'; readonly database?: string; readonly table: string };

/** First parts of a name of three that mean this hub's catalogue. */
export const CATALOG_NAMES: readonly string[] = ['sluice', 'AwsDataCatalog'];

const QUERIES = new Set(['SELECT', 'WITH', 'VALUES', 'FROM', 'TABLE']);
const GLUE = 'Databases and tables are made, changed and deleted through the Glue API.';
const WRITES = 'Rows come into tables through delivery streams (the Firehose API).';
const SETTINGS =
  'Queries read tables of the catalogue; settings, files and extensions are out of their reach.';

const REFUSED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['CREATE', 'ALTER', 'DROP', 'COMMENT', 'MSCK'].map((word) => [word, GLUE])),
  ...Object.fromEntries(
    ['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'TRUNCATE', 'COPY', 'UNLOAD', 'OPTIMIZE', 'VACUUM'].map(
      (word) => [word, WRITES],
    ),
  ),
  ...Object.fromEntries(
    [
      'ANALYZE',
      'ATTACH',
      'CALL',
      'CHECKPOINT',
      'DETACH',
      'EXPORT',
      'FORCE',
      'IMPORT',
      'INSTALL',
      'KILL',
      'LOAD',
      'PRAGMA',
      'RESET',
      'SET',
      'SUMMARIZE',
      'UPDATE EXTENSIONS',
      'USE',
    ].map((word) => [word, SETTINGS]),
  ),
  ...Object.fromEntries(
    ['BEGIN', 'START', 'COMMIT', 'ROLLBACK', 'ABORT'].map((word) => [
      word,
      'Each query sees one version of each table.',
    ]),
  ),
  ...Object.fromEntries(
    ['PREPARE', 'EXECUTE', 'DEALLOCATE'].map((word) => [word, 'Write the values into the statement.']),
  ),
  PIVOT: 'Use SELECT … FROM table PIVOT (… FOR column IN (…)).',
  UNPIVOT: 'Use SELECT … FROM table UNPIVOT (… FOR column IN (…)).',
  GRANT: 'Every principal may read every table in this version.',
  REVOKE: 'Every principal may read every table in this version.',
};

/** Rejects with `invalid` for a text that is no statement and `unsupported` for one that can't be run. */
export function classify(text: string): Statement {
  const sql = blankLeadingComments(text);
  const lead = /^[\s(]*([A-Za-z]+)?/.exec(sql)!;
  const word = lead[1]?.toUpperCase();
  if (word === undefined) throw malformed(sql.trim().slice(0, 20) || 'nothing');
  if (QUERIES.has(word)) return { kind: 'query', type: 'DML', sql };
  if (word === 'EXPLAIN') return { kind: 'query', type: 'UTILITY', sql };
  if (word === 'SHOW' || word === 'DESCRIBE' || word === 'DESC')
    return new CatalogStatement(tokensOf(sql)).parse();
  const hint = REFUSED[word];
  if (hint === undefined) throw malformed(lead[1]!);
  throw new QueryError({
    code: 'unsupported',
    message: `NOT_SUPPORTED: ${word} statements are not supported`,
    hint,
  });
}

function malformed(near: string): QueryError {
  return new QueryError({
    code: 'invalid',
    message: `SYNTAX_ERROR: no statement begins with '${near}'`,
    hint: 'Statements are SELECT, WITH, VALUES, EXPLAIN, SHOW and DESCRIBE.',
  });
}

class CatalogStatement {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): Statement {
    const statement = this.#statement();
    while (this.#sign(';'));
    if (this.#at < this.#tokens.length) throw this.#unexpected();
    return statement;
  }

  #statement(): Statement {
    if (this.#word('SHOW')) {
      if (this.#word('DATABASES') || this.#word('SCHEMAS'))
        return { kind: 'show-databases', ...this.#pattern() };
      if (this.#word('TABLES')) {
        const database = this.#word('IN') || this.#word('FROM') ? this.#database() : undefined;
        return { kind: 'show-tables', ...(database !== undefined && { database }), ...this.#pattern() };
      }
      if (this.#word('COLUMNS') && (this.#word('IN') || this.#word('FROM'))) {
        const name = this.#tableName();
        const database = this.#word('IN') || this.#word('FROM') ? this.#database() : name.database;
        return { kind: 'show-columns', table: name.table, ...(database !== undefined && { database }) };
      }
      throw this.#unexpected(
        'SHOW DATABASES, SHOW TABLES [IN database] and SHOW COLUMNS IN table are supported.',
      );
    }
    this.#at += 1;
    if (this.#tokens[this.#at]?.kind === 'word' && this.#tokens[this.#at + 1] !== undefined) {
      // Athena takes these words and so do we; there is one form of the answer.
      if (!this.#word('EXTENDED')) this.#word('FORMATTED');
    }
    return { kind: 'describe', ...this.#tableName() };
  }

  #pattern(): { pattern?: string } {
    this.#word('LIKE');
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'text') return {};
    this.#at += 1;
    return { pattern: token.text };
  }

  #database(): string {
    const parts = this.#parts();
    if (parts.length === 2 && isCatalog(parts[0]!)) parts.shift();
    if (parts.length !== 1) throw this.#unexpected();
    return parts[0]!;
  }

  #tableName(): { database?: string; table: string } {
    const parts = this.#parts();
    if (parts.length === 3 && isCatalog(parts[0]!)) parts.shift();
    if (parts.length > 2) throw this.#unexpected();
    const table = parts.pop()!;
    return { table, ...(parts[0] !== undefined && { database: parts[0] }) };
  }

  #parts(): string[] {
    const parts: string[] = [];
    do {
      const token = this.#tokens[this.#at];
      if (token?.kind !== 'word' && token?.kind !== 'name') throw this.#unexpected();
      parts.push(token.text);
      this.#at += 1;
    } while (this.#sign('.'));
    return parts;
  }

  #word(word: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'word' || token.text.toUpperCase() !== word) return false;
    this.#at += 1;
    return true;
  }

  #sign(sign: string): boolean {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'sign' || token.text !== sign) return false;
    this.#at += 1;
    return true;
  }

  #unexpected(hint = 'Examples: SHOW TABLES IN sales, DESCRIBE sales.orders.'): QueryError {
    const near = this.#tokens[this.#at]?.text;
    return new QueryError({
      code: 'unsupported',
      message: `NOT_SUPPORTED: this form of ${this.#tokens[0]!.text.toUpperCase()} is not supported${near === undefined ? '' : ` (near '${near}')`}`,
      hint,
    });
  }
}

function isCatalog(name: string): boolean {
  return CATALOG_NAMES.some((catalog) => catalog.toLowerCase() === name.toLowerCase());
}
