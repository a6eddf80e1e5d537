import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Target } from './target.ts';

export interface StartOptions {
  /** Kept after `stop` when it is given; a temporary one is removed. */
  readonly data?: string;
  readonly arguments?: readonly string[];
  /** Besides this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface StartedSluice extends Target {
  readonly pid: number;
  readonly data: string;
  /** Asks it to end; rejects when it doesn't end well. */
  stop(): Promise<void>;
  /** What a power cut does to it. */
  kill(): Promise<void>;
}

const PROGRAM = join(import.meta.dirname, '../../server/bin/sluice.mjs');
const READY_MS_MAX = 20_000;

/** Starts `sluice start` on a free port and resolves when it says that it is ready. */
export async function startSluice(options: StartOptions = {}): Promise<StartedSluice> {
  const data = options.data ?? (await mkdtemp(join(tmpdir(), 'sluice-conformance-')));
  const child = spawn(
    process.execPath,
    [PROGRAM, 'start', '--port', '0', '--data', data, ...(options.arguments ?? [])],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.environment } },
  );
  let output = '';
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const ready = Promise.withResolvers<string>();
  const read = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-64 * 1024);
    const url = /ready (http:\/\/\S+)/.exec(output)?.[1];
    if (url !== undefined) ready.resolve(url);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  child.once('error', ready.reject);
  const timer = setTimeout(() => ready.reject(new Error(`not ready in time:\n${output}`)), READY_MS_MAX);
  void ended.then((code) =>
    ready.reject(new Error(`ended with ${String(code)} before it was ready:\n${output}`)),
  );
  const clean = async () => {
    if (options.data === undefined) await rm(data, { recursive: true, force: true });
  };
  try {
    const url = await ready.promise;
    return {
      url,
      data,
      pid: child.pid!,
      ...(await rootCredentials(data)),
      async stop() {
        child.kill('SIGTERM');
        const code = await ended;
        await clean();
        if (code !== 0) throw new Error(`ended with ${String(code)}:\n${output}`);
      },
      async kill() {
        child.kill('SIGKILL');
        await ended;
        await clean();
      },
    };
  } catch (error) {
    child.kill('SIGKILL');
    await clean();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A server in `--dev` makes no key and takes any. */
async function rootCredentials(data: string): Promise<Pick<Target, 'accessKeyId' | 'secretAccessKey'>> {
  try {
    return JSON.parse(await readFile(join(data, 'root-credentials.json'), 'utf8')) as Target;
  } catch {
    return { accessKeyId: 'AKIADEVELOPMENT00000', secretAccessKey: 'any' };
  }
}
