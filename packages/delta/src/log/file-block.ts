/** Some neighbouring files of a table, of which statistics can be looked through without making objects of the files. */
import type { AddFile } from './actions.ts';

/** Ends every text but the last of a block. JSON and URIs can't hold it. */
export const ROW_SEPARATOR = '\u0002';

/** Files of a block of objects. */
export const BLOCK_FILES = 2048;

/** Never changes. */
export interface FileBlock {
  readonly count: number;
  /** The file at a place below `count`. */
  file(at: number): AddFile;
  /**
   * The texts of all files, '' for none, as UTF-8 with {@link ROW_SEPARATOR} between them; no bytes at all if none has any.
   * A text that holds the separator itself is replaced by one that is no JSON.
   */
  statistics(): Uint8Array;
  /** Of each file; files of one partition mostly share the object. */
  partitionValues(): readonly Readonly<Record<string, string | null>>[];
}

/** A block of files that are objects. */
export class ObjectBlock implements FileBlock {
  readonly #files: readonly AddFile[];

  constructor(files: readonly AddFile[]) {
    this.#files = files;
  }

  get count(): number {
    return this.#files.length;
  }

  file(at: number): AddFile {
    const file = this.#files[at];
    if (file === undefined) throw new RangeError(`no file ${at} of ${this.count}`);
    return file;
  }

  statistics(): Uint8Array {
    const texts = this.#files.map(({ stats }) =>
      stats?.includes(ROW_SEPARATOR) === true ? '?' : (stats ?? ''),
    );
    return new Uint8Array(Buffer.from(texts.join(ROW_SEPARATOR)));
  }

  partitionValues(): readonly Readonly<Record<string, string | null>>[] {
    return this.#files.map(({ partitionValues }) => partitionValues);
  }
}
