import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory for files that live as long as one call; made on first use. */
export class ScratchDirectory {
  readonly #parent: string;
  #path: Promise<string> | undefined;

  constructor(parent = tmpdir()) {
    this.#parent = parent;
  }

  /** A path that nothing has used yet. */
  async newPath(suffix: string): Promise<string> {
    this.#path ??= mkdtemp(join(this.#parent, 'sluice-delta-'));
    return join(await this.#path, randomUUID() + suffix);
  }

  async remove(): Promise<void> {
    const path = await this.#path;
    if (path !== undefined) await rm(path, { recursive: true, force: true });
  }
}
