/** `sluice start` as a child process, as a user runs it, for tests that kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(import.meta.resolve('../bin/sluice.mjs'));
const READY = /^ready (http:\/\/\S+)$/m;

export interface SluiceProcess {
  readonly url: string;
  readonly pid: number;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Everything that it logged so far. */
  log(): string;
}

/** Resolves when the server is ready; rejects with its log when it ends before. */
export async function startSluice(data: string, ...flags: string[]): Promise<SluiceProcess> {
  const child = spawn(process.execPath, [BIN, 'start', '--data', data, '--port', '0', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, SLUICE_LOG_LEVEL: 'warn' },
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log += chunk));
  const url = await ready(child, () => log);
  const exited = once(child, 'exit');
  return {
    url,
    pid: child.pid!,
    log: () => log,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      const [code] = (await exited) as [number | null];
      return code;
    },
  };
}

async function ready(child: ChildProcess, log: () => string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let output = '';
  child.stdout!.on('data', (chunk) => {
    output += chunk;
    const url = READY.exec(output)?.[1];
    if (url) resolve(url);
  });
  child.on('exit', (code, signal) =>
    reject(new Error(`sluice ended before it was ready (${code ?? signal})\n${output}${log()}`)),
  );
  child.on('error', reject);
  return await promise;
}
