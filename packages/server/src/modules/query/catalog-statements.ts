import { namePattern, type Catalog } from '../catalog/index.ts';
import { QueryError } from './errors.ts';
import type { Statement } from './core/statement.ts';

/** Rows that a statement about the catalogue may give. */
const ROWS_MAX = 100_000;
const PAGE = 1_000;

export interface StatementRows {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly (string | undefined)[])[];
}

/** Answers SHOW and DESCRIBE as Athena does, from the catalogue. */
export async function answerFromCatalog(
  statement: Exclude<Statement, { kind: 'query' }>,
  catalog: Catalog,
  session: string | undefined,
): Promise<StatementRows> {
  const accept = 'pattern' in statement && statement.pattern ? namePattern(statement.pattern) : () => true;
  switch (statement.kind) {
    case 'show-databases': {
      const names = await all((page) => catalog.databases(page));
      return strings(
        ['database_name'],
        names
          .map((item) => item.name)
          .filter(accept)
          .map((name) => [name]),
      );
    }
    case 'show-tables': {
      const database = required(statement.database ?? session);
      const names = await all((page) => catalog.tables(database, page));
      return strings(
        ['tab_name'],
        names
          .map((item) => item.name)
          .filter(accept)
          .map((name) => [name]),
      );
    }
    case 'show-columns': {
      const table = await catalog.table(required(statement.database ?? session), statement.table);
      return strings(
        ['field'],
        [...table.columns, ...table.partitionKeys].map((column) => [column.name]),
      );
    }
    case 'describe': {
      const table = await catalog.table(required(statement.database ?? session), statement.table);
      const column = ({
        name,
        type,
        comment,
      }: {
        name: string;
        type: string;
        comment?: string;
      }): string[] => [name, type, comment ?? ''];
      const rows = [...table.columns, ...table.partitionKeys].map(column);
      if (table.partitionKeys.length > 0) {
        rows.push(['', '', ''], ['# Partition Information', '', ''], ['# col_name', 'data_type', 'comment']);
        rows.push(...table.partitionKeys.map(column));
      }
      return strings(['col_name', 'data_type', 'comment'], rows);
    }
  }
}

export function required(database: string | undefined): string {
  if (database !== undefined && database !== '') return database;
  throw new QueryError({
    code: 'invalid',
    message: 'SCHEMA_NOT_SET: a name without a database was used, and the query has no database',
    hint: 'Write database.table, or give the query a database.',
  });
}

async function all<Item>(
  read: (page: { limit: number; token?: string }) => Promise<{ items: readonly Item[]; next?: string }>,
): Promise<Item[]> {
  const items: Item[] = [];
  let token: string | undefined;
  do {
    const page = await read({ limit: PAGE, ...(token !== undefined && { token }) });
    items.push(...page.items);
    token = page.next;
  } while (token !== undefined && items.length < ROWS_MAX);
  return items;
}

function strings(names: readonly string[], rows: string[][]): StatementRows {
  return { columns: names.map((name) => ({ name, type: 'string' })), rows };
}
