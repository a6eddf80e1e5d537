/** The shell's own commands, which begin with a backslash, as those of psql do. */
import type { Column, GlueClient, Table } from '@aws-sdk/client-glue';
import { explain, glueOf } from '../clients.ts';
import { renderTable } from '../terminal/table.ts';
import { printable } from '../terminal/width.ts';
import type { Session } from './session.ts';

export type MetaOutcome = 'done' | 'failed' | 'quit';

const HELP: readonly (readonly [string, string])[] = [
  ['\\d [db.]table', 'columns of a table'],
  ['\\dt [db]', 'tables'],
  ['\\l', 'databases'],
  ['\\c db', 'use a database for names without one'],
  ['\\x', 'rows under one another, or as they fit'],
  ['\\timing', 'show times, or not'],
  ['\\f format', 'table, csv, json or ndjson'],
  ['\\?', 'this list'],
  ['\\q', 'leave (or ^D)'],
  ['…;', 'a statement ends with a semicolon; ^C takes it back or cancels it'],
];

/** Runs a line that begins with a backslash. */
export async function runMeta(session: Session, line: string): Promise<MetaOutcome> {
  const [command = '', argument] = line.trim().replace(/;$/, '').split(/\s+/);
  const say = (text: string) => session.out.write(`${text}\n`);
  switch (command) {
    case '\\q':
      return 'quit';
    case '\\?':
      for (const [name, what] of HELP) say(`  ${session.out.paint('cyan', name.padEnd(16))} ${what}`);
      return 'done';
    case '\\x':
      session.layout = session.layout === 'vertical' ? 'auto' : 'vertical';
      say(
        session.layout === 'vertical'
          ? 'Rows are shown under one another.'
          : 'Rows are shown as a table where it fits.',
      );
      return 'done';
    case '\\timing':
      session.timing = !session.timing;
      say(`Times are ${session.timing ? 'shown' : 'not shown'}.`);
      return 'done';
    case '\\f':
      return setFormat(session, argument);
    case '\\l':
    case '\\c':
    case '\\d':
    case '\\dt':
      return fromCatalog(session, command, argument);
    default:
      return fail(session, `there is no command ${command}; \\? lists them`);
  }
}

function setFormat(session: Session, format: string | undefined): MetaOutcome {
  if (format !== 'table' && format !== 'csv' && format !== 'json' && format !== 'ndjson') {
    return fail(session, 'a format is table, csv, json or ndjson');
  }
  session.format = format;
  return 'done';
}

async function fromCatalog(session: Session, command: string, argument?: string): Promise<MetaOutcome> {
  const glue = await glueOf(session.connection);
  try {
    if (command === '\\l') return await listDatabases(session, glue);
    if (command === '\\c') return await useDatabase(session, glue, argument);
    if (command === '\\d' && argument !== undefined) return await describe(session, glue, argument);
    return await listTables(session, glue, argument);
  } catch (error) {
    if (error instanceof Error && error.name === 'EntityNotFoundException')
      return fail(session, error.message);
    throw explain(error, session.connection);
  } finally {
    glue.destroy();
  }
}

/** Names of all databases. */
export async function databaseNames(glue: GlueClient): Promise<{ name: string; location: string }[]> {
  const { paginateGetDatabases } = await import('@aws-sdk/client-glue');
  const all = [];
  for await (const { DatabaseList = [] } of paginateGetDatabases({ client: glue }, {})) {
    all.push(...DatabaseList.map((each) => ({ name: each.Name ?? '', location: each.LocationUri ?? '' })));
  }
  return all;
}

/** The tables of a database. */
export async function tablesOf(glue: GlueClient, database: string): Promise<Table[]> {
  const { paginateGetTables } = await import('@aws-sdk/client-glue');
  const all: Table[] = [];
  for await (const { TableList = [] } of paginateGetTables({ client: glue }, { DatabaseName: database }))
    all.push(...TableList);
  return all;
}

async function listDatabases(session: Session, glue: GlueClient): Promise<MetaOutcome> {
  const rows = (await databaseNames(glue)).map(({ name, location }) => [name, location]);
  await show(session, ['database', 'location'], rows);
  return 'done';
}

async function useDatabase(session: Session, glue: GlueClient, name?: string): Promise<MetaOutcome> {
  if (name === undefined) return fail(session, 'name a database: \\c db');
  const { GetDatabaseCommand } = await import('@aws-sdk/client-glue');
  await glue.send(new GetDatabaseCommand({ Name: name }));
  session.database = name;
  return 'done';
}

async function listTables(session: Session, glue: GlueClient, database?: string): Promise<MetaOutcome> {
  const one = database ?? session.database;
  const databases = one === undefined ? (await databaseNames(glue)).map(({ name }) => name) : [one];
  const rows: string[][] = [];
  for (const name of databases) {
    for (const table of await tablesOf(glue, name)) {
      const columns = [...(table.StorageDescriptor?.Columns ?? []), ...(table.PartitionKeys ?? [])];
      rows.push([name, table.Name ?? '', String(columns.length), table.Description ?? '']);
    }
  }
  await show(session, ['database', 'table', 'columns', 'description'], rows);
  return 'done';
}

async function describe(session: Session, glue: GlueClient, argument: string): Promise<MetaOutcome> {
  const names = argument.replaceAll('"', '').split('.');
  const name = names.pop() ?? '';
  const database = names.pop() ?? session.database;
  if (database === undefined)
    return fail(session, `name the database: \\d db.${name}, or choose one with \\c db`);
  const { GetTableCommand } = await import('@aws-sdk/client-glue');
  const { Table: table } = await glue.send(new GetTableCommand({ DatabaseName: database, Name: name }));
  const row = (kind: string) => (column: Column) => [
    column.Name ?? '',
    column.Type ?? '',
    kind,
    column.Comment ?? '',
  ];
  await show(
    session,
    ['column', 'type', 'key', 'comment'],
    [
      ...(table?.StorageDescriptor?.Columns ?? []).map(row('')),
      ...(table?.PartitionKeys ?? []).map(row('partition')),
    ],
  );
  const { Location: location } = table?.StorageDescriptor ?? {};
  if (location !== undefined) session.out.write(`${session.out.paint('dim', location)}\n`);
  return 'done';
}

/** Columns without any content are left out. */
async function show(session: Session, titles: readonly string[], rows: readonly string[][]): Promise<void> {
  if (rows.length === 0) return session.present(['none']);
  const used = titles.map((_, index) => index).filter((index) => rows.some((row) => row[index] !== ''));
  const lines = renderTable(
    {
      columns: used.map((index) => ({
        title: titles[index] ?? '',
        align: titles[index] === 'columns' ? 'right' : 'left',
      })),
      rows: rows.map((row) => used.map((index) => printable(row[index] ?? ''))),
    },
    session.out,
  );
  await session.present(lines ?? rows.map((row) => row.join('  ')));
}

function fail(session: Session, message: string): MetaOutcome {
  session.messages.write(`${session.messages.paint('red', 'error:')} ${message}\n`);
  return 'failed';
}
