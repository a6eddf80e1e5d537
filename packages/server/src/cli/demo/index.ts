/**
 * `sluice demo`: real flight records through a stream and a delivery into a Delta table, queried while they arrive,
 * over the public APIs only.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { explain } from '../clients.ts';
import { shown } from '../connection.ts';
import { CliError, EXIT, onInterruption, SilentExit } from '../exit.ts';
import { terminalOn, type Terminal } from '../terminal/terminal.ts';
import { count, duration } from '../terminal/units.ts';
import { CREDIT, openFlights, type Flights } from './flights.ts';
import { runDemo, type RunReport } from './run.ts';
import { reportLines, showStreaming } from './screen.ts';
import { lastWords, serve, type ServerProcess } from './server-process.ts';

export interface DemoOptions {
  /** Infinity for all. */
  readonly rows: number;
  readonly data?: string;
  readonly keep?: boolean;
  readonly port: number;
}

/** Resolves when every record is in the table and the server is stopped, or left running as asked. */
export async function demoCommand(options: DemoOptions): Promise<void> {
  const terminal = terminalOn(process.stdout);
  const interruption = onInterruption();
  const flights = await openFlights();
  const temporary = mkdtempSync(join(tmpdir(), 'sluice-demo-'));
  const logFile = join(temporary, 'server.log');
  const data = options.data === undefined ? join(temporary, 'data') : resolve(options.data);
  let server: ServerProcess | undefined;
  let left = false;
  try {
    server = await serve({ data, port: options.port, logFile });
    sayServer(terminal, server, data);
    const rows = Math.min(options.rows, flights.total);
    const report = await against(server, { terminal, flights, rows, signal: interruption.signal });
    terminal.write(`${reportLines(report, terminal).join('\n')}\n\n`);
    left = options.keep === true || !server.own;
    if (left) server.leave();
    terminal.write(
      `${howToGoOn({ terminal, server, data, left, kept: left || options.data !== undefined }).join('\n')}\n`,
    );
  } catch (error) {
    const exitCode = interruption.exitCode();
    if (exitCode === undefined)
      throw server === undefined ? error : withLog(explain(error, server.connection), logFile);
    terminal.write(
      `${terminal.paint('yellow', 'Stopped.')} ${options.data === undefined ? 'The temporary data are removed.' : `What was acknowledged is in ${shown(data)}.`}\n`,
    );
    throw new SilentExit(exitCode);
  } finally {
    flights.close();
    if (!left) await server?.stop();
    // A server that was left running writes its log there.
    if (!left || server?.own !== true) rmSync(temporary, { recursive: true, force: true });
    interruption.release();
  }
}

/** The log goes with the temporary directory, and may tell what the error does not. */
function withLog(error: Error, logFile: string): Error {
  const log = lastWords(logFile);
  if (log === undefined || (error instanceof CliError && error.hint?.includes(log) === true)) return error;
  const exitCode = error instanceof CliError ? error.exitCode : EXIT.failed;
  const hint = error instanceof CliError && error.hint !== undefined ? `${error.hint}\n${log}` : log;
  return new CliError(error.message, { exitCode, hint, cause: error });
}

interface AgainstOptions {
  readonly terminal: Terminal;
  readonly flights: Flights;
  readonly rows: number;
  readonly signal: AbortSignal;
}

async function against(
  server: ServerProcess,
  { terminal, flights, rows, signal }: AgainstOptions,
): Promise<RunReport> {
  let screen: { end: () => void } | undefined;
  const ending = new AbortController();
  const work = runDemo({
    connection: server.connection,
    flights,
    rows,
    signal: AbortSignal.any([signal, ending.signal]),
    onStep: (done, ms) =>
      terminal.write(`${tick(terminal)} ${done} ${terminal.paint('dim', duration(ms))}\n`),
    onStreaming: (state) => {
      terminal.write(`${tick(terminal)} streaming ${count(rows)} real flights of 2001\n`);
      terminal.write(`  ${terminal.paint('dim', CREDIT)}\n\n`);
      screen = showStreaming(state, terminal);
    },
  });
  try {
    return await Promise.race([work, server.failed]);
  } finally {
    ending.abort();
    await work.catch(() => undefined);
    screen?.end();
  }
}

function tick({ paint, unicode }: Terminal): string {
  return paint('green', unicode ? '✔' : '*');
}

function sayServer(terminal: Terminal, server: ServerProcess, data: string): void {
  const { paint } = terminal;
  const how =
    server.readyMs === undefined
      ? `goes on with the Sluice that runs at ${server.connection.endpoint}`
      : `Sluice serves ${server.connection.endpoint} ${paint('dim', `ready in ${duration(server.readyMs)}, data in ${shown(data)}`)}`;
  terminal.write(`${tick(terminal)} ${how}\n`);
}

interface GoOn {
  readonly terminal: Terminal;
  readonly server: ServerProcess;
  readonly data: string;
  readonly left: boolean;
  readonly kept: boolean;
}

function howToGoOn({ terminal, server, data, left, kept }: GoOn): string[] {
  const { paint } = terminal;
  // As the user called it: from a clone there is no `sluice` on PATH.
  const name = process.env['npm_execpath'] === undefined ? 'sluice' : 'npx sluice';
  const flag = ` --data ${shown(data)}`;
  const lines = (commands: readonly (readonly [string, string])[]) => {
    const width = Math.max(...commands.map(([command]) => command.length));
    return commands.map(
      ([command, what]) => `  ${paint('cyan', command.padEnd(width))}  ${paint('dim', what)}`,
    );
  };
  if (!kept) {
    return [
      'The data were temporary and are removed. To keep them and go on:',
      ...lines([[`${name} demo --data ./.sluice --keep`, 'then: sql, status, env, any AWS client']]),
    ];
  }
  const next = [
    [`${name} sql${flag}`, 'the shell'],
    [`${name} sql${flag} "select * from flights.departures limit 5"`, 'an answer'],
    [`${name} status${flag} --watch`, 'streams, deliveries, tables'],
    [`eval "$(${name} env${flag})"`, 'for any AWS client in this terminal'],
  ] as const;
  return left
    ? [
        `Sluice goes on at ${server.connection.endpoint}, with its data in ${shown(data)}:`,
        ...lines([...next, [`kill ${server.pid}`, 'stops it in order']]),
      ]
    : [
        `The data stay in ${shown(data)}. To go on:`,
        ...lines([[`${name} start${flag}`, 'and in another terminal:'], ...next]),
      ];
}
