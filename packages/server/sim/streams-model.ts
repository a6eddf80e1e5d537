/** What the log must keep: the oracle of the streams simulation. */
import assert from 'node:assert/strict';

export interface Request {
  readonly id: number;
  readonly records: readonly { readonly key: string; readonly payload: string }[];
  state: 'waiting' | 'acknowledged' | 'refused';
}

interface Known {
  readonly payload: string;
  /** Acknowledged, or seen by a reader: it must stay. */
  readonly arrivalMs: number;
}

/** As sequence numbers order records: by the shard's uid, then by the offset. */
export interface Position {
  readonly uid: number;
  readonly offset: number;
}

const isBefore = (a: Position, b: Position): boolean =>
  a.uid < b.uid || (a.uid === b.uid && a.offset < b.offset);

export class StreamsModel {
  readonly requests = new Map<number, Request>();
  /** By shard's uid and offset: what was acknowledged or read. */
  readonly #known = new Map<number, Map<number, Known>>();
  /** The latest acknowledged record of each stream's key. */
  readonly #latest = new Map<string, Position>();
  /** Where closed shards end, once a reader was told. */
  readonly #ends = new Map<number, number>();

  knownOf(uid: number): ReadonlyMap<number, Known> {
    return this.#known.get(uid) ?? new Map<number, Known>();
  }

  /** What a record that is sent now must come behind. */
  latestOf(streamKey: string): Position | undefined {
    return this.#latest.get(streamKey);
  }

  /** A record was acknowledged: it comes behind all of its key that were acknowledged when it was sent. */
  acknowledged(streamKey: string, position: Position, after: Position | undefined): void {
    if (after !== undefined)
      assert.ok(
        isBefore(after, position),
        `${streamKey} at ${position.uid}/${position.offset} is not behind ${after.uid}/${after.offset}`,
      );
    const latest = this.#latest.get(streamKey);
    if (latest === undefined || isBefore(latest, position)) this.#latest.set(streamKey, position);
  }

  /** A reader was told that a closed shard has nothing from `offset` on. */
  ended(uid: number, offset: number): void {
    for (const known of this.knownOf(uid).keys())
      assert.ok(known < offset, `shard ${uid} ended at ${offset}, before what is known at ${known}`);
    const before = this.#ends.get(uid);
    if (before !== undefined) assert.equal(offset, before, `shard ${uid} has another end`);
    this.#ends.set(uid, offset);
  }

  /** Checks that shards which are not there any more had nothing that must be kept. */
  checkGone(present: ReadonlySet<number>, keptFromMs: number): void {
    for (const [uid, records] of this.#known)
      if (!present.has(uid))
        for (const [offset, { payload, arrivalMs }] of records)
          assert.ok(arrivalMs < keptFromMs, `shard ${uid} is gone with offset ${offset} (${payload})`);
  }

  /** A fact about an offset: from an acknowledgement or a reader. It must agree with every one before. */
  learn(uid: number, offset: number, fact: Known): void {
    assert.ok(offset < (this.#ends.get(uid) ?? Infinity), `shard ${uid} has offset ${offset} after its end`);
    let shard = this.#known.get(uid);
    if (shard === undefined) this.#known.set(uid, (shard = new Map()));
    const before = shard.get(offset);
    if (before !== undefined)
      assert.equal(fact.payload, before.payload, `offset ${offset} of shard ${uid} changed`);
    shard.set(offset, fact);
  }

  /** Checks all that can be read of a shard, from its trim horizon to its tail. */
  checkShard(
    uid: number,
    found: {
      readonly firstOffset: number;
      readonly payloads: readonly string[];
      readonly keptFromMs: number;
    },
  ): void {
    const end = found.firstOffset + found.payloads.length;
    for (const [offset, { payload, arrivalMs }] of this.knownOf(uid)) {
      if (offset < found.firstOffset) {
        assert.ok(
          arrivalMs < found.keptFromMs,
          `offset ${offset} of shard ${uid} (${payload}) is gone before its time`,
        );
        continue;
      }
      assert.ok(
        offset < end,
        `offset ${offset} of shard ${uid} (${payload}) was acknowledged or read, and is lost`,
      );
      assert.equal(
        found.payloads[offset - found.firstOffset],
        payload,
        `offset ${offset} of shard ${uid} changed`,
      );
    }
  }

  /** Checks that no record is there twice, and that each request is there whole or not at all. */
  checkRequests(payloads: readonly string[], someExpired: boolean): void {
    const count = new Map<number, number>();
    const once = new Set<string>();
    for (const payload of payloads) {
      assert.ok(!once.has(payload), `${payload} is there twice`);
      once.add(payload);
      const id = Number(payload.split('/')[0]);
      count.set(id, (count.get(id) ?? 0) + 1);
    }
    for (const [id, present] of count) {
      const request = this.requests.get(id);
      assert.ok(request, `${id} was never sent`);
      if (!someExpired) assert.equal(present, request.records.length, `request ${id} is there in part`);
    }
  }
}
