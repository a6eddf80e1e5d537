/** Runs statements one after another against one server and shows their answers. */
import { once } from 'node:events';
import type { AthenaClient } from '@aws-sdk/client-athena';
import { athenaOf, explain } from '../clients.ts';
import type { Connection } from '../connection.ts';
import { EXIT, SilentExit } from '../exit.ts';
import { liveOn } from '../terminal/live.ts';
import { terminalOn, type Terminal } from '../terminal/terminal.ts';
import { bytes, counted, duration } from '../terminal/units.ts';
import { runStatement, StatementError, type Finished } from './athena.ts';
import { rowWriter, type Row, type SqlFormat } from './formats.ts';
import { renderResult, type Layout } from './render-result.ts';
import { renderStatementError } from './render-error.ts';

/** A table is laid out when all its rows are there; longer results are for the formats that stream. */
export const TABLE_ROWS_MAX = 10_000;
const RUNNING_SHOWN_AFTER_MS = 500;

export interface Session {
  readonly connection: Connection;
  readonly athena: AthenaClient;
  readonly out: Terminal;
  readonly messages: Terminal;
  format: SqlFormat;
  database: string | undefined;
  timing: boolean;
  layout: Layout;
  /** Shows lines of a table; a shell puts long ones through a pager. */
  present: (lines: readonly string[]) => Promise<void>;
}

export async function openSession(
  connection: Connection,
  { format, database }: { format: SqlFormat; database: string | undefined },
): Promise<Session> {
  const out = terminalOn(process.stdout);
  return {
    connection,
    athena: await athenaOf(connection),
    out,
    messages: terminalOn(process.stderr),
    format,
    database,
    timing: true,
    layout: 'auto',
    present: async (lines) => out.write(lines.map((line) => `${line}\n`).join('')),
  };
}

/**
 * Runs one statement and shows its rows; gives false when the statement failed or was cancelled, which is shown too.
 * Rejects when the server can't be spoken to.
 */
export async function runAndShow(session: Session, sql: string, signal?: AbortSignal): Promise<boolean> {
  const running = showRunning(session);
  try {
    const finished = await runStatement(session.athena, sql, { database: session.database, signal });
    running.end();
    await (session.format === 'table' ? showTable(session, finished) : stream(session.format, finished));
    return true;
  } catch (error) {
    running.end();
    if (signal?.aborted === true && error === signal.reason) return false;
    const failure = error instanceof StatementError ? error : refused(error, sql);
    if (failure === undefined) throw explain(error, session.connection);
    session.messages.write(`${renderStatementError(failure, session.messages).join('\n')}\n`);
    return false;
  } finally {
    running.end();
  }
}

/** Runs statements up to the first that fails; rejects with the exit code then. */
export async function runAll(
  session: Session,
  statements: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const sql of statements) {
    const succeeded = await runAndShow(session, sql, signal);
    signal.throwIfAborted();
    if (!succeeded) throw new SilentExit(EXIT.failed);
  }
}

/** A statement that the server would not even start. */
function refused(error: unknown, sql: string): StatementError | undefined {
  if (!(error instanceof Error) || error.name !== 'InvalidRequestException') return undefined;
  return new StatementError(error.message, { state: 'FAILED', sql });
}

async function showTable(session: Session, finished: Finished): Promise<void> {
  const rows: Row[] = [];
  let more = false;
  for await (const page of finished.pages) {
    rows.push(...page.slice(0, TABLE_ROWS_MAX - rows.length));
    more = rows.length >= TABLE_ROWS_MAX;
    if (more) break;
  }
  const { columns } = finished;
  const time = `${duration(finished.elapsedMs)}${finished.scannedBytes > 0 ? `, ${bytes(finished.scannedBytes)} read` : ''}`;
  const done = columns.length === 0 ? 'done' : counted(rows.length, 'row');
  const notes = [
    session.out.paint('dim', `(${more ? `first ${done}` : done}${session.timing ? `, ${time}` : ''})`),
    ...(more ? ['More rows may follow: "sluice sql --format csv" gives them all.'] : []),
  ];
  await session.present([...renderResult({ columns, rows }, session.out, session.layout), ...notes]);
}

async function stream(format: Exclude<SqlFormat, 'table'>, finished: Finished): Promise<void> {
  const writer = rowWriter(format, finished.columns);
  if (finished.columns.length === 0) return;
  await write(writer.head);
  for await (const rows of finished.pages) await write(writer.rows(rows));
  await write(writer.tail());
}

async function write(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** A line with the time so far on a terminal, once it is worth one. */
function showRunning({ messages }: Session): { end: () => void } {
  if (!messages.isTty) return { end: () => undefined };
  const live = liveOn(messages);
  const startMs = performance.now();
  const timer = setInterval(() => {
    const ms = performance.now() - startMs;
    if (ms < RUNNING_SHOWN_AFTER_MS) return;
    live.show(() => [messages.paint('dim', `running ${duration(ms)} (^C cancels)`)]);
  }, 100);
  return {
    end: () => {
      clearInterval(timer);
      live.clear();
    },
  };
}
