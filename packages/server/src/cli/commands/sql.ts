import { findServer, type ServerOptions } from '../connection.ts';
import { CliError, EXIT, onInterruption, SilentExit } from '../exit.ts';
import type { SqlFormat } from '../sql/formats.ts';
import { openSession, runAll, type Session } from '../sql/session.ts';
import { createSplitter, splitStatements } from '../sql/splitter.ts';

export interface SqlOptions extends ServerOptions {
  readonly format: SqlFormat;
  readonly database?: string;
}

/** Runs the statements given, those of standard input, or a shell; rejects with the exit code of a failure. */
export async function sqlCommand(text: string, { format, database, ...server }: SqlOptions): Promise<void> {
  const connection = findServer(server);
  const statements = splitStatements(text);
  if (text !== '' && statements.length === 0) {
    throw new CliError('there is no statement in the argument', {
      exitCode: EXIT.usage,
      hint: 'Give one as in: sluice sql "select 1".',
    });
  }
  const session = await openSession(connection, { format, database });
  if (text === '' && process.stdin.isTTY && process.stdout.isTTY) {
    const { runShell } = await import('../sql/shell.ts');
    return runShell(session);
  }
  const interruption = onInterruption();
  try {
    if (text === '') await runScript(session, interruption.signal);
    else await runAll(session, statements, interruption.signal);
  } catch (error) {
    throw interruption.exitCode() === undefined
      ? error
      : new SilentExit(interruption.exitCode() ?? EXIT.interrupted);
  } finally {
    interruption.release();
  }
}

/** Statements of standard input, each run as soon as it is whole; lines that begin with a backslash as in the shell. */
async function runScript(session: Session, signal: AbortSignal): Promise<void> {
  const { runMeta } = await import('../sql/meta-commands.ts');
  const { createInterface } = await import('node:readline');
  const splitter = createSplitter();
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY, signal });
  for await (const line of lines) {
    signal.throwIfAborted();
    if (splitter.state() === 'start' && line.trimStart().startsWith('\\')) {
      const outcome = await runMeta(session, line);
      if (outcome === 'quit') return;
      if (outcome === 'failed') throw new SilentExit(EXIT.failed);
    } else {
      await runAll(session, splitter.push(`${line}\n`), signal);
    }
  }
  signal.throwIfAborted();
  const last = splitter.end();
  if (last !== undefined) await runAll(session, [last], signal);
}
