/** The demo's server: a process of its own, so that the load's event loop is not the server's. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { findServer, isAlive, readRunFile, type Connection } from '../connection.ts';
import { CliError } from '../exit.ts';

const READY_MS_MAX = 30_000;
const STOP_MS_MAX = 20_000;
const LOG_LINES_SHOWN = 8;

export interface ServerProcess {
  readonly connection: Connection;
  readonly pid: number;
  /** False when it ran before the demo came, which then doesn't stop it. */
  readonly own: boolean;
  /** Milliseconds from its start to being ready; undefined when it ran before. */
  readonly readyMs: number | undefined;
  /** Rejects when it ends by itself, with its last words. */
  readonly failed: Promise<never>;
  /** Drains it and waits for its end. */
  stop(): Promise<void>;
  /** Lets it outlive this process. */
  leave(): void;
}

/** Takes the server that runs on the directory, or starts one; its log goes to `logFile`. */
export async function serve({
  data,
  port,
  logFile,
}: {
  data: string;
  port: number;
  logFile: string;
}): Promise<ServerProcess> {
  const running = readRunFile(data);
  if (running !== undefined && isAlive(running.pid)) {
    return {
      connection: findServer({ data }),
      pid: running.pid,
      own: false,
      readyMs: undefined,
      failed: new Promise<never>(() => undefined),
      stop: async () => undefined,
      leave: () => undefined,
    };
  }
  return spawnServer({ data, port, logFile });
}

async function spawnServer({
  data,
  port,
  logFile,
}: {
  data: string;
  port: number;
  logFile: string;
}): Promise<ServerProcess> {
  const startMs = performance.now();
  const log = openSync(logFile, 'a', 0o600);
  const command = fileURLToPath(new URL('../../../bin/sluice.mjs', import.meta.url));
  const child = spawn(
    process.execPath,
    [command, 'start', '--data', data, '--port', String(port), '--host', '127.0.0.1', '--log-level', 'warn'],
    {
      // A group of its own: the terminal's ^C is for the demo, which stops the server in order. The channel tells the
      // server when the demo is killed.
      detached: true,
      stdio: ['ignore', 'pipe', log, 'ipc'],
      env: withoutSettings(process.env),
    },
  );
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  const failed = ended.then((how): never => {
    throw new CliError(`the server ended by itself (${how})`, { hint: lastWords(logFile) });
  });
  failed.catch(() => undefined);
  const ready = new Promise<void>((resolve) => {
    createInterface({ input: child.stdout! }).on('line', (line) => line.startsWith('ready ') && resolve());
  });
  const late = AbortSignal.timeout(READY_MS_MAX);
  const tooLate = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () => {
      reject(
        new CliError(`the server was not ready within ${READY_MS_MAX / 1000} s`, {
          hint: lastWords(logFile),
        }),
      );
    });
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await ended;
    clearTimeout(kill);
  };
  try {
    await Promise.race([ready, failed, tooLate]);
    return {
      connection: findServer({ data }),
      pid: child.pid ?? 0,
      own: true,
      readyMs: performance.now() - startMs,
      failed,
      stop,
      leave() {
        child.send('stay');
        child.disconnect();
        child.stdout?.destroy();
        child.unref();
      },
    };
  } catch (error) {
    if (child.exitCode === null && child.signalCode === null) await stop();
    throw error;
  }
}

/** Settings that the user made for another server must not bend this one. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SLUICE_')));
}

/** The last things that a server logged, each once; undefined when it logged nothing. */
export function lastWords(logFile: string): string | undefined {
  const lines = readFileSync(logFile, { encoding: 'utf8', flag: 'a+' }).trimEnd().split('\n').map(readable);
  const last = [...new Set(lines)].filter(Boolean).slice(-LOG_LINES_SHOWN);
  return last.length === 0 ? undefined : `Its log ends with:\n${last.map((line) => `  ${line}`).join('\n')}`;
}

/** A line of the log as people read it; a line that is no JSON (a crash of Node) as it is. */
function readable(line: string): string {
  try {
    const { msg, err, role } = JSON.parse(line) as { msg?: string; role?: string; err?: { stack?: string } };
    const where =
      err?.stack
        ?.split('\n')
        .slice(0, 2)
        .map((part) => part.trim())
        .join(' ') ?? '';
    return [role, msg, where].filter(Boolean).join(': ');
  } catch {
    return line;
  }
}
