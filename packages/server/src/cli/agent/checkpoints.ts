/**
 * How far each file is delivered, in one local file: written beside it, synced and renamed, so that it is always whole.
 * One agent at a time uses it.
 */
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isAlive, messageOf } from '../connection.ts';
import { CliError } from '../exit.ts';

/** By which a file is known again, whatever its name is by then. */
export interface Fingerprint {
  /** Of the first bytes: as many as `headBytes`, which are delivered. */
  readonly head: string;
  readonly headBytes: number;
  /** Of as many bytes before the position. */
  readonly tail: string;
}

export interface FileId {
  readonly dev: number;
  readonly ino: number;
}

export interface Checkpoint extends Fingerprint, FileId {
  readonly flow: string;
  readonly path: string;
  /** All before it is delivered. */
  readonly offset: number;
  readonly seenMs: number;
}

interface Content {
  readonly version: 1;
  readonly flows: readonly string[];
  readonly files: readonly Checkpoint[];
}

const DAY_MS = 86_400_000;

export class Checkpoints {
  readonly #path: string;
  readonly #ttlMs: number;
  readonly #files = new Map<string, Checkpoint>();
  readonly #flows = new Set<string>();
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(path: string, ttlMs: number) {
    this.#path = path;
    this.#ttlMs = ttlMs;
  }

  /** Rejects when the file is damaged, or another agent uses it. */
  static open(path: string, { timeToLiveDays }: { timeToLiveDays: number }): Checkpoints {
    const made = new Checkpoints(path, timeToLiveDays * DAY_MS);
    try {
      mkdirSync(dirname(path), { recursive: true });
      made.#lock();
    } catch (cause) {
      if (cause instanceof CliError) throw cause;
      throw new CliError(`the checkpoint file ${path} can't be used: ${messageOf(cause)}`, {
        hint: 'Name another by "checkpointFile".',
        cause,
      });
    }
    try {
      made.#read();
    } catch (error) {
      made.close();
      throw error;
    }
    return made;
  }

  /** Whether the flow was read before: then files without a checkpoint are new and read from their beginning. */
  knows(flow: string): boolean {
    return this.#flows.has(flow);
  }

  of(flow: string): Checkpoint[] {
    return [...this.#files.values()].filter((file) => file.flow === flow);
  }

  /** The file is there still: its checkpoint lives on. */
  touch(flow: string, file: FileId): void {
    const key = keyOf({ flow, ...file });
    const known = this.#files.get(key);
    if (known !== undefined) this.#files.set(key, { ...known, seenMs: Date.now() });
  }

  /** Durable on return. */
  async save(flow: string, files: readonly Checkpoint[]): Promise<void> {
    this.#flows.add(flow);
    for (const file of files) this.#files.set(keyOf(file), file);
    await this.#write();
  }

  close(): void {
    rmSync(this.#lockPath, { force: true });
  }

  get #lockPath(): string {
    return `${this.#path}.lock`;
  }

  #lock(): void {
    for (let attempt = 0; attempt < 2; attempt++) {
      try {
        const lock = openSync(this.#lockPath, 'wx', 0o600);
        writeFileSync(lock, `${process.pid}\n`);
        closeSync(lock);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const pid = Number(readFileSync(this.#lockPath, 'utf8'));
        if (pid > 0 && pid !== process.pid && isAlive(pid))
          throw new CliError(`another agent (process ${pid}) uses the checkpoint file ${this.#path}`, {
            hint: `Stop it, or name another file by "checkpointFile". If process ${pid} is no agent, remove ${this.#lockPath}.`,
          });
        rmSync(this.#lockPath, { force: true });
      }
    }
    throw new CliError(`another agent starts with the checkpoint file ${this.#path}`);
  }

  #read(): void {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    try {
      const { version, flows, files } = JSON.parse(text) as Content;
      if ((version as number) !== 1) throw new Error(`its version is ${String(version)}`);
      for (const flow of flows) this.#flows.add(flow);
      for (const file of files) this.#files.set(keyOf(file), file);
    } catch (cause) {
      throw new CliError(`the checkpoint file ${this.#path} is damaged: ${messageOf(cause)}`, {
        hint: 'Put it back from a copy, or remove it: then each flow begins at its initialPosition.',
        cause,
      });
    }
  }

  /** Saves that come during a write share the one after it. */
  #write(): Promise<void> {
    if (this.#writing === undefined) {
      this.#writing = this.#writeNow().finally(() => (this.#writing = undefined));
      return this.#writing;
    }
    this.#next ??= this.#writing
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#write();
      });
    return this.#next;
  }

  async #writeNow(): Promise<void> {
    const oldestMs = Date.now() - this.#ttlMs;
    for (const [key, file] of this.#files) if (file.seenMs < oldestMs) this.#files.delete(key);
    const content: Content = { version: 1, flows: [...this.#flows], files: [...this.#files.values()] };
    const temporary = `${this.#path}.new`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(content)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    const directory = await open(dirname(this.#path));
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

function keyOf({ flow, dev, ino }: FileId & { readonly flow: string }): string {
  return `${flow}\n${dev}:${ino}`;
}
