/**
 * The data directory: every byte of a server, described file by file in docs/data-directory.md.
 *
 * `format.json` carries the version of the layout. A newer one is refused; an older one is brought forward by the
 * migrations, one version at a time, before anything else reads the directory.
 */
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { takeProcessLock } from '../adapters/process-lock/index.ts';
import { AppError } from './errors.ts';

export const FORMAT_VERSION = 1;

/** Brings a directory from the version it is filed under to the next one; must be safe to repeat after a crash. */
export type FormatMigration = (root: string) => void;

/** Filed by the version that they start from; complete from 1 to `FORMAT_VERSION - 1`. */
const MIGRATIONS: ReadonlyMap<number, FormatMigration> = new Map();

export interface DataDirectory {
  readonly root: string;
  readonly metaFile: string;
  readonly journal: string;
  readonly lake: string;
  readonly results: string;
  /** Emptied at each start. */
  readonly temp: string;
  /** Says where a running server is: `{pid, url, dev, startedMs}`; removed at a clean stop. */
  readonly runFile: string;
  readonly credentialsFile: string;
  /** Master keys of encrypted streams; absent until one is needed. */
  readonly masterKeysFile: string;
  close(): void;
}

export interface OpenOptions {
  readonly version?: number;
  readonly migrations?: ReadonlyMap<number, FormatMigration>;
}

/** Creates or opens the directory and locks it for this process. Rejects with `in-use` or `data-directory`. */
export function openDataDirectory(root: string, options: OpenOptions = {}): DataDirectory {
  makeRoot(root);
  const lock = takeProcessLock(join(root, 'lock'));
  if (lock === undefined) throw inUse(root);
  try {
    bringForward(root, options.version ?? FORMAT_VERSION, options.migrations ?? MIGRATIONS);
  } catch (error) {
    lock.release();
    throw error;
  }
  const at = (name: string) => join(root, name);
  rmSync(at('tmp'), { recursive: true, force: true });
  for (const name of ['journal', 'lake', 'results', 'tmp']) mkdirSync(at(name), { recursive: true });
  return {
    root,
    metaFile: at('meta.db'),
    journal: at('journal'),
    lake: at('lake'),
    results: at('results'),
    temp: at('tmp'),
    runFile: at('run.json'),
    credentialsFile: at('root-credentials.json'),
    masterKeysFile: at('master-keys.json'),
    close() {
      rmSync(at('run.json'), { force: true });
      lock.release();
    },
  };
}

/** Replaces a small file so that a crash leaves the old or the new content, whole. */
export function writeFileDurably(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
  const directory = openSync(dirname(path), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function makeRoot(root: string): void {
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new AppError({
      code: 'data-directory',
      message: `the data directory ${root} can't be created: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Name another one with --data.',
      cause,
    });
  }
}

function bringForward(root: string, version: number, migrations: ReadonlyMap<number, FormatMigration>): void {
  const file = join(root, 'format.json');
  const write = (format: number) => writeFileDurably(file, `${JSON.stringify({ format })}\n`);
  let found = readFormat(file);
  if (found === undefined) {
    refuseForeign(root);
    return write(version);
  }
  if (found > version) {
    throw new AppError({
      code: 'data-directory',
      message: `${root} has format ${found}, which is newer than this version of Sluice knows (${version})`,
      hint: 'Start it with the version of Sluice that wrote it, or a later one.',
    });
  }
  for (; found < version; found++) {
    const migration = migrations.get(found);
    if (migration === undefined) throw new Error(`no migration from format ${found}`);
    migration(root);
    write(found + 1);
  }
}

/** A directory with somebody's files in it and no format file is not a data directory, nor may it become one. */
function refuseForeign(root: string): void {
  const foreign = readdirSync(root).find((name) => !OWN_BEFORE_FORMAT.has(name));
  if (foreign === undefined) return;
  throw new AppError({
    code: 'data-directory',
    message: `${root} holds files that are not of Sluice, such as ${foreign}`,
    hint: 'Name an empty or new directory with --data.',
  });
}

/** What a start that was killed before `format.json` leaves. */
const OWN_BEFORE_FORMAT = new Set(['lock', 'lock-journal', 'format.json.new']);

function readFormat(file: string): number | undefined {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const format: unknown = (JSON.parse(text) as { format?: unknown }).format;
  if (typeof format === 'number' && Number.isInteger(format) && format >= 1) return format;
  throw new AppError({
    code: 'data-directory',
    message: `${file} is not a format file of Sluice: ${text.trim()}`,
  });
}

function inUse(root: string): AppError {
  const running = runningServer(root);
  const by =
    running === undefined ? 'another process' : `process ${running.pid}, which serves ${running.url}`;
  return new AppError({
    code: 'in-use',
    message: `the data directory ${root} is in use by ${by}`,
    hint: 'Stop that process first, or name another directory with --data.',
  });
}

/** What the server that runs on a directory wrote of itself; undefined when none did. */
export function runningServer(root: string): { pid: number; url: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(root, 'run.json'), 'utf8')) as { pid: number; url: string };
  } catch {
    return undefined;
  }
}
