import type { AddFile } from '../../log/actions.ts';
import type { Bin } from './bins.ts';
import type { RewrittenBin } from './rewrite-bin.ts';

export interface RewriteResult {
  /** Of the commits, ascending; none when there was nothing to do. */
  readonly versions: readonly number[];
  readonly filesAdded: number;
  readonly filesRemoved: number;
  readonly bytesAdded: number;
  readonly bytesRemoved: number;
  /** Rows that were rewritten. */
  readonly rows: number;
  readonly deletionVectorsRemoved: number;
  /** Bins that others got in the way of; another optimize finds what is left to do. */
  readonly binsLost: number;
}

/** Counts what a rewriting of a table has done. */
export class RewriteTotals {
  /** Bins to rewrite, those that are done included. */
  planned = 0;
  binsRead = 0;
  bytesRead = 0;
  readonly #versions: number[] = [];
  readonly #ended = new Set<Bin>();
  readonly #filesRemoved: AddFile[] = [];
  #filesAdded = 0;
  #bytesAdded = 0;
  #rows = 0;
  #lost = 0;

  plan(bins: readonly Bin[]): void {
    this.planned += bins.length;
  }

  /** A plan is given up for a new one. */
  forget(bins: readonly Bin[]): void {
    this.planned -= bins.filter((bin) => !this.#ended.has(bin)).length;
  }

  read(bin: Bin): void {
    this.binsRead += 1;
    this.bytesRead += bin.bytes;
  }

  lose(bin: Bin): void {
    if (this.#ended.has(bin)) return;
    this.#ended.add(bin);
    this.#lost += 1;
  }

  commit(version: number, rewritten: readonly RewrittenBin[]): void {
    this.#versions.push(version);
    for (const { bin, adds, bytes, rows } of rewritten) {
      this.#ended.add(bin);
      this.#filesRemoved.push(...bin.files);
      this.#filesAdded += adds.length;
      this.#bytesAdded += bytes;
      this.#rows += rows;
    }
  }

  result(): RewriteResult {
    return {
      versions: this.#versions,
      filesAdded: this.#filesAdded,
      filesRemoved: this.#filesRemoved.length,
      bytesAdded: this.#bytesAdded,
      bytesRemoved: this.#filesRemoved.reduce((sum, { size }) => sum + size, 0),
      rows: this.#rows,
      deletionVectorsRemoved: this.#filesRemoved.filter((file) => file.deletionVector).length,
      binsLost: this.#lost,
    };
  }
}
