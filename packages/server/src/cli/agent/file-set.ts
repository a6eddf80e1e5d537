/** The files of one flow: found by its pattern, followed by their inodes through rotation by name and by copy. */
import { glob, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Checkpoint, Checkpoints, FileId } from './checkpoints.ts';
import { idOf, type FlowConfig } from './config.ts';
import { CLOSE_MS, COPY_WAIT_MS, DIRECTORY_ENTRIES_MAX, FILES_PER_FLOW_MAX, IDLE_MS } from './limits.ts';
import type { FlowMetrics } from './metrics.ts';
import type { SplitterOptions } from './splitter.ts';
import { isCopyOf, TrackedFile, type Known } from './tracked-file.ts';

interface Found extends FileId {
  readonly path: string;
  readonly size: number;
  readonly modifiedMs: number;
}

/** What stood in a file before it was truncated: somewhere there may be a copy of it. */
interface Ghost extends Known {
  readonly directory: string;
  readonly untilMs: number;
}

export interface FileSetOptions {
  readonly config: FlowConfig;
  readonly checkpoints: Checkpoints;
  readonly metrics: FlowMetrics;
  readonly split: SplitterOptions;
  /** What there is, is read from its beginning to its end, once. */
  readonly once: boolean;
}

export class FileSet {
  readonly #options: FileSetOptions;
  readonly #flow: string;
  readonly #files = new Map<string, TrackedFile>();
  /** When a file that may be a copy was seen first, by its id. */
  readonly #doubtful = new Map<string, number>();
  #ghosts: Ghost[] = [];
  #isFirstScan = true;

  constructor(options: FileSetOptions) {
    this.#options = options;
    this.#flow = idOf(options.config);
  }

  /** Oldest first: what was rotated away comes before what follows it. */
  get files(): TrackedFile[] {
    return [...this.#files.values()];
  }

  /** Some file waits to be known for a copy, or for a file of its own. */
  get hasDoubts(): boolean {
    return this.#doubtful.size > 0;
  }

  /** Directories to watch. */
  get directories(): Set<string> {
    const directories = new Set(this.files.map((file) => dirname(file.path)));
    const { filePattern } = this.#options.config;
    const fixed = filePattern.slice(0, filePattern.search(/[*?[{]|$/));
    directories.add(dirname(`${fixed}x`));
    return directories;
  }

  /** Takes up the files of the checkpoints, under the names that they have now. */
  async restore(): Promise<void> {
    const { checkpoints, split } = this.#options;
    for (const known of checkpoints.of(this.#flow)) {
      const found = (await find(known.path, known)) ?? (await findRenamed(known));
      if (found === undefined) continue;
      const file = new TrackedFile(found, { offset: known.offset, fingerprint: known }, split);
      file.gone = found.path !== known.path;
      this.#files.set(keyOf(found), file);
    }
  }

  /** Looks which files there are now. */
  async scan(): Promise<void> {
    const { checkpoints, config, split, metrics, once } = this.#options;
    const found = await this.#list();
    const present = new Set(found.map(keyOf));
    for (const [key, file] of this.#files) file.gone = !present.has(key);
    const isNew = this.#isFirstScan && !checkpoints.knows(this.#flow);
    const begun: Checkpoint[] = [];
    for (const each of found) {
      checkpoints.touch(this.#flow, each);
      const known = this.#files.get(keyOf(each));
      if (known !== undefined) {
        known.path = each.path;
        known.dirty = true;
        continue;
      }
      const atEnd = isNew && !once && config.initialPosition === 'END_OF_FILE';
      const offset = atEnd ? each.size : isNew ? 0 : await this.#startOf(each);
      if (offset === undefined) continue;
      this.#doubtful.delete(keyOf(each));
      const file = new TrackedFile(each, { offset }, split);
      // Its fingerprint is taken now: later its beginning may be another one's.
      if (offset > 0) begun.push(await file.deliver(offset, this.#flow));
      this.#files.set(keyOf(each), file);
    }
    // Of all at once: a flow that is known reads what it doesn't know from the beginning.
    if (isNew || begun.length > 0) await checkpoints.save(this.#flow, begun);
    this.#isFirstScan = false;
    this.#ghosts = this.#ghosts.filter((ghost) => ghost.untilMs > Date.now());
    await this.#tidy();
    metrics.files(this.#files.size);
    metrics.behind(this.files.reduce((sum, file) => sum + Math.max(0, file.sizeBytes - file.delivered), 0));
  }

  /** The file was truncated: a copy of what it held may be somewhere, and what it holds is new. */
  truncated(file: TrackedFile): void {
    const { path, delivered, known } = file;
    if (delivered > 0)
      this.#ghosts.push({
        ...known,
        directory: dirname(path),
        untilMs: Date.now() + 2 * COPY_WAIT_MS + this.#options.config.maxTimeBetweenFileTrackerRefreshMillis,
      });
    file.restart();
  }

  async forget(file: TrackedFile): Promise<void> {
    this.#files.delete(keyOf(file.id));
    await file.close();
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }

  async #list(): Promise<Found[]> {
    const { filePattern } = this.#options.config;
    const found: Found[] = [];
    const pattern = filePattern.endsWith('/') ? `${filePattern}*` : filePattern;
    for await (const path of glob(pattern)) {
      const file = await statIfThere(path);
      if (file === undefined) continue;
      found.push(file);
      if (found.length > FILES_PER_FLOW_MAX)
        throw new Error(`${filePattern} meets more than ${FILES_PER_FLOW_MAX} files: narrow it`);
    }
    return found.sort((a, b) => a.modifiedMs - b.modifiedMs);
  }

  /** Where to begin in a file that came up; undefined while it may still turn out to be a copy. */
  async #startOf(found: Found): Promise<number | undefined> {
    const directory = dirname(found.path);
    for (const ghost of this.#ghosts)
      if (ghost.directory === directory && (await isCopyOf(found.path, ghost)) === 'yes') {
        this.#ghosts = this.#ghosts.filter((other) => other !== ghost);
        return ghost.offset;
      }
    if (!(await this.#mayBeCopy(found, directory))) return 0;
    const sinceMs = this.#doubtful.get(keyOf(found)) ?? Date.now();
    this.#doubtful.set(keyOf(found), sinceMs);
    return Date.now() - sinceMs < COPY_WAIT_MS ? undefined : 0;
  }

  async #mayBeCopy(found: Found, directory: string): Promise<boolean> {
    for (const file of this.#files.values()) {
      if (dirname(file.path) !== directory || file.delivered === 0) continue;
      if ((await isCopyOf(found.path, file.known)) !== 'no') return true;
    }
    return false;
  }

  /** Closes what rests, and forgets what was rotated away and is read. */
  async #tidy(): Promise<void> {
    for (const file of this.files) {
      const restsMs = Date.now() - file.grewMs;
      const isRead = !file.splitter.holds && file.sizeBytes <= file.delivered;
      if (file.gone && isRead && restsMs > 2 * IDLE_MS) await this.forget(file);
      else if (!file.gone && isRead && restsMs > CLOSE_MS) await file.close();
    }
  }
}

async function statIfThere(path: string): Promise<Found | undefined> {
  try {
    const stats = await stat(path);
    const { dev, ino, size, mtimeMs: modifiedMs } = stats;
    return stats.isFile() ? { path, dev, ino, size, modifiedMs } : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function find(path: string, { dev, ino }: FileId): Promise<Found | undefined> {
  const found = await statIfThere(path);
  return found?.dev === dev && found.ino === ino ? found : undefined;
}

/** A file that was renamed within its directory while no agent looked. */
async function findRenamed(known: FileId & { readonly path: string }): Promise<Found | undefined> {
  const directory = dirname(known.path);
  const names = await readdir(directory).catch(() => []);
  for (const name of names.slice(0, DIRECTORY_ENTRIES_MAX)) {
    const found = await find(join(directory, name), known);
    if (found !== undefined) return found;
  }
  return undefined;
}

function keyOf({ dev, ino }: FileId): string {
  return `${dev}:${ino}`;
}
