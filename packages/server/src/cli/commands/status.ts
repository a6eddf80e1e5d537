import { setTimeout as sleep } from 'node:timers/promises';
import { findServer, type Connection, type ServerOptions } from '../connection.ts';
import { CliError, EXIT, onInterruption, SilentExit } from '../exit.ts';
import { getJson } from '../signed-get.ts';
import { readStatus } from '../status/report.ts';
import { renderStatus, type Moment } from '../status/render.ts';
import { terminalOn, type Terminal } from '../terminal/terminal.ts';
import { fit } from '../terminal/width.ts';

export interface StatusOptions extends ServerOptions {
  readonly json?: boolean;
  readonly watch?: boolean;
}

const WATCH_MS = 1000;
const ALTERNATE_SCREEN = { enter: '\u001B[?1049h\u001B[?25l', leave: '\u001B[?25h\u001B[?1049l' } as const;

export async function statusCommand({ json, watch, ...server }: StatusOptions): Promise<void> {
  const connection = findServer(server);
  const terminal = terminalOn(process.stdout);
  if (json === true) {
    if (watch === true) throw new CliError('--json and --watch exclude each other', { exitCode: EXIT.usage });
    return terminal.write(`${JSON.stringify(await getJson(connection, '/status'), undefined, 2)}\n`);
  }
  if (watch === true && terminal.isTty) return watchStatus(connection, terminal);
  const moment = await take(connection);
  terminal.write(`${renderStatus(moment, terminal, { endpoint: connection.endpoint }).join('\n')}\n`);
}

async function take(connection: Connection): Promise<Moment> {
  return { report: await readStatus(connection), atMs: Date.now() };
}

/** Redraws on the terminal's second screen, so that what stood there before comes back at the end. */
async function watchStatus(connection: Connection, terminal: Terminal): Promise<void> {
  const interruption = onInterruption();
  const keys = new AbortController();
  const left = AbortSignal.any([interruption.signal, keys.signal]);
  // Raw mode turns ^C into a key.
  process.stdin.setRawMode?.(true);
  process.stdin.on('data', (key: Buffer) => {
    if (['q', '\u0003', '\u0004', '\u001B'].includes(key.toString())) keys.abort();
  });
  terminal.write(ALTERNATE_SCREEN.enter);
  try {
    for (let before: Moment | undefined; !left.aborted;) {
      const moment = await take(connection);
      draw(
        terminal,
        renderStatus(moment, terminal, { endpoint: connection.endpoint, before: before ?? moment }),
      );
      before = moment;
      await sleep(WATCH_MS, undefined, { signal: left }).catch(() => undefined);
    }
  } finally {
    terminal.write(ALTERNATE_SCREEN.leave);
    process.stdin.setRawMode?.(false);
    process.stdin.pause();
    interruption.release();
  }
  if (interruption.exitCode() !== undefined) throw new SilentExit(EXIT.ok);
}

function draw(terminal: Terminal, lines: readonly string[]): void {
  const room = terminal.rows() - 2;
  const shown =
    lines.length > room
      ? [...lines.slice(0, room - 1), terminal.paint('dim', `… ${lines.length - room + 1} more lines`)]
      : lines;
  const footer = terminal.paint('dim', 'q leaves');
  const text = [...shown, '', footer].map((line) => `${fit(line, terminal.columns())}\u001B[K`).join('\r\n');
  terminal.write(`\u001B[H${text}\u001B[J`);
}
