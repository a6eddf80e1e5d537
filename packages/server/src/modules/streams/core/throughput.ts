/** What a shard may take and give in a second, as Kinesis Data Streams has it. Amounts refill evenly. */

const MIB = 2 ** 20;

/** Limits of one shard, from the service's quotas: 1 MiB and 1,000 records in, 2 MiB and 5 reads out, each a second. */
export const SHARD_WRITE_BYTES = MIB;
export const SHARD_WRITE_RECORDS = 1_000;
export const SHARD_READ_BYTES = 2 * MIB;
export const SHARD_READS = 5;

const SECOND_MS = 1_000;

/**
 * An amount a second, of which one second can be saved up. What is larger than that passes when all is saved up, and is
 * paid off by what comes after.
 */
export class Allowance {
  readonly #perSecond: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#atMs = nowMs;
  }

  allows(amount: number, nowMs: number): boolean {
    const refilled = this.#left + ((nowMs - this.#atMs) / SECOND_MS) * this.#perSecond;
    this.#left = Math.min(this.#perSecond, refilled);
    this.#atMs = nowMs;
    return this.#left >= Math.min(amount, this.#perSecond);
  }

  take(amount: number): void {
    this.#left -= amount;
  }
}

/** Shards that an on-demand stream needs so that it can take double what it took in its busiest second. */
export function shardsFor(busiest: { readonly bytes: number; readonly records: number }): number {
  return Math.ceil(
    Math.max((2 * busiest.bytes) / SHARD_WRITE_BYTES, (2 * busiest.records) / SHARD_WRITE_RECORDS),
  );
}
