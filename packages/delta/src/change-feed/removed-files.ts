import { type AddFile, fileKey, type RemoveFile } from '../log/actions.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import type { VersionRange } from './range.ts';

/** Files that a range of versions removes, as what can be read again. */
export class RemovedFiles {
  readonly #context: Pick<TableContext, 'stateAt'>;
  readonly #range: VersionRange & { readonly end: TableState };
  readonly #added = new Map<string, AddFile>();
  #before: Promise<ReadonlyMap<string, AddFile>> | undefined;

  constructor(context: Pick<TableContext, 'stateAt'>, range: VersionRange & { readonly end: TableState }) {
    this.#context = context;
    this.#range = range;
  }

  /** Takes note of the files that a version of the range adds; call it version by version. */
  learn(adds: readonly AddFile[]): void {
    for (const add of adds) this.#added.set(fileKey(add), add);
  }

  /**
   * The file with its partition values and size, of which a writer may leave out both: then they are those of its add.
   * Throws `version-not-found` if that is needed and the version before the range can't be rebuilt any more.
   */
  async describe(remove: RemoveFile): Promise<AddFile> {
    const { partitionValues, size } = remove;
    const isPartitioned = this.#range.end.metadata.partitionColumns.length > 0;
    const isComplete = typeof size === 'number' && (!isPartitioned || Boolean(partitionValues));
    const add = isComplete ? undefined : await this.#addOf(remove);
    return {
      path: remove.path,
      partitionValues: partitionValues ?? add?.partitionValues ?? {},
      size: size ?? add?.size ?? 0,
      modificationTime: add?.modificationTime ?? 0,
      dataChange: true,
      ...(remove.deletionVector ? { deletionVector: remove.deletionVector } : {}),
    };
  }

  async #addOf(remove: RemoveFile): Promise<AddFile | undefined> {
    const key = fileKey(remove);
    const added = this.#added.get(key);
    if (added !== undefined || this.#range.from === 0) return added;
    this.#before ??= this.#context
      .stateAt(this.#range.from - 1)
      .then(({ files }) => new Map([...files.files()].map((file) => [fileKey(file), file])));
    return (await this.#before).get(key);
  }
}
