/** Encrypts the batches of a group that want it, between their placing and their writing. */
import { sealBatch } from '../core/section-seal.ts';
import type { StreamsError } from '../api.ts';
import { storageFailed } from '../errors.ts';
import { PlatformError } from '../../../base/errors.ts';
import type { Appending, BatchSealer } from './journal.ts';
import { joined, type Piece } from './piece.ts';

/** The batches that can be written to the segment now, in their order; the others are refused. */
export async function withKeys(
  group: readonly Appending[],
  segment: number,
  refuse: (batch: Appending, error: StreamsError) => void,
): Promise<readonly Appending[]> {
  const failures = new Map<BatchSealer, StreamsError>();
  const unready = new Set<BatchSealer>();
  for (const { sealer } of group) if (sealer?.isReady(segment) === false) unready.add(sealer);
  await Promise.all(
    [...unready].map((sealer) =>
      sealer.prepare(segment).catch((error: unknown) => failures.set(sealer, asStreamsError(error))),
    ),
  );
  if (failures.size === 0) return group;
  return group.filter((batch) => {
    const failure = batch.sealer && failures.get(batch.sealer);
    if (failure !== undefined) refuse(batch, failure);
    return failure === undefined;
  });
}

/** Encrypted groups up to this size are written from memory that the next one uses again. */
const KEPT_BYTES_MAX = 2 ** 20;

/** Encrypts groups, one at a time: what it gave for one must be written before the next. */
export class GroupSealer {
  #kept = Buffer.alloc(0);

  /**
   * What is written for the group's pieces, which stay in the clear for readers at the tail; undefined when that is the
   * pieces themselves. The batches must have been placed.
   */
  seal(group: readonly Appending[], pieces: readonly Piece[]): Piece[] | undefined {
    let bytes = 0;
    for (const { sealer, buffer } of group) if (sealer !== undefined) bytes += buffer.length;
    if (bytes === 0) return undefined;
    const memory = this.#memory(bytes);
    let used = 0;
    const written = group.map(({ sealer, buffer }) => {
      if (sealer === undefined) return { buffer };
      const sealed = memory.subarray(used, used + buffer.length);
      used += buffer.length;
      sealBatch(buffer, sealed, sealer.key);
      return { buffer: sealed };
    });
    const { segment, position } = pieces[0]!;
    return joined(written, segment, position);
  }

  #memory(bytes: number): Buffer {
    if (bytes <= this.#kept.length) return this.#kept;
    const memory = Buffer.allocUnsafeSlow(bytes);
    if (bytes <= KEPT_BYTES_MAX) this.#kept = memory;
    return memory;
  }
}

function asStreamsError(error: unknown): StreamsError {
  return error instanceof PlatformError ? (error as StreamsError) : storageFailed(error);
}
