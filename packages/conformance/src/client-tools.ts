/** What the tests with clients of other languages need: their tools, a cache of their packages, and a look at the wire. */
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Target } from './target.ts';

export const CLIENTS = join(import.meta.dirname, '../clients');

const run = promisify(execFile);
const CALL_MS_MAX = 180_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/** Why a tool can't be used; false when it can. */
export function toolsAbsent(...commands: readonly (readonly [string, ...string[]])[]): string | false {
  for (const [command, ...args] of commands) {
    try {
      execFileSync(command, args, { stdio: 'ignore' });
    } catch {
      return `${command} does not run on this machine`;
    }
  }
  return false;
}

/** Resolves with what the program printed; rejects with all that it said when it fails or takes too long. */
export async function call(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { stdout } = await run(command, [...args], {
    ...options,
    timeout: CALL_MS_MAX,
    maxBuffer: OUTPUT_BYTES_MAX,
  });
  return stdout;
}

/**
 * A folder of the user's cache that `fill` filled for exactly these files; a fill that failed, as it does without a
 * network, is begun again.
 */
export async function cached(
  name: string,
  files: readonly string[],
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  const root = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const directory = join(root, 'sluice', 'clients', `${name}-${hash.digest('hex').slice(0, 16)}`);
  const marker = join(directory, 'complete');
  if (!existsSync(marker)) {
    mkdirSync(directory, { recursive: true });
    await fill(directory);
    writeFileSync(marker, '');
  }
  return directory;
}

export function environmentOf({ accessKeyId, secretAccessKey }: Target): NodeJS.ProcessEnv {
  return {
    ...process.env,
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: 'eu-central-1',
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_PAGER: '',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** Passes connections on to the target and says whether clients sent `text`, which has to be in plain HTTP/1.1. */
export async function watchFor(
  text: string,
  target: Target,
): Promise<{ readonly url: string; seen(): boolean; close(): void }> {
  const { hostname, port } = new URL(target.url);
  let seen = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    let tail = '';
    client.on('data', (chunk: Buffer) => {
      const part = tail + chunk.toString('latin1');
      seen ||= part.includes(text);
      tail = part.slice(-text.length);
    });
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: () => seen,
    close: () => void server.close(),
  };
}
