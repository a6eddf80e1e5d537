/**
 * Which files a vacuum must keep: those of the newest version, of every version that was the newest at some time within
 * the retention, and of pinned versions.
 */
import { isDeltaError } from '../../errors.ts';
import type { AddFile } from '../../log/actions.ts';
import { loadCommit } from '../../snapshot/load.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import type { TableContext } from '../../table-context.ts';
import { type FileOfLog, placesOf } from '../file-places.ts';
import { pinnedSnapshots } from '../pins.ts';

export class References {
  readonly #context: TableContext;
  /** Paths in the store. */
  readonly #paths = new Set<string>();
  /** The newest version whose files are all known. */
  #version: number;

  private constructor(context: TableContext, version: number) {
    this.#context = context;
    this.#version = version;
  }

  /**
   * Throws `version-not-found` for a pinned version that is gone, and `unsupported-feature` or `corrupt-log` for a file
   * whose place can't be told: nothing must be deleted then.
   */
  static async collect(
    context: TableContext,
    state: TableState,
    options: { readonly cutoffMs: number; readonly pinnedVersions: readonly number[] },
  ): Promise<References> {
    const references = new References(context, state.version);
    references.#keepAll(state.files.files());
    for (const remove of state.tombstones.values()) {
      if ((remove.deletionTimestamp ?? 0) >= options.cutoffMs) references.#keep(remove);
    }
    // A writer may have begun, and stamped its removes, long before its commit took the files away.
    const oldest = await stateAtTime(context, options.cutoffMs);
    if (oldest !== undefined && oldest.version !== state.version) references.#keepAll(oldest.files.files());
    for (const pinned of [...pinnedSnapshots(context), ...options.pinnedVersions]) {
      const files =
        typeof pinned === 'number' ? (await context.stateAt(pinned)).files.files() : pinned.files();
      references.#keepAll(files);
    }
    return references;
  }

  has(path: string): boolean {
    return this.#paths.has(path);
  }

  /** Keeps also what versions up to the newest one have come to name since, such as files that a restore brought back. */
  async refresh(): Promise<void> {
    const { version } = await this.#context.refresh();
    while (this.#version < version) {
      const commit = await loadCommit(this.#context.io, this.#version + 1);
      if (commit === undefined) {
        // A clean-up took the commit away: the state has what it added.
        this.#keepAll((await this.#context.refresh()).files.files());
        this.#version = version;
        return;
      }
      for (const { add, remove } of commit.actions) {
        if (add) this.#keep(add);
        if (remove) this.#keep(remove);
      }
      this.#version += 1;
    }
    for (const pinned of pinnedSnapshots(this.#context)) {
      if (typeof pinned !== 'number') this.#keepAll(pinned.files());
    }
  }

  #keepAll(files: Iterable<AddFile>): void {
    for (const file of files) this.#keep(file);
  }

  #keep(file: FileOfLog): void {
    for (const place of placesOf(this.#context.io, file)) {
      if (place.kind === 'store') this.#paths.add(place.path);
    }
  }
}

/** The state that was the newest at a time; undefined when the log doesn't reach back that far. */
async function stateAtTime(context: TableContext, timestampMs: number): Promise<TableState | undefined> {
  try {
    return await context.stateAt(await context.versionAt(timestampMs));
  } catch (error) {
    // What nobody can read any more needs no protection.
    if (isDeltaError(error, 'version-not-found') || isDeltaError(error, 'log-gap')) return undefined;
    throw error;
  }
}
