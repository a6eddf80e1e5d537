/** Messages between the event loop and the writer's thread. Bulk data travels in buffers that change their owner. */
import type { BatchRequest, RecordsToWrite, SealedRows } from '../../ports/row-writer.ts';

export type ToWorker =
  | { readonly op: 'open'; readonly batch: number; readonly request: BatchRequest }
  | { readonly op: 'add'; readonly batch: number; readonly call: number; readonly runs: PackedRuns }
  | { readonly op: 'seal'; readonly batch: number; readonly call: number }
  | { readonly op: 'discard'; readonly batch: number; readonly call: number };

export type FromWorker =
  | { readonly call: number; readonly ok: true; readonly sealed: SealedRows | undefined }
  | {
      readonly call: number;
      readonly ok: false;
      readonly message: string;
      readonly code: string | undefined;
    };

/** Runs as columns, so that a thousand small ones cost no more to send than a large one. */
export interface PackedRuns {
  /** By run: uid, first offset, count, arrival. */
  readonly heads: Float64Array;
  /** Of all runs one after another, positions in `bytes`; each run has two a record and its end. */
  readonly bounds: Uint32Array;
  readonly bytes: Uint8Array;
  readonly shardIds: ReadonlyMap<number, string>;
}

const HEAD = 4;

/** Copies the runs into new buffers. */
export function packRuns(runs: readonly RecordsToWrite[]): PackedRuns {
  let [size, boundCount] = [0, 0];
  for (const run of runs) {
    size += run.bounds[run.count * 2]! - run.bounds[0]!;
    boundCount += run.count * 2 + 1;
  }
  const heads = new Float64Array(runs.length * HEAD);
  const bounds = new Uint32Array(boundCount);
  const bytes = new Uint8Array(size);
  const shardIds = new Map<number, string>();
  let [byte, bound, head] = [0, 0, 0];
  for (const run of runs) {
    const first = run.bounds[0]!;
    const end = run.bounds[run.count * 2]!;
    bytes.set(run.bytes.subarray(first, end), byte);
    for (let at = 0; at <= run.count * 2; at++) bounds[bound++] = run.bounds[at]! - first + byte;
    byte += end - first;
    heads[head++] = run.uid;
    heads[head++] = run.firstOffset;
    heads[head++] = run.count;
    heads[head++] = run.arrivalMs;
    shardIds.set(run.uid, run.shardId);
  }
  return { heads, bounds, bytes, shardIds };
}

export function unpackRuns({ heads, bounds, bytes, shardIds }: PackedRuns): RecordsToWrite[] {
  const runs: RecordsToWrite[] = [];
  for (let head = 0, bound = 0; head < heads.length; head += HEAD) {
    const [uid, count] = [heads[head]!, heads[head + 2]!];
    runs.push({
      uid,
      shardId: shardIds.get(uid) ?? '',
      firstOffset: heads[head + 1]!,
      count,
      arrivalMs: heads[head + 3]!,
      bytes,
      bounds: bounds.subarray(bound, bound + count * 2 + 1),
    });
    bound += count * 2 + 1;
  }
  return runs;
}

export function transfersOf(runs: PackedRuns): ArrayBuffer[] {
  return [runs.heads.buffer, runs.bounds.buffer, runs.bytes.buffer] as ArrayBuffer[];
}
