/** A server as a process of its own, for tests of the library against it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KinesisClient } from '@aws-sdk/client-kinesis';

const PROGRAM = join(import.meta.dirname, '../../server/bin/sluice.mjs');
const READY = /ready (http:\/\/\S+)/;

export interface SluiceServer {
  readonly url: string;
  /** Temporary, and gone after `stop`. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** Resolves when it is ready; rejects with what it wrote when it ends before. */
export async function startServer(): Promise<SluiceServer> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-sdk-'));
  const flags = ['start', '--dev', '--data', join(folder, 'data'), '--port', '0'];
  const child = spawn(process.execPath, [PROGRAM, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = once(child, 'exit');
  const ready = Promise.withResolvers<string>();
  let output = '';
  const read = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-64 * 1024);
    const url = READY.exec(output)?.[1];
    if (url !== undefined) ready.resolve(url);
  };
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  void exited.then(() => ready.reject(new Error(`the server ended before it was ready:\n${output}`)));
  const url = await ready.promise;
  return {
    url,
    folder,
    async stop() {
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function clientOf(url: string): KinesisClient {
  return new KinesisClient({
    endpoint: url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'AKIADEVELOPMENT00000', secretAccessKey: 'any' },
  });
}
