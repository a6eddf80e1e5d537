/**
 * A consumer with enhanced fan-out for the model-based test, over the SDK: what it got of each shard through all of its
 * subscriptions, each of which goes on from the last ContinuationSequenceNumber.
 */
import assert from 'node:assert/strict';
import type { StartingPosition } from '@aws-sdk/client-kinesis';
import { register, subscribe, type Subscribed } from '../fan-out/testing/subscriber.ts';
import type { SeenRecord, SeenRun } from './log-checker.ts';
import type { Kinesis } from './open-kinesis.ts';

/** A consumer may subscribe to a shard again after it. */
const TAKEOVER_MS = 5_000;
const INTERRUPTIONS_MAX = 3;

interface Chain {
  readonly records: SeenRecord[];
  continuation: string | undefined;
  open: Subscribed | undefined;
  ended: boolean;
}

export interface ModelShardEnd {
  readonly shard: string;
  readonly children: readonly (readonly [id: string, parents: readonly string[]])[];
}

export class ModelSubscriber {
  readonly #kinesis: Kinesis;
  readonly #arn: string;
  readonly #chains = new Map<string, Chain>();

  private constructor(kinesis: Kinesis, arn: string) {
    this.#kinesis = kinesis;
    this.#arn = arn;
  }

  static async register(kinesis: Kinesis, stream: string, name: string): Promise<ModelSubscriber> {
    return new ModelSubscriber(kinesis, await register(kinesis, stream, name));
  }

  /** Subscribes anew, which takes over from the subscription before; time goes by for it. */
  async subscribe(shard: string): Promise<void> {
    const chain = this.#chainOf(shard);
    if (chain.ended) return;
    this.#kinesis.clock.advance(TAKEOVER_MS + 1);
    const start: StartingPosition =
      chain.continuation === undefined
        ? { Type: 'TRIM_HORIZON' }
        : { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: chain.continuation };
    const former = chain.open;
    chain.open = await subscribe(this.#kinesis.client, this.#arn, start, shard);
    if (former !== undefined) await this.#checkOver(former);
  }

  /**
   * Reads on, up to a record that is there, or to the end of a closed shard, which it gives. Without a subscription that
   * is open it subscribes.
   */
  async readTo(shard: string, number: bigint | 'end'): Promise<ModelShardEnd | undefined> {
    const chain = this.#chainOf(shard);
    const isThere = (): boolean =>
      chain.ended || (number !== 'end' && (chain.records.at(-1)?.number ?? -1n) >= number);
    let interruptions = 0;
    while (!isThere()) {
      if (chain.open === undefined) await this.subscribe(shard);
      const event = await chain.open!.next().catch(() => undefined);
      if (event === undefined) {
        // Its five minutes are over, perhaps for so long that the server has cut the connection.
        assert.ok(++interruptions < INTERRUPTIONS_MAX, `${shard} does not come to ${number}`);
        chain.open = undefined;
        continue;
      }
      chain.records.push(
        ...event.Records!.map(({ SequenceNumber, PartitionKey, Data }) => ({
          number: BigInt(SequenceNumber!),
          key: PartitionKey!,
          value: Buffer.from(Data!).toString(),
        })),
      );
      if (event.ChildShards === undefined) {
        chain.continuation = event.ContinuationSequenceNumber!;
        continue;
      }
      chain.ended = true;
      assert.equal(await chain.open!.next(), undefined, 'the end of the shard is the last event');
      chain.open = undefined;
      const children = event.ChildShards.map((child) => [child.ShardId!, child.ParentShards!] as const);
      return { shard, children };
    }
    return undefined;
  }

  /** Of all shards that it subscribed to; what arrived before may have expired. */
  runs(mayMissBeforeMs: number): SeenRun[] {
    return [...this.#chains].map(([shard, { records, ended }]) => ({
      shard,
      records,
      ended,
      from: 0n,
      mayMissBeforeMs,
    }));
  }

  /** It was taken over from, or its five minutes were over before; else this never returns. */
  async #checkOver(former: Subscribed): Promise<void> {
    while ((await former.next().catch(() => undefined)) !== undefined);
  }

  #chainOf(shard: string): Chain {
    let chain = this.#chains.get(shard);
    if (chain === undefined) {
      chain = { records: [], continuation: undefined, open: undefined, ended: false };
      this.#chains.set(shard, chain);
    }
    return chain;
  }
}
