/**
 * Consumers with enhanced fan-out in the streams simulation. They subscribe through the operation itself, read its
 * messages no faster than the scheduler lets them, go away, take over, and after a crash go on from the last
 * ContinuationSequenceNumber that they had.
 */
import assert from 'node:assert/strict';
import { JSON_1_1 } from '../src/edge/aws-json/json-wire.ts';
import { consumerArnOf } from '../src/edge/kinesis/fan-out/consumer-names.ts';
import { Subscribing } from '../src/edge/kinesis/fan-out/subscribing.ts';
import { messagesOf, type Message } from '../src/edge/kinesis/fan-out/testing/subscriber.ts';
import type { SeenRecord } from '../src/edge/kinesis/testing/log-checker.ts';
import {
  parseSequenceNumber,
  sequenceNumberOf,
  type ShardState,
  type Streams,
} from '../src/modules/streams/index.ts';
import { numberOf, type StreamsHistory } from './streams-history.ts';
import type { StreamsModel } from './streams-model.ts';
import type { World } from './world.ts';

const CONSUMERS = ['x', 'y'];
const REGION = 'eu-central-1';
const DRAIN_STEPS_MAX = 10_000;

export interface SubscribersOptions {
  readonly world: World;
  readonly history: StreamsHistory;
  readonly model: StreamsModel;
  readonly streams: readonly string[];
  readonly keptFromMs: (stream: string) => number;
  /** Keeps a broken expectation of a callback. */
  readonly hold: (check: () => void) => void;
}

/** What one consumer got of one shard through all of its subscriptions. */
interface Chain {
  readonly stream: string;
  readonly consumer: string;
  readonly shardId: string;
  readonly uid: number;
  readonly from: bigint;
  readonly records: SeenRecord[];
  /** Undefined until an event came. */
  continuation: string | undefined;
  ended: boolean;
  mayMissBeforeMs: number;
}

interface Open {
  readonly chain: Chain;
  readonly messages: AsyncIterator<Message>;
  readonly leave: () => void;
  readonly over: () => void;
  isPulling: boolean;
  /** A later subscription has taken over: what comes here is not the chain's any more. */
  isFormer: boolean;
}

interface EventBody {
  readonly Records: readonly {
    readonly SequenceNumber: string;
    readonly PartitionKey: string;
    readonly Data: string;
    readonly ApproximateArrivalTimestamp: number;
  }[];
  readonly ContinuationSequenceNumber?: string;
  readonly MillisBehindLatest: number;
  readonly ChildShards?: readonly { readonly ShardId: string; readonly ParentShards: readonly string[] }[];
}

export class Subscribers {
  readonly #options: SubscribersOptions;
  readonly #chains: Chain[] = [];
  #open: Open[] = [];
  #log!: Streams;
  #subscribing!: Subscribing;

  constructor(options: SubscribersOptions) {
    this.#options = options;
  }

  /** Of each stream, durable. */
  async register(): Promise<void> {
    for (const stream of this.#options.streams)
      for (const name of CONSUMERS)
        await this.#options.world.drive(this.#log.consumers.register(stream, name));
  }

  /** A process has started; nothing comes of what was open before. */
  started(log: Streams): void {
    this.#log = log;
    this.#open = [];
    this.#subscribing = new Subscribing(log, this.#options.world.clock);
  }

  act(): void {
    const { random } = this.#options.world;
    const dice = random.below(100);
    if (dice < 25) this.#subscribe();
    else if (dice < 97) void this.#pull(this.#open.filter(({ isPulling }) => !isPulling));
    else if (this.#open.length > 0) random.pick(this.#open).leave();
  }

  /** Lets every chain come to the tail or the end of its shard, and gives all chains to the history. */
  async finish(): Promise<void> {
    const { world, history } = this.#options;
    for (const chain of this.#chains) {
      const shard = this.#shardOf(chain);
      if (shard === undefined || chain.ended) continue;
      await world.drive(this.#start(chain));
      const own = this.#open.find((open) => open.chain === chain && !open.isFormer)!;
      for (let steps = 0; this.#open.includes(own) && this.#isBehind(chain, shard); steps++) {
        assert.ok(steps < DRAIN_STEPS_MAX, `${nameOf(chain)} does not come to its end`);
        await world.drive(this.#pull([own]));
      }
      assert.ok(!this.#isBehind(chain, shard), `${nameOf(chain)} ended before its time`);
      own.leave();
    }
    for (const { uid, from, records, ended, mayMissBeforeMs } of this.#chains)
      history.saw({ shard: String(uid), from, records, ended, mayMissBeforeMs });
  }

  #isBehind(chain: Chain, shard: ShardState): boolean {
    if (chain.ended) return false;
    if (shard.closedMs !== undefined) return true;
    const next =
      chain.continuation === undefined ? 0 : (parseSequenceNumber(chain.continuation)?.offset ?? -1) + 1;
    return Math.max(next, Number(chain.from - numberOf(chain.uid, 0))) < shard.nextOffset;
  }

  #shardOf({ stream, uid }: Chain): ShardState | undefined {
    return this.#log.describe(stream).shards.find((shard) => shard.uid === uid);
  }

  #subscribe(): void {
    const { random } = this.#options.world;
    const stream = random.pick(this.#options.streams);
    const consumer = random.pick(CONSUMERS);
    const shard = random.pick(this.#log.describe(stream).shards);
    const known = this.#chains.findLast(
      (chain) => chain.uid === shard.uid && chain.consumer === consumer && !chain.ended,
    );
    const chain =
      known !== undefined && random.chance(0.9) ? known : this.#newChain(shard, { stream, consumer });
    void this.#start(chain);
  }

  #newChain(shard: ShardState, of: { readonly stream: string; readonly consumer: string }): Chain {
    const isLatest = this.#options.world.random.chance(0.3);
    const chain: Chain = {
      ...of,
      shardId: shard.shardId,
      uid: shard.uid,
      from: numberOf(shard.uid, isLatest ? shard.nextOffset : 0),
      records: [],
      // What a client that had read everything would go on from.
      continuation:
        isLatest && shard.nextOffset > 0 ? sequenceNumberOf(shard, shard.nextOffset - 1) : undefined,
      ended: false,
      mayMissBeforeMs: -Infinity,
    };
    this.#chains.push(chain);
    return chain;
  }

  async #start(chain: Chain): Promise<void> {
    const { world, hold } = this.#options;
    const { stream, shardId, continuation } = chain;
    const { life } = world;
    const client = new AbortController();
    const consumer = this.#log.consumers.find(stream, chain.consumer);
    assert.ok(consumer, `the consumer ${chain.consumer} of ${stream} is lost`);
    const StartingPosition =
      continuation === undefined
        ? { Type: 'TRIM_HORIZON' }
        : { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: continuation };
    const input = { ConsumerARN: consumerArnOf(consumer, REGION), ShardId: shardId, StartingPosition };
    const principal = { accountId: '000000000000', name: 'simulated' };
    const context = { principal, region: REGION, requestId: '0', wire: JSON_1_1, signal: client.signal };
    try {
      const { chunks, over } = await this.#subscribing.subscribe(input, context);
      if (life !== world.life) return;
      world.note(`${nameOf(chain)} is subscribed after ${continuation}`);
      for (const open of this.#open)
        if (open.chain.uid === chain.uid && open.chain.consumer === chain.consumer) open.isFormer = true;
      const messages = messagesOf(chunks as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
      const leave = (): void => client.abort();
      this.#open.push({ chain, messages, leave, over, isPulling: false, isFormer: false });
    } catch (error) {
      if (life !== world.life) return;
      const { type, code } = error as { type?: string; code?: string };
      world.note(`${nameOf(chain)} is not subscribed: ${type ?? code}`);
      hold(() => {
        const isGone = this.#shardOf(chain) === undefined;
        if (type === 'ResourceInUseException' || (code === 'shard-not-found' && isGone)) return;
        throw error;
      });
    }
  }

  async #pull(among: readonly Open[]): Promise<void> {
    if (among.length === 0) return;
    const { world, hold } = this.#options;
    const { life } = world;
    const open = world.random.pick(among);
    open.isPulling = true;
    const { done, value } = await open.messages.next().catch((error: unknown) => {
      hold(() => {
        if (life === world.life) throw error;
      });
      return { done: true as const, value: undefined };
    });
    if (life !== world.life) return;
    open.isPulling = false;
    if (done !== true) return hold(() => this.#took(open, value));
    open.over();
    this.#open = this.#open.filter((other) => other !== open);
    world.note(`${nameOf(open.chain)} has ended`);
  }

  #took(open: Open, { headers, body }: Message): void {
    const { chain, isFormer } = open;
    const exception = headers[':exception-type'];
    if (exception !== undefined) {
      const expected =
        exception === 'ResourceInUseException'
          ? isFormer
          : exception === 'ResourceNotFoundException' && this.#shardOf(chain) === undefined;
      assert.ok(expected, `${nameOf(chain)} was told ${exception}: ${body.toString()}`);
      return;
    }
    if (headers[':event-type'] !== 'SubscribeToShardEvent' || isFormer) return;
    this.#got(chain, JSON.parse(body.toString()) as EventBody);
  }

  #got(chain: Chain, event: EventBody): void {
    const { world, model, keptFromMs } = this.#options;
    const { stream, uid } = chain;
    world.note(`${nameOf(chain)} got ${event.Records.length} to ${event.ContinuationSequenceNumber}`);
    assert.ok(event.MillisBehindLatest >= 0);
    for (const record of event.Records) {
      const number = parseSequenceNumber(record.SequenceNumber)!;
      assert.equal(number.uid, uid, `${record.SequenceNumber} is not of ${chain.shardId}`);
      const value = Buffer.from(record.Data, 'base64').toString();
      const arrivalMs = Math.round(record.ApproximateArrivalTimestamp * 1_000);
      const key = `${stream}/${record.PartitionKey}`;
      chain.records.push({ number: numberOf(uid, number.offset), key, value, arrivalMs });
      model.learn(uid, number.offset, { payload: value, arrivalMs });
    }
    chain.mayMissBeforeMs = keptFromMs(stream);
    if (event.ChildShards === undefined) {
      chain.continuation = event.ContinuationSequenceNumber!;
      const last = event.Records.at(-1);
      if (last !== undefined) assert.equal(chain.continuation, last.SequenceNumber);
      return;
    }
    chain.ended = true;
    const children = this.#log.children(this.#shardOf(chain)!).map(({ shardId }) => shardId);
    assert.deepEqual(
      event.ChildShards.map(({ ShardId }) => ShardId),
      children,
    );
    for (const { ParentShards } of event.ChildShards) assert.ok(ParentShards.includes(chain.shardId));
  }
}

const nameOf = ({ stream, consumer, uid }: Chain): string => `${consumer} of ${stream}/${uid}`;
