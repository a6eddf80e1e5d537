/**
 * The data directory: every byte of a server, described file by file in docs/data-directory.md.
 *
 * `format.json` carries the version of the layout. A newer one is refused; an older one is brought forward by the
 * migrations, one version at a time, before anything else reads the directory.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { takeProcessLock } from '../adapters/process-lock/index.ts';
import { PlatformError } from '../base/errors.ts';
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

/** Creates or opens the directory and locks it for this process. Throws `in-use` or `data-directory`. */
export function openDataDirectory(root: string, options: OpenOptions = {}): DataDirectory {
  try {
    return open(root, options);
  } catch (cause) {
    if (cause instanceof PlatformError || !(cause instanceof Error) || !('code' in cause)) throw cause;
    throw new AppError({
      code: 'data-directory',
      message: `the data directory ${root} can't be used: ${cause.message}`,
      hint: 'Make sure that this user may write there and that the disk has room, or name another directory with --data.',
      cause,
    });
  }
}

function open(root: string, options: OpenOptions): DataDirectory {
  makeRoot(root);
  // Before the lock, which is a file already.
  refuseForeign(root);
  const lock = takeProcessLock(join(root, 'lock'));
  if (lock === undefined) throw inUse(root);
  try {
    bringForward(root, options.version ?? FORMAT_VERSION, options.migrations ?? MIGRATIONS);
    refuseLostNames(root);
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
    makeDirectory(root);
  } catch (cause) {
    throw new AppError({
      code: 'data-directory',
      message: `the data directory ${root} can't be created: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Name another one with --data.',
      cause,
    });
  }
}

/** With its parents. Node's own `recursive` never returns where the system has no directory to be made, as in /proc. */
function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST' && statSync(path).isDirectory()) return;
    if (code !== 'ENOENT' || existsSync(dirname(path))) throw error;
    makeDirectory(dirname(path));
    mkdirSync(path, { mode: 0o700 });
  }
}

function bringForward(root: string, version: number, migrations: ReadonlyMap<number, FormatMigration>): void {
  const file = join(root, 'format.json');
  const write = (format: number) => writeFileDurably(file, `${JSON.stringify({ format })}\n`);
  let found = readFormat(file);
  if (found === undefined) return write(version);
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
  const names = readdirSync(root);
  if (names.includes('format.json')) return;
  const foreign = names.find((name) => !OWN_BEFORE_FORMAT.has(name));
  if (foreign === undefined) return;
  if (names.includes('meta.db') && names.includes('journal')) {
    throw new AppError({
      code: 'data-directory',
      message: `${join(root, 'format.json')} is missing, which says how the data beside it are laid out`,
      hint: RESTORE_FORMAT,
    });
  }
  throw new AppError({
    code: 'data-directory',
    message: `${root} holds files that are not of Sluice, such as ${foreign}`,
    hint: 'Name an empty or new directory with --data.',
  });
}

/** Names are made before any record or table: an empty store beside those was lost, and a start would begin another. */
function refuseLostNames(root: string): void {
  const at = (name: string) => join(root, name);
  if (existsSync(at('meta.db')) && statSync(at('meta.db')).size > 0) return;
  const left = ['journal', 'lake'].find((name) => existsSync(at(name)) && readdirSync(at(name)).length > 0);
  if (left === undefined) return;
  throw new AppError({
    code: 'data-directory',
    message: `${at('meta.db')} is missing or empty, though ${left} holds data whose names were in it`,
    hint: 'Restore it from a copy, with meta.db-wal if there is one; or start on a new directory with --data.',
  });
}

const RESTORE_FORMAT = `Restore it from a copy; this version of Sluice writes {"format":${FORMAT_VERSION}}.`;

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
  const format = formatIn(text);
  if (typeof format === 'number' && Number.isInteger(format) && format >= 1) return format;
  throw new AppError({
    code: 'data-directory',
    message: `${file} is not a format file of Sluice: ${JSON.stringify(text.slice(0, SHOWN_CHARS_MAX))}`,
    hint: RESTORE_FORMAT,
  });
}

const SHOWN_CHARS_MAX = 80;

function formatIn(text: string): unknown {
  try {
    return (JSON.parse(text) as { format?: unknown } | null)?.format;
  } catch {
    return undefined;
  }
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
