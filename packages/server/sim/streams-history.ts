/** All that producers were told and readers saw in one run of the streams simulation, for the log checker. */
import assert from 'node:assert/strict';
import {
  checkLog,
  type AcknowledgedPut,
  type SeenRecord,
  type SeenRun,
} from '../src/edge/kinesis/testing/log-checker.ts';
import type { RecordRun, ShardState } from '../src/modules/streams/index.ts';

/** Above every offset. */
const SHARD_NUMBERS = 10n ** 18n;

/** As sequence numbers rise. */
export function numberOf(uid: number, offset: number): bigint {
  return BigInt(uid) * SHARD_NUMBERS + BigInt(offset);
}

export interface SentRecord {
  readonly key: string;
  readonly payload: string;
}

export class StreamsHistory {
  readonly #puts: AcknowledgedPut[] = [];
  readonly #attempts = new Map<string, { readonly key: string; readonly value: string }>();
  readonly #runs: SeenRun[] = [];
  readonly #parents = new Map<string, readonly string[]>();
  #moment = 0;

  get moment(): number {
    return this.#moment;
  }

  /** To be called when records are sent; what it gives, when they were acknowledged. */
  sent(
    stream: string,
    records: readonly SentRecord[],
  ): (answer: {
    readonly shards: readonly ShardState[];
    readonly offsets: Float64Array;
    readonly arrivalMs: number;
  }) => void {
    const sentAt = this.#moment++;
    for (const { key, payload } of records)
      this.#attempts.set(payload, { key: `${stream}/${key}`, value: payload });
    return ({ shards, offsets, arrivalMs }) => {
      const answeredAt = this.#moment++;
      for (const [at, { payload }] of records.entries()) {
        const attempt = this.#attempts.get(payload)!;
        this.#attempts.delete(payload);
        const { uid } = shards[at]!;
        const number = numberOf(uid, offsets[at]!);
        this.#puts.push({ ...attempt, shard: String(uid), number, sentAt, answeredAt, arrivalMs });
      }
    };
  }

  saw(run: SeenRun): void {
    this.#runs.push(run);
  }

  /** The shards of a stream as they are now, oldest first. */
  described(shards: readonly ShardState[]): void {
    const uids = new Map(shards.map(({ shardId, uid }) => [shardId, String(uid)]));
    for (const { uid, parentShardId, adjacentParentShardId } of shards) {
      if (this.#parents.has(String(uid))) continue;
      const parents = [parentShardId, adjacentParentShardId].flatMap((id) => uids.get(id ?? '') ?? []);
      this.#parents.set(String(uid), parents);
    }
  }

  check(): void {
    const shards = [...this.#parents].map(([id, parents]) => ({ id, parents }));
    const attempts = [...this.#attempts.values()];
    assert.deepEqual(checkLog({ puts: this.#puts, attempts, runs: this.#runs, shards }), []);
  }
}

export function seenRecords(stream: string, uid: number, run: RecordRun): SeenRecord[] {
  const { count, bytes, bounds, firstOffset, arrivalMs } = run;
  return Array.from({ length: count }, (_, index) => ({
    number: numberOf(uid, firstOffset + index),
    key: `${stream}/${bytes.toString('utf8', bounds[2 * index], bounds[2 * index + 1])}`,
    value: bytes.toString('utf8', bounds[2 * index + 1], bounds[2 * index + 2]),
    arrivalMs,
  }));
}
