/**
 * The streams module over a simulated disk and clock: appends, readers, splits, merges, scaling, retention, full and
 * failing disks, and crashes at any moment, those during a recovery included; in a variant, encryption, other retentions
 * and subscriptions too. StreamsModel is the oracle as it goes, and the log checker at the end.
 */
import assert from 'node:assert/strict';
import { SeededRandom } from '../src/adapters/sim/index.ts';
import {
  createStreams,
  type RecordRun,
  type ShardState,
  type Streams,
} from '../src/modules/streams/index.ts';
import type { SeenRecord } from '../src/edge/kinesis/testing/log-checker.ts';
import { createMemoryKeys } from '../src/modules/streams/testing/memory-keys.ts';
import { quietLogger, quietMetrics } from '../src/modules/streams/testing/quiet.ts';
import type { MetaStore } from '../src/ports/meta-store.ts';
import { skipping, withBug, type Planted } from './streams-faults.ts';
import { RetentionModel } from './retention-model.ts';
import { seenRecords, StreamsHistory } from './streams-history.ts';
import { StreamsModel, type Request } from './streams-model.ts';
import { Subscribers } from './streams-subscribers.ts';
import { simulate, World } from './world.ts';

const STEPS = 500;
const STREAMS = [
  { name: 'one', shardCount: 1 },
  { name: 'three', shardCount: 3 },
];
/** Beyond it shards are merged. */
const OPEN_SHARDS_MAX = 6;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const RESTART_ATTEMPTS_MAX = 20;
/** Small, so that seals, cold reads, evictions and refusals happen all the time. */
const LIMITS = {
  segmentBytesMax: 3_000,
  groupBytesMax: 1_500,
  unsyncedBytesMax: 6_000,
  tailBytesMax: 2_000,
  readCacheBytesMax: 2_000,
  coldReadBytes: 700,
  indexCacheBytesMax: 2_000,
};

type Log = Streams & { close(): Promise<void> };

export interface Variant {
  readonly bug?: Planted;
  /** Planted, too: what is pushed to subscriptions lacks some record. */
  readonly skips?: boolean;
  /** Streams are encrypted, go over to other keys and back to none as time goes by. */
  readonly encrypted?: boolean;
  /** Consumers subscribe to shards, and streams are told to keep records for longer and shorter times. */
  readonly subscribed?: boolean;
}

export async function simulateStreams(seed: number, variant: Variant = {}): Promise<readonly string[]> {
  const world = new World(seed);
  return simulate(world, (meta) => new Run(world, meta, variant).run());
}

class Run {
  readonly #world: World;
  readonly #meta: MetaStore;
  readonly #bug: Planted | undefined;
  readonly #skips: boolean;
  readonly #encrypted: boolean;
  readonly #subscribed: boolean;
  readonly #keys = createMemoryKeys();
  readonly #model = new StreamsModel();
  readonly #history = new StreamsHistory();
  readonly #retention = new RetentionModel(STREAMS.map(({ name }) => name));
  readonly #subscribers: Subscribers;
  readonly #positions = new Map<number, number>();
  #log!: Log;
  #requestId = 0;
  /** Rises with each crash: what belonged to a life before is not heard any more. */
  #life = 0;
  #expired = false;
  /** The first error that no fault explains. */
  #broken: Error | undefined;

  constructor(
    world: World,
    meta: MetaStore,
    { bug, skips = false, encrypted = false, subscribed = false }: Variant,
  ) {
    this.#skips = skips;
    this.#world = world;
    this.#meta = meta;
    this.#bug = bug;
    this.#encrypted = encrypted;
    this.#subscribed = subscribed;
    this.#subscribers = new Subscribers({
      world,
      history: this.#history,
      model: this.#model,
      streams: STREAMS.map(({ name }) => name),
      keptFromMs: (name) => this.#keptFromMs(name),
      hold: (check) => this.#hold(check),
    });
  }

  async run(): Promise<void> {
    await this.#start();
    for (const stream of STREAMS)
      await this.#world.drive(this.#log.create({ ...stream, mode: 'PROVISIONED' }));
    if (this.#subscribed) await this.#subscribers.register();
    for (let step = 0; step < STEPS; step++) await this.#act();
    this.#world.disk.capacityBytes = Infinity;
    this.#world.disk.failSyncs = 0;
    await this.#crashAndCheck('power');
    await this.#subscribers.finish();
    if (this.#broken) throw this.#broken;
    await this.#world.drive(this.#log.close());
    this.#history.check();
  }

  async #act(): Promise<void> {
    const { random, clock, disk } = this.#world;
    if (this.#encrypted && random.chance(0.03)) this.#encrypt();
    if (this.#subscribed && random.chance(0.4)) this.#subscribers.act();
    if (this.#subscribed && random.chance(0.02)) this.#changeRetention();
    // A disk that is full for half of the time leaves little to subscribe to.
    if (this.#subscribed && random.chance(0.05)) disk.capacityBytes = Infinity;
    const dice = random.below(1_000);
    if (dice < 265) this.#append();
    else if (dice < 300) this.#reshard();
    else if (dice < 380) this.#read();
    else if (dice < 900) await this.#world.step();
    else if (dice < 960) clock.advance(random.below(2_000));
    else if (dice < 970) this.#fill();
    else if (dice < 974) disk.failSyncs = 1;
    else if (dice < 977) await this.#pass(DAY_MS * 1.1);
    else if (dice < 980) await this.#pass(HOUR_MS);
    else if (dice < 983) await this.#restart();
    else if (dice < 1_000) await this.#crashAndCheck(random.chance(0.5) ? 'kill' : 'power');
    await this.#world.settle();
    if (this.#broken) throw this.#broken;
  }

  #append(): void {
    const { random } = this.#world;
    const stream = random.pick(STREAMS).name;
    const id = ++this.#requestId;
    const records = Array.from({ length: 1 + random.below(6) }, (_, index) => ({
      key: `key-${random.below(12)}`,
      payload: `${id}/${index}/${'x'.repeat(random.below(120))}`,
    }));
    const request: Request = { id, records, state: 'waiting' };
    this.#model.requests.set(id, request);
    const behind = records.map(({ key }) => this.#model.latestOf(`${stream}/${key}`));
    const answered = this.#history.sent(stream, records);
    const life = this.#life;
    const columns = {
      partitionKeys: records.map((record) => record.key),
      data: records.map((record) => Buffer.from(record.payload)),
    };
    this.#log.append(stream, columns).then(
      ({ shards, offsets, arrivalMs }) => {
        if (life !== this.#life) return;
        answered({ shards, offsets, arrivalMs });
        request.state = 'acknowledged';
        this.#world.note(`acknowledged ${id}`);
        this.#hold(() => {
          for (const [index, { key, payload }] of records.entries()) {
            const position = { uid: shards[index]!.uid, offset: offsets[index]! };
            this.#model.learn(position.uid, position.offset, { payload, arrivalMs });
            this.#model.acknowledged(`${stream}/${key}`, position, behind[index]);
          }
        });
      },
      (error: { code?: string }) => {
        if (life !== this.#life) return;
        request.state = 'refused';
        this.#world.note(`refused ${id}: ${error.code}`);
        this.#unexpected(error, ['overloaded', 'storage-full', 'storage-failed']);
      },
    );
  }

  #reshard(): void {
    const { random } = this.#world;
    const { name } = random.pick(STREAMS);
    const open = this.#described(name)
      .filter(({ closedMs }) => closedMs === undefined)
      .sort((a, b) => (a.hashKeyStart < b.hashKeyStart ? -1 : 1));
    if (open.length === 0) return;
    const at = random.below(open.length);
    const [shard, next] = [open[at]!, open[at + 1]];
    const { shardId, hashKeyStart, hashKeyEnd } = shard;
    const life = this.#life;
    let change: Promise<void>;
    if (random.chance(0.2))
      change = this.#log.scale(name, Math.max(1, Math.ceil(open.length / 2)) + random.below(open.length + 1));
    else if (next !== undefined && (open.length > OPEN_SHARDS_MAX || random.chance(0.5)))
      change = this.#log.merge(name, { lower: shardId, upper: next.shardId });
    else change = this.#log.split(name, shardId, (hashKeyStart + hashKeyEnd) / 2n);
    change.then(
      () => life === this.#life && this.#world.note(`resharded ${name}`),
      (error: { code?: string }) => {
        if (life !== this.#life) return;
        this.#world.note(`not resharded ${name}: ${error.code}`);
        this.#unexpected(error, [
          'stream-in-use',
          'overloaded',
          'storage-full',
          'storage-failed',
          'limit-exceeded',
        ]);
      },
    );
  }

  #encrypt(): void {
    const { random } = this.#world;
    const { name } = random.pick(STREAMS);
    const key = random.pick(['alias/a', 'alias/b']);
    const life = this.#life;
    const change = random.chance(0.7)
      ? this.#log.startEncryption(name, { key, named: key })
      : this.#log.stopEncryption(name);
    change.then(
      () => life === this.#life && this.#world.note(`encryption of ${name} changed`),
      (error: { code?: string }) => life === this.#life && this.#unexpected(error, ['stream-in-use']),
    );
  }

  #changeRetention(): void {
    const { random, clock } = this.#world;
    const { name } = random.pick(STREAMS);
    if (this.#retention.isChanging(name)) return;
    const hours = 24 + random.below(25);
    this.#retention.asks(name, hours, clock.nowMs());
    const life = this.#life;
    this.#log.setRetention(name, hours).then(
      () => {
        if (life !== this.#life) return;
        this.#world.note(`${name} is kept for ${hours} hours`);
        this.#hold(() => this.#retention.is(name, hours, clock.nowMs()));
      },
      (error: { code?: string }) => life === this.#life && this.#notKept(name, error),
    );
  }

  /** A change of another kind was under way: it did not happen. */
  #notKept(name: string, error: { code?: string }): void {
    this.#unexpected(error, ['stream-in-use']);
    this.#retention.isNot(name);
  }

  #read(): void {
    const { random } = this.#world;
    const { name } = random.pick(STREAMS);
    const shard = random.pick(this.#log.describe(name).shards);
    const from = random.chance(0.3)
      ? random.below(shard.nextOffset + 1)
      : (this.#positions.get(shard.uid) ?? 0);
    const life = this.#life;
    this.#log.read(shard, from, { recordsMax: 1 + random.below(20), bytesMax: 1 + random.below(2_000) }).then(
      (result) => {
        if (life !== this.#life) return;
        this.#positions.set(shard.uid, result.nextOffset);
        this.#world.note(`read ${shard.uid} ${from} to ${result.nextOffset}`);
        this.#hold(() => {
          result.runs.forEach((run) => this.#learn(shard, run));
          const records = result.runs.flatMap((run) => seenRecords(name, shard.uid, run));
          const { ended } = result;
          this.#history.saw({
            shard: String(shard.uid),
            records,
            ended,
            mayMissBeforeMs: this.#keptFromMs(name),
          });
          if (result.ended) this.#model.ended(shard.uid, result.nextOffset);
        });
      },
      // Its time was over in the meantime.
      (error: { code?: string }) => life === this.#life && this.#unexpected(error, ['shard-not-found']),
    );
  }

  #learn(shard: ShardState, run: RecordRun): void {
    for (const [index, payload] of payloadsOf(run).entries())
      this.#model.learn(shard.uid, run.firstOffset + index, { payload, arrivalMs: run.arrivalMs });
  }

  #fill(): void {
    const { disk, random } = this.#world;
    disk.capacityBytes = disk.capacityBytes === Infinity ? disk.usedBytes() + random.below(2_000) : Infinity;
    this.#world.note(`capacity ${disk.capacityBytes}`);
  }

  /** Time goes by: retention removes what is old, and nothing else. */
  async #pass(ms: number): Promise<void> {
    this.#world.note(`${ms / HOUR_MS} hours go by`);
    this.#expired ||= ms > DAY_MS;
    await this.#world.clock.advanceSettling(ms, async () => {
      for (let steps = 0; steps < 20; steps++) await this.#world.step();
    });
    if (ms < DAY_MS) await this.#restart();
  }

  async #restart(): Promise<void> {
    this.#world.note('restart');
    await this.#world.drive(this.#log.close());
    this.#life++;
    this.#world.clock.dropTimers();
    await this.#start();
    await this.#check();
  }

  async #crashAndCheck(kind: 'kill' | 'power'): Promise<void> {
    this.#life++;
    this.#world.crash(kind);
    await this.#world.settle();
    await this.#start();
    await this.#check();
  }

  /** Recovers, which may crash itself, or find the disk full or failing. */
  async #start(): Promise<void> {
    const { disk, random, clock } = this.#world;
    disk.failSyncs = 0;
    for (let attempt = 0; attempt < RESTART_ATTEMPTS_MAX; attempt++) {
      const opening = createStreams({
        disk: this.#bug === undefined ? disk.attach() : withBug(disk.attach(), this.#bug),
        directory: '/data',
        meta: this.#world.metaOf(this.#meta),
        clock,
        random: new SeededRandom(random.word()),
        logger: quietLogger,
        metrics: quietMetrics,
        limits: LIMITS,
        keys: this.#keys,
      });
      const outcome = opening.then(
        (log) => ({ log }),
        (error: { code?: string }) => ({ error }),
      );
      if (random.chance(0.2) && attempt < RESTART_ATTEMPTS_MAX / 2) {
        for (let steps = random.below(12); steps > 0; steps--) await this.#world.step();
        this.#world.crash(random.chance(0.5) ? 'kill' : 'power');
        await this.#world.settle();
        continue;
      }
      const result = await this.#world.drive(outcome);
      if ('log' in result) {
        this.#log = result.log;
        this.#started();
        return;
      }
      this.#unexpected(result.error, ['no-space', 'storage-full']);
      if (this.#broken) throw this.#broken;
      disk.capacityBytes = Infinity;
    }
    throw new Error('it does not start');
  }

  #started(): void {
    this.#subscribers.started(this.#skips ? skipping(this.#log) : this.#log);
    for (const { name } of STREAMS) {
      const hours = this.#retentionHours(name);
      if (hours !== undefined) this.#retention.is(name, hours, this.#world.clock.nowMs());
    }
  }

  /** Undefined when a crash came before the stream was made. */
  #retentionHours(name: string): number | undefined {
    try {
      return this.#log.describe(name).retentionHours;
    } catch {
      return undefined;
    }
  }

  #keptFromMs(name: string): number {
    return this.#retention.keptFromMs(name, this.#world.clock.nowMs());
  }

  /** Reads everything and holds it against the model. */
  async #check(): Promise<void> {
    const all: string[] = [];
    const present = new Set<number>();
    for (const { name } of STREAMS) {
      this.#history.described(this.#described(name));
      for (const { uid } of this.#described(name)) {
        const shard = this.#described(name).find((state) => state.uid === uid)!;
        const payloads: string[] = [];
        const records: SeenRecord[] = [];
        let firstOffset: number | undefined;
        let offset = 0;
        for (;;) {
          const result = await this.#world.drive(
            this.#log.read(shard, offset, { recordsMax: 7, bytesMax: 1_000 }),
          );
          firstOffset ??= result.runs[0]?.firstOffset;
          for (const run of result.runs) {
            assert.equal(run.firstOffset, firstOffset! + payloads.length, 'offsets must be contiguous');
            this.#learn(shard, run);
            payloads.push(...payloadsOf(run));
            records.push(...seenRecords(name, uid, run));
          }
          if (result.runs.length === 0) {
            firstOffset ??= result.nextOffset;
            break;
          }
          offset = result.nextOffset;
        }
        const keptFromMs = this.#keptFromMs(name);
        const complete = { keptFromMs, at: this.#history.moment };
        this.#history.saw({ shard: String(uid), records, complete, mayMissBeforeMs: keptFromMs });
        this.#model.checkShard(uid, { firstOffset, payloads, keptFromMs });
        present.add(uid);
        all.push(...payloads);
      }
    }
    this.#model.checkGone(present, Math.max(...STREAMS.map(({ name }) => this.#keptFromMs(name))));
    this.#model.checkRequests(all, this.#expired);
    this.#world.note(`checked ${all.length} records`);
  }

  #described(name: string): readonly ShardState[] {
    try {
      return this.#log.describe(name).shards;
    } catch {
      // A crash came before the stream was made.
      return [];
    }
  }

  /** Keeps a broken expectation of a callback, which nothing waits for. */
  #hold(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#broken ??= error as Error;
    }
  }

  /** An error that is not among the outcomes that the faults explain fails the run. */
  #unexpected(error: { code?: string }, expected: readonly string[]): void {
    if (!expected.includes(error.code ?? '')) this.#broken ??= error as Error;
  }
}

function payloadsOf({ count, bytes, bounds }: RecordRun): string[] {
  return Array.from({ length: count }, (_, index) =>
    bytes.toString('utf8', bounds[2 * index + 1], bounds[2 * index + 2]),
  );
}
