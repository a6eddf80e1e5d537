/**
 * Random interleavings of puts, splits, merges, scaling, retention changes, passing time, reads and subscriptions over
 * the SDK, held against a model of plain arrays and, as a whole, against the log checker.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  DecreaseStreamRetentionPeriodCommand,
  IncreaseStreamRetentionPeriodCommand,
  MergeShardsCommand,
  PutRecordsCommand,
  SplitShardCommand,
  UpdateShardCountCommand,
  type GetRecordsCommandOutput,
} from '@aws-sdk/client-kinesis';
import { SeededRandom } from '../../adapters/sim/index.ts';
import { checkLog, type AcknowledgedPut, type SeenRecord, type SeenRun } from './testing/log-checker.ts';
import { ModelSubscriber } from './testing/model-subscriber.ts';
import { openKinesis, type Kinesis } from './testing/open-kinesis.ts';
import { readOn } from './fan-out/testing/subscriber.ts';

const SEEDS = 6;
const STEPS = 120;
const NAME = 'modelled';
const HOUR_MS = 3_600_000;
const OPEN_SHARDS_MAX = 6;

interface ModelShard {
  readonly id: string;
  readonly start: bigint;
  readonly end: bigint;
  readonly parents: readonly string[];
  closed: boolean;
}

interface Reader {
  readonly shard: string;
  token: string | undefined;
  issuedMs: number;
  records: SeenRecord[];
}

class Run {
  readonly #kinesis: Kinesis;
  readonly #random: SeededRandom;
  readonly #puts: AcknowledgedPut[] = [];
  readonly #runs: SeenRun[] = [];
  readonly #readers: Reader[] = [];
  #subscribers: readonly ModelSubscriber[] = [];
  readonly #shards: ModelShard[] = [
    { id: 'shardId-000000000000', start: 0n, end: 2n ** 128n - 1n, parents: [], closed: false },
  ];
  #values = 0;
  #moment = 0;
  #retentionHours = 24;

  constructor(kinesis: Kinesis, seed: number) {
    this.#kinesis = kinesis;
    this.#random = new SeededRandom(seed);
  }

  async run(): Promise<void> {
    await this.#kinesis.create(NAME);
    this.#subscribers = await Promise.all(
      ['one', 'two'].map((name) => ModelSubscriber.register(this.#kinesis, NAME, name)),
    );
    for (let step = 0; step < STEPS; step++) await this.#act();
    for (const reader of this.#readers) while (reader.token !== undefined && (await this.#readOn(reader)));
    const mayMissBeforeMs = this.#keptFromMs();
    for (const reader of this.#readers) this.#runs.push({ ...reader, mayMissBeforeMs });
    for (const subscriber of this.#subscribers) {
      for (const { id } of await this.#listed()) await this.#readSubscription(subscriber, id);
      this.#runs.push(...subscriber.runs(this.#keptFromMs()));
    }
    await this.#readAll();
    const shards = this.#shards.map(({ id, parents }) => ({ id, parents }));
    assert.deepEqual(checkLog({ puts: this.#puts, runs: this.#runs, shards }), []);
  }

  async #act(): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 40) await this.#put();
    else if (dice < 51) await this.#subscription();
    else if (dice < 55) await this.#split();
    else if (dice < 59) await this.#merge();
    else if (dice < 61) await this.#scale();
    else if (dice < 77) await this.#read();
    else if (dice < 84) await this.#readAgain();
    else if (dice < 88) await this.#readAtTime();
    else if (dice < 92) await this.#changeRetention();
    else if (dice < 98) this.#kinesis.clock.advance(this.#random.below(4 * HOUR_MS));
    else await this.#readAll();
  }

  async #put(): Promise<void> {
    const requests = Array.from({ length: 1 + this.#random.below(3) }, () => {
      const records = Array.from({ length: 1 + this.#random.below(5) }, () => ({
        key: `key-${this.#random.below(12)}`,
        value: `v${this.#values++}`,
      }));
      const sentAt = this.#moment++;
      const arrivalMs = this.#kinesis.clock.nowMs();
      const input = {
        StreamName: NAME,
        Records: records.map(({ key, value }) => ({ PartitionKey: key, Data: Buffer.from(value) })),
      };
      return this.#kinesis.client.send(new PutRecordsCommand(input)).then(({ Records: answers }) => {
        const answeredAt = this.#moment++;
        for (const [at, { key, value }] of records.entries()) {
          const { ShardId, SequenceNumber } = answers![at]!;
          assert.equal(ShardId, this.#openShardOf(key).id, `the shard of ${key}`);
          const number = BigInt(SequenceNumber!);
          this.#puts.push({ shard: ShardId, number, key, value, sentAt, answeredAt, arrivalMs });
        }
      });
    });
    await Promise.all(requests);
  }

  async #split(): Promise<void> {
    const open = this.#open();
    if (open.length >= OPEN_SHARDS_MAX) return;
    const shard = this.#random.pick(open);
    const at = shard.start + ((shard.end - shard.start) / 7n) * BigInt(1 + this.#random.below(6));
    const input = { StreamName: NAME, ShardToSplit: shard.id, NewStartingHashKey: String(at) };
    await this.#kinesis.client.send(new SplitShardCommand(input));
    shard.closed = true;
    this.#add({ start: shard.start, end: at - 1n, parents: [shard.id] });
    this.#add({ start: at, end: shard.end, parents: [shard.id] });
    await this.#compareShards();
  }

  async #merge(): Promise<void> {
    const open = this.#open();
    if (open.length < 2) return;
    const at = this.#random.below(open.length - 1);
    const [lower, upper] = [open[at]!, open[at + 1]!];
    const input = { StreamName: NAME, ShardToMerge: lower.id, AdjacentShardToMerge: upper.id };
    await this.#kinesis.client.send(new MergeShardsCommand(input));
    lower.closed = upper.closed = true;
    this.#add({ start: lower.start, end: upper.end, parents: [lower.id, upper.id] });
    await this.#compareShards();
  }

  /** The model takes over which shards were made, once their ranges and lineage are as they must be. */
  async #scale(): Promise<void> {
    const open = this.#open();
    const least = Math.ceil(open.length / 2);
    const target = least + this.#random.below(Math.min(2 * open.length, OPEN_SHARDS_MAX) - least + 1);
    const input = { StreamName: NAME, TargetShardCount: target, ScalingType: 'UNIFORM_SCALING' as const };
    await this.#kinesis.client.send(new UpdateShardCountCommand(input));
    const known = new Set(this.#shards.map(({ id }) => id));
    for (const shard of await this.#listed()) {
      if (known.has(shard.id)) continue;
      const parents = shard.parents.map((id) => this.#shards.find((other) => other.id === id)!);
      const least = parents[0]!.start;
      const most = parents.at(-1)!.end;
      assert.ok(shard.start >= least && shard.end <= most, `${shard.id} is of its parents`);
      for (const parent of parents) parent.closed = true;
      this.#shards.push({ ...shard, closed: false });
    }
    assert.equal(this.#open().length, target);
    await this.#compareShards();
  }

  async #compareShards(): Promise<void> {
    const listed = await this.#listed();
    // Those of which all records expired are gone.
    const present = new Set(listed.map(({ id }) => id));
    for (const { id, closed } of this.#shards)
      assert.ok(present.has(id) || (closed && this.#kept(id).length === 0), `${id} is there`);
    assert.deepEqual(
      listed,
      this.#shards.filter(({ id }) => present.has(id)),
    );
  }

  async #listed(): Promise<ModelShard[]> {
    const shards = await this.#kinesis.shards({ StreamName: NAME });
    return shards.map((shard) => ({
      id: shard.ShardId!,
      start: BigInt(shard.HashKeyRange!.StartingHashKey!),
      end: BigInt(shard.HashKeyRange!.EndingHashKey!),
      parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
      closed: shard.SequenceNumberRange!.EndingSequenceNumber !== undefined,
    }));
  }

  async #changeRetention(): Promise<void> {
    const hours = 24 + this.#random.below(48);
    const input = { StreamName: NAME, RetentionPeriodHours: hours };
    if (hours > this.#retentionHours)
      await this.#kinesis.client.send(new IncreaseStreamRetentionPeriodCommand(input));
    else if (hours < this.#retentionHours)
      await this.#kinesis.client.send(new DecreaseStreamRetentionPeriodCommand(input));
    this.#retentionHours = hours;
  }

  async #read(): Promise<void> {
    const nowMs = this.#kinesis.clock.nowMs();
    const reader =
      this.#readers.length > 0 && this.#random.chance(0.7) ? this.#random.pick(this.#readers) : undefined;
    if (reader !== undefined && reader.token !== undefined && nowMs - reader.issuedMs < 300_000)
      return void (await this.#readOn(reader));
    const { id } = this.#random.pick(await this.#listed());
    const token = await this.#kinesis.iterator(NAME, {
      ShardId: id,
      ShardIteratorType: this.#random.pick(['TRIM_HORIZON', 'LATEST']),
    });
    this.#readers.push({ shard: id, token, issuedMs: nowMs, records: [] });
  }

  /** One read; gives whether there may be more. */
  async #readOn(reader: Reader): Promise<boolean> {
    const nowMs = this.#kinesis.clock.nowMs();
    if (nowMs - reader.issuedMs >= 300_000) return false;
    let page: GetRecordsCommandOutput;
    try {
      page = await this.#kinesis.get(reader.token!);
    } catch (error) {
      // Retention took the shard under the reader.
      assert.equal((error as Error).name, 'ResourceNotFoundException');
      reader.token = undefined;
      return false;
    }
    reader.records = [...reader.records, ...recordsOf(page)];
    reader.token = page.NextShardIterator;
    reader.issuedMs = nowMs;
    if (page.NextShardIterator === undefined) this.#checkChildren(reader.shard, page);
    return page.Records!.length > 0;
  }

  async #subscription(): Promise<void> {
    const subscriber = this.#random.pick(this.#subscribers);
    const { id } = this.#random.pick(await this.#listed());
    if (this.#random.chance(0.3)) await subscriber.subscribe(id);
    // Within its five minutes it goes on with what is put meanwhile.
    for (let rounds = 1 + this.#random.below(4); rounds > 0; rounds--) {
      await this.#readSubscription(subscriber, id);
      await this.#put();
    }
  }

  /** To the end of the shard, or to its newest record. */
  async #readSubscription(subscriber: ModelSubscriber, shard: string): Promise<void> {
    const { closed } = this.#shards.find(({ id }) => id === shard)!;
    const newest = byNumber(this.#kept(shard)).at(-1);
    if (!closed && newest === undefined) return;
    const end = await subscriber.readTo(shard, closed ? 'end' : newest!.number);
    if (end === undefined) return;
    assert.deepEqual(
      end.children,
      this.#shards.filter(({ parents }) => parents.includes(shard)).map(({ id, parents }) => [id, parents]),
    );
  }

  #checkChildren(shard: string, page: GetRecordsCommandOutput): void {
    const children = this.#shards.filter(({ parents }) => parents.includes(shard));
    assert.ok(children.length > 0, `${shard} ended and has children`);
    assert.deepEqual(
      page.ChildShards!.map((child) => [child.ShardId, child.ParentShards]),
      children.map(({ id, parents }) => [id, parents]),
    );
  }

  /** A record that must be there is found by its number, and what follows it with it. */
  async #readAgain(): Promise<void> {
    const kept = this.#puts.filter((put) => put.arrivalMs >= this.#keptFromMs());
    if (kept.length === 0) return;
    const put = this.#random.pick(kept);
    const after = this.#random.chance(0.5);
    const records = await this.#from(put.shard, {
      ShardIteratorType: after ? 'AFTER_SEQUENCE_NUMBER' : 'AT_SEQUENCE_NUMBER',
      StartingSequenceNumber: String(put.number),
    });
    const expected = this.#puts.filter(
      ({ shard, number }) => shard === put.shard && (after ? number > put.number : number >= put.number),
    );
    assert.deepEqual(valuesOf(records), valuesOf(byNumber(expected)));
    this.#runs.push({ shard: put.shard, records });
  }

  async #readAtTime(): Promise<void> {
    const nowMs = this.#kinesis.clock.nowMs();
    const fromMs = nowMs - this.#random.below(Math.min(nowMs - this.#keptFromMs(), 20 * HOUR_MS));
    const { id } = this.#random.pick(await this.#listed());
    const records = await this.#from(id, {
      ShardIteratorType: 'AT_TIMESTAMP',
      Timestamp: new Date(fromMs),
    });
    const expected = this.#puts.filter(({ shard, arrivalMs }) => shard === id && arrivalMs >= fromMs);
    assert.deepEqual(valuesOf(records), valuesOf(byNumber(expected)));
  }

  async #readAll(): Promise<void> {
    for (const { id } of await this.#listed()) {
      const keptFromMs = this.#keptFromMs();
      const records = await this.#from(id, {});
      const hiddenBeforeMs = this.#kinesis.clock.nowMs() - this.#retentionHours * HOUR_MS;
      const values = new Set(valuesOf(records));
      for (const put of this.#puts)
        assert.ok(put.arrivalMs >= hiddenBeforeMs || !values.has(put.value), `${put.value} has expired`);
      this.#runs.push({ shard: id, records, complete: { keptFromMs, at: this.#moment } });
    }
  }

  async #from(shard: string, start: Parameters<Kinesis['iterator']>[1]): Promise<SeenRecord[]> {
    const records: SeenRecord[] = [];
    let token: string | undefined = await this.#kinesis.iterator(NAME, { ShardId: shard, ...start });
    while (token !== undefined) {
      const page: GetRecordsCommandOutput = await this.#kinesis.get(token);
      records.push(...recordsOf(page));
      if (page.NextShardIterator !== undefined && page.Records!.length === 0) {
        assert.equal(page.MillisBehindLatest, 0);
        break;
      }
      token = page.NextShardIterator;
    }
    return records;
  }

  /** Retention was never shorter, in this run's life, than its least. */
  #keptFromMs(): number {
    return this.#kinesis.clock.nowMs() - 24 * HOUR_MS;
  }

  #kept(shard: string): AcknowledgedPut[] {
    return this.#puts.filter((put) => put.shard === shard && put.arrivalMs >= this.#keptFromMs());
  }

  #open(): ModelShard[] {
    return this.#shards.filter(({ closed }) => !closed).sort((a, b) => (a.start < b.start ? -1 : 1));
  }

  #openShardOf(key: string): ModelShard {
    const hash = BigInt(`0x${createHash('md5').update(key).digest('hex')}`);
    return this.#open().find(({ start, end }) => hash >= start && hash <= end)!;
  }

  #add(shard: Omit<ModelShard, 'id' | 'closed'>): void {
    const id = `shardId-${String(this.#shards.length).padStart(12, '0')}`;
    this.#shards.push({ ...shard, id, closed: false });
  }
}

const recordsOf = (page: GetRecordsCommandOutput): SeenRecord[] =>
  page.Records!.map((record) => ({
    number: BigInt(record.SequenceNumber!),
    key: record.PartitionKey!,
    value: Buffer.from(record.Data!).toString(),
  }));
const valuesOf = (records: readonly SeenRecord[]): string[] => records.map(({ value }) => value);
const byNumber = (puts: readonly AcknowledgedPut[]): AcknowledgedPut[] =>
  [...puts].sort((a, b) => (a.number < b.number ? -1 : 1));

for (let seed = 1; seed <= SEEDS; seed++)
  test(`the stream does what the model does, seed ${seed}`, { timeout: 60_000 }, async () => {
    const kinesis = await openKinesis({ streamsLimits: { segmentBytesMax: 4_000, roomBytes: 512 } });
    try {
      await new Run(kinesis, seed).run();
    } finally {
      readOn();
      await kinesis.close();
    }
  });
