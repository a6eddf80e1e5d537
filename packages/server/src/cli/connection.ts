/**
 * Where the server is and with which key it is spoken to: `--endpoint`, then `--data`, then AWS_ENDPOINT_URL, then
 * SLUICE_DATA or ./.sluice. A data directory tells both in `run.json` and `root-credentials.json`.
 */
import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { CliError, EXIT } from './exit.ts';

export interface ServerOptions {
  readonly data?: string | undefined;
  readonly endpoint?: string | undefined;
}

export interface Connection {
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  readonly region: string;
  /** Where the endpoint comes from, for messages. */
  readonly source: string;
}

export interface RunFile {
  readonly pid: number;
  readonly url: string;
  readonly dev: boolean;
  readonly startedMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const REGION_DEFAULT = 'us-east-1';
/** What `--dev` accepts, as it accepts anything. */
const ANY_KEY = { accessKeyId: 'sluice', secretAccessKey: 'sluice' } as const;

/** Rejects with exit code 3 where no server runs, and with what to do. It does not connect. */
export function findServer(options: ServerOptions, environment: Environment = process.env): Connection {
  const region = environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || REGION_DEFAULT;
  const fromEnvironment = () => ({
    accessKeyId: environment['AWS_ACCESS_KEY_ID'] || ANY_KEY.accessKeyId,
    secretAccessKey: environment['AWS_SECRET_ACCESS_KEY'] || ANY_KEY.secretAccessKey,
    sessionToken: environment['AWS_SESSION_TOKEN'] || undefined,
    region,
  });
  if (options.endpoint !== undefined) {
    return {
      endpoint: checkedUrl(options.endpoint, '--endpoint'),
      ...fromEnvironment(),
      source: '--endpoint',
    };
  }
  const variable = environment['AWS_ENDPOINT_URL'];
  if (options.data === undefined && variable) {
    const source = 'AWS_ENDPOINT_URL';
    return { endpoint: checkedUrl(variable, source), ...fromEnvironment(), source };
  }
  const directory = dataDirectory(options.data, environment);
  const running = readRunFile(directory);
  if (running === undefined || !isAlive(running.pid)) throw noServerOn(directory, running);
  const key = running.dev ? ANY_KEY : readKey(directory);
  return { endpoint: reachable(running.url), ...key, region, source: shown(directory) };
}

export function dataDirectory(flag: string | undefined, environment: Environment = process.env): string {
  return resolve(flag ?? (environment['SLUICE_DATA'] || './.sluice'));
}

/** What a running server wrote of itself, or one that was killed; undefined when there is none. */
export function readRunFile(directory: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(join(directory, 'run.json'), 'utf8')) as RunFile;
  } catch {
    return undefined;
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The path as it is shortest to type from here. */
export function shown(directory: string): string {
  const near = relative(process.cwd(), directory);
  return near === '' ? '.' : near.startsWith('..') ? directory : near;
}

export function noAnswer(connection: Pick<Connection, 'endpoint' | 'source'>, cause: unknown): CliError {
  return new CliError(`no server answers at ${connection.endpoint} (from ${connection.source})`, {
    exitCode: EXIT.noServer,
    hint: 'Start one with "sluice start", or name another with --data DIR or --endpoint URL.',
    cause,
  });
}

const KEY_ERRORS = new Set([
  'UnrecognizedClientException',
  'InvalidSignatureException',
  'IncompleteSignatureException',
  'MissingAuthenticationTokenException',
  'AccessDeniedException',
  'InvalidClientTokenId',
  'SignatureDoesNotMatch',
]);

/** An answer of the server as an error for the person at the terminal; `type` is its exception's name. */
export function refusal(
  connection: Connection,
  { type, message, cause }: { type: string; message: string; cause?: unknown },
): CliError {
  if (!KEY_ERRORS.has(type)) return new CliError(`${type}: ${message}`, { cause });
  return new CliError(`${connection.endpoint} refuses the access key ${connection.accessKeyId}: ${message}`, {
    hint: 'Name the server by --data DIR, or take its key with eval "$(sluice env)".',
    cause,
  });
}

function noServerOn(directory: string, stale: RunFile | undefined): CliError {
  const flag = directory === dataDirectory(undefined, {}) ? '' : ` --data ${shown(directory)}`;
  const what =
    stale === undefined
      ? `no server runs on the data directory ${shown(directory)}`
      : `the server of the data directory ${shown(directory)} (process ${stale.pid}) is gone without a clean stop`;
  return new CliError(what, {
    exitCode: EXIT.noServer,
    hint: `Start it with "sluice start${flag}"${stale === undefined ? '' : ': what was acknowledged is there'}; or name another with --data DIR or --endpoint URL.`,
  });
}

function readKey(directory: string): { accessKeyId: string; secretAccessKey: string } {
  const file = join(directory, 'root-credentials.json');
  try {
    const { accessKeyId, secretAccessKey } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    if (accessKeyId !== undefined && secretAccessKey !== undefined) return { accessKeyId, secretAccessKey };
    throw new Error('it lacks accessKeyId or secretAccessKey');
  } catch (cause) {
    throw new CliError(`the root key in ${shown(file)} can't be read: ${messageOf(cause)}`, {
      hint: 'Run this as the user who started the server, or set AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
      cause,
    });
  }
}

/** An address that listens everywhere is not one to connect to. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

function checkedUrl(text: string, source: string): string {
  const url = URL.parse(text);
  if (url !== null && (url.protocol === 'http:' || url.protocol === 'https:')) return url.origin;
  throw new CliError(`${source} is not an http(s) URL: ${text}`, {
    exitCode: EXIT.usage,
    hint: 'Give it as http://127.0.0.1:4566.',
  });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
