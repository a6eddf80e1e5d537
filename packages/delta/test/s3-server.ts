/**
 * A real S3 service for tests: versitygw (Apache-2.0) over a directory, whose conditional puts are atomic from 1.8 on.
 * It is built once with Go from the Go module proxy, into the user's cache directory; nothing of it is shipped.
 * `node packages/delta/test/s3-server.ts` builds it without a bound on the time.
 */
import { execFile, spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, platform } from 'node:process';
import { promisify } from 'node:util';
import { S3Client, type S3ClientConfig, CreateBucketCommand, ListBucketsCommand } from '@aws-sdk/client-s3';

const MODULE = 'github.com/versity/versitygw/cmd/versitygw';
const VERSION = 'v1.8.0';
/** Of a test's wait; a build that takes longer goes on at the next run, where it ended. */
const BUILD_MS_MAX = 50_000;
/** A build that is older has been killed. */
const CLAIM_MS_MAX = 600_000;
const START_MS_MAX = 30_000;
const START_ATTEMPTS_MAX = 5;
const CREDENTIALS = { accessKeyId: 'sluice-test', secretAccessKey: 'sluice-test-secret' };

export interface S3TestServer {
  readonly endpoint: string;
  /** For a client of it. */
  readonly client: S3ClientConfig;
  /** Creates a bucket that no one else uses and gives its name. */
  newBucket(): Promise<string>;
  stop(): Promise<void>;
}

/** A running server with its own directory, or why there can't be one here. */
export async function startS3Server(): Promise<S3TestServer | { readonly unavailable: string }> {
  const program = await builtProgram();
  if (typeof program !== 'string') return program;
  const directory = await mkdtemp(join(tmpdir(), 'sluice-s3-'));
  for (let attempt = 1; ; attempt += 1) {
    const running = await tryStart(program, { directory, port: await freePort() });
    if ('endpoint' in running) return running;
    if (attempt === START_ATTEMPTS_MAX) {
      await rm(directory, { recursive: true });
      throw new Error(`versitygw does not start: ${running.output}`);
    }
  }
}

async function builtProgram(timeoutMs = BUILD_MS_MAX): Promise<string | { unavailable: string }> {
  const cache = join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'sluice', 'tools');
  const program = join(cache, `versitygw-${VERSION}${platform === 'win32' ? '.exe' : ''}`);
  if (await exists(program)) return program;
  await mkdir(cache, { recursive: true });
  const building = join(cache, `.building-${VERSION}`);
  if (!(await claimed(building))) {
    return { unavailable: `versitygw ${VERSION} is being built by another process at this moment` };
  }
  try {
    const go = { env: { ...env, GOBIN: building }, timeout: timeoutMs };
    await promisify(execFile)('go', ['install', `${MODULE}@${VERSION}`], go);
    await rename(join(building, 'versitygw'), program);
    return program;
  } catch (error) {
    const isSlow = error instanceof Error && 'killed' in error && error.killed === true;
    const why = isSlow ? `not within ${timeoutMs} ms; the next run goes on with it` : firstLine(error);
    return { unavailable: `versitygw ${VERSION} can't be built with Go: ${why}` };
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Whether the directory is this process's own: made by it, or left behind by one that is gone. */
async function claimed(directory: string): Promise<boolean> {
  const found = await stat(directory).catch(() => undefined);
  if (found !== undefined && Date.now() - found.mtimeMs < CLAIM_MS_MAX) return false;
  await rm(directory, { recursive: true, force: true });
  return mkdir(directory).then(
    () => true,
    () => false,
  );
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0] ?? '';
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function tryStart(
  program: string,
  at: { directory: string; port: number },
): Promise<S3TestServer | { output: string }> {
  const endpoint = `http://127.0.0.1:${at.port}`;
  const data = join(at.directory, 'data');
  await mkdir(data, { recursive: true });
  await mkdir(join(at.directory, 'sidecar'), { recursive: true });
  // A sidecar directory for metadata: not every file system has extended attributes.
  const args = ['--port', `127.0.0.1:${at.port}`, '--quiet', '--keep-alive', 'posix'];
  const child = spawn(program, [...args, '--sidecar', join(at.directory, 'sidecar'), data], {
    env: {
      PATH: env['PATH'] ?? '',
      ROOT_ACCESS_KEY: CREDENTIALS.accessKeyId,
      ROOT_SECRET_KEY: CREDENTIALS.secretAccessKey,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    child.on('error', () => resolve());
  });
  const isEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const config = { region: 'us-east-1', endpoint, forcePathStyle: true, credentials: CREDENTIALS };
  const client = new S3Client({ ...config, maxAttempts: 1 });
  const stop = async (): Promise<void> => {
    client.destroy();
    if (!isEnded()) child.kill('SIGKILL');
    await ended;
    await rm(at.directory, { recursive: true, force: true });
  };
  const deadlineMs = Date.now() + START_MS_MAX;
  while (!isEnded() && Date.now() < deadlineMs) {
    const isUp = await client.send(new ListBucketsCommand({})).then(
      () => true,
      () => false,
    );
    if (isUp) {
      let buckets = 0;
      const newBucket = async (): Promise<string> => {
        const Bucket = `bucket-${(buckets += 1)}`;
        await client.send(new CreateBucketCommand({ Bucket }));
        return Bucket;
      };
      return { endpoint, client: config, newBucket, stop };
    }
  }
  client.destroy();
  child.kill('SIGKILL');
  await ended;
  return { output };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

if (import.meta.main) {
  const built = await builtProgram(0);
  console.log(typeof built === 'string' ? built : built.unavailable);
}
