/** Holds a stream to the capacity of its shards, and tells when an on-demand stream has outgrown them. */
import type { Clock } from '../../ports/clock.ts';
import type { Appended, RecordsIn } from './api.ts';
import type { Router } from './core/routing.ts';
import {
  Allowance,
  SHARD_READ_BYTES,
  SHARD_READS,
  SHARD_WRITE_BYTES,
  SHARD_WRITE_RECORDS,
  shardsFor,
} from './core/throughput.ts';
import { streamsError } from './errors.ts';
import type { Shard } from './shard.ts';

interface Allowances {
  readonly writeBytes: Allowance;
  readonly writeRecords: Allowance;
  readonly readBytes: Allowance;
  readonly reads: Allowance;
}

export interface MeterOptions {
  readonly clock: Clock;
  /** The open shards' number that the stream should have; called when it has fewer. Ignored by provisioned streams. */
  readonly onOutgrown: (shards: number) => void;
}

/** Per record of a request: its shard, and whether that had no capacity for it. */
export interface Beyond {
  readonly throttled: Uint8Array;
  readonly shards: readonly Shard[];
}

const WINDOW_MS = 1_000;

export class Meter {
  readonly #options: MeterOptions;
  readonly #allowances = new WeakMap<Shard, Allowances>();
  #windowMs = -Infinity;
  #window = { bytes: 0, records: 0 };

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** Marks the records that their shards have no capacity for; undefined when there is none. Takes the rest's. */
  admit(
    records: RecordsIn,
    { open, router }: { readonly open: readonly Shard[]; readonly router: Router },
  ): Beyond | undefined {
    const nowMs = this.#options.clock.monotonicMs();
    const count = records.partitionKeys.length;
    const { explicitHashKeys } = records;
    const shards: Shard[] = [];
    let throttled: Uint8Array | undefined;
    for (let index = 0; index < count; index++) {
      const explicit = explicitHashKeys?.[index];
      const key = records.partitionKeys[index]!;
      const position = explicit === undefined ? router.ofKey(key) : router.ofText(explicit);
      // The append refuses what is no hash key.
      if (position === undefined) return undefined;
      const shard = open[position]!;
      const bytes = recordBytes(key, records.data[index]!);
      const { writeBytes, writeRecords } = this.#of(shard, nowMs);
      shards.push(shard);
      if (writeRecords.allows(1, nowMs) && writeBytes.allows(bytes, nowMs)) {
        writeRecords.take(1);
        writeBytes.take(bytes);
        this.#count(bytes, nowMs);
      } else {
        (throttled ??= new Uint8Array(count))[index] = 1;
        shard.throttled('throttledRecords', nowMs);
      }
    }
    const needed = shardsFor(this.#window);
    if (needed > open.length) this.#options.onOutgrown(needed);
    return throttled && { throttled, shards };
  }

  /** Takes one read; throws `throttled` when the shard may not be read now. */
  admitRead(shard: Shard): void {
    const nowMs = this.#options.clock.monotonicMs();
    const { reads, readBytes } = this.#of(shard, nowMs);
    // The size is known afterwards: it is paid off before the next read.
    if (!reads.allows(1, nowMs) || !readBytes.allows(0, nowMs)) {
      shard.throttled('throttledReads', nowMs);
      throw streamsError({
        code: 'throttled',
        message: `the readers of ${shard.shardId} share more than its throughput`,
        retry: 'backoff',
      });
    }
    reads.take(1);
  }

  tookBytes(shard: Shard, bytes: number): void {
    this.#of(shard, this.#options.clock.monotonicMs()).readBytes.take(bytes);
  }

  #count(bytes: number, nowMs: number): void {
    if (nowMs - this.#windowMs >= WINDOW_MS) {
      this.#windowMs = nowMs;
      this.#window = { bytes: 0, records: 0 };
    }
    this.#window.bytes += bytes;
    this.#window.records++;
  }

  #of(shard: Shard, nowMs: number): Allowances {
    let found = this.#allowances.get(shard);
    if (found === undefined) {
      found = {
        writeBytes: new Allowance(SHARD_WRITE_BYTES, nowMs),
        writeRecords: new Allowance(SHARD_WRITE_RECORDS, nowMs),
        readBytes: new Allowance(SHARD_READ_BYTES, nowMs),
        reads: new Allowance(SHARD_READS, nowMs),
      };
      this.#allowances.set(shard, found);
    }
    return found;
  }
}

/** Of key and data; strings of data are base64. */
function recordBytes(key: string, data: string | Uint8Array): number {
  const keyBytes = Buffer.byteLength(key);
  return keyBytes + (typeof data === 'string' ? Buffer.byteLength(data, 'base64') : data.length);
}

/** Appends the records that there is capacity for, and answers for all of them. */
export async function appendAdmitted(
  records: RecordsIn,
  { throttled, shards }: Beyond,
  append: (records: RecordsIn) => Promise<Appended>,
): Promise<Appended> {
  const isAdmitted = (_: unknown, index: number): boolean => throttled[index] === 0;
  const { explicitHashKeys } = records;
  const admitted = {
    partitionKeys: records.partitionKeys.filter(isAdmitted),
    data: records.data.filter(isAdmitted),
    ...(explicitHashKeys !== undefined && { explicitHashKeys: explicitHashKeys.filter(isAdmitted) }),
  };
  const offsets = new Float64Array(throttled.length).fill(Number.NaN);
  if (admitted.data.length === 0) return { shards, offsets, arrivalMs: 0, throttled };
  const appended = await append(admitted);
  let next = 0;
  const all = shards.map((shard, index) => {
    if (throttled[index] === 1) return shard;
    offsets[index] = appended.offsets[next]!;
    return appended.shards[next++]!;
  });
  return { ...appended, shards: all, offsets, throttled };
}
