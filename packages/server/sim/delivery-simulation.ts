/**
 * Streams, delivery and Delta's commits over a simulated disk, clock and object store: faults, changes of the table's
 * rules, and crashes at any moment, those during a recovery included.
 *
 * Oracle: every acknowledged record is exactly once, and whole, in the table or in the rejected table, and the rows of
 * a shard, and those of a key across splits and merges, follow one another in their order from version to version; a
 * record that was not acknowledged is there once or not at all.
 */
import assert from 'node:assert/strict';
import { DeltaTable } from '@sluice/delta';
import { JsonEngine, readJsonRows } from '@sluice/delta/testing';
import { SeededRandom } from '../src/adapters/sim/index.ts';
import { aggregate } from '@sluice/sdk/aggregated-record';
import { createCatalog, createDeltaTables, type Catalog } from '../src/modules/catalog/index.ts';
import { createDelivery, type Delivery } from '../src/modules/delivery/index.ts';
import { createStreams, type RecordRun, type Streams } from '../src/modules/streams/index.ts';
import type { Logger, Metrics } from '../src/ports/observe.ts';
import type { MetaStore } from '../src/ports/meta-store.ts';
import type { RowWriter } from '../src/ports/row-writer.ts';
import { DeliveryWorld } from './delivery-world.ts';
import { simulate } from './world.ts';

const STEPS = 400;
const HOUR_MS = 3_600_000;
/** Beyond it shards are merged. */
const OPEN_SHARDS_MAX = 6;
const RESTART_ATTEMPTS_MAX = 50;
const DELIVER_ROUNDS_MAX = 500;
const POLICIES = ['ignore', 'reject', 'evolve'] as const;
const COLUMNS = [
  { name: 'rec', type: 'string' },
  { name: 'part', type: 'int' },
  { name: 'parts', type: 'int' },
];
/** Small, so that batches are many and their bounds are met. */
const LIMITS = {
  batchRecordsMax: 12,
  readRecordsMax: 5,
  readBytesMax: 400,
  inFlightBytesMax: 600,
  bufferedBytesMax: 2_000,
  drainMsMax: 2_000,
};
/** Room of the usual size would have the simulated disk copy a mebibyte for each group. */
const STREAMS_LIMITS = { roomBytes: 4_096 };

const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger };
const metrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
};

/** Bugs that the oracle must find. */
export type PlantedBug =
  | 'rows-without-txn'
  | 'rejects-without-txn'
  | 'children-before-parents'
  | 'parts-forgotten';

export async function simulateDelivery(seed: number, bug?: PlantedBug): Promise<readonly string[]> {
  const world = new DeliveryWorld(seed);
  return simulate(world, (meta) => new Run(world, meta, bug).run());
}

interface Process {
  readonly streams: Streams & { close(): Promise<void> };
  readonly catalog: Catalog;
  readonly delivery: Delivery & { close(): Promise<void> };
}

class Run {
  readonly #world: DeliveryWorld;
  readonly #meta: MetaStore;
  readonly #bug: PlantedBug | undefined;
  /** Names of records by whether they were acknowledged. */
  readonly #records = new Map<string, { acknowledged: boolean; direct: boolean; key: string }>();
  #process!: Process;
  #count = 0;
  /** Retention may have removed records of the stream before their delivery. */
  #expired = false;

  constructor(world: DeliveryWorld, meta: MetaStore, bug: PlantedBug | undefined) {
    this.#world = world;
    this.#meta = meta;
    this.#bug = bug;
  }

  async run(): Promise<void> {
    await this.#start();
    await this.#world.drive(this.#setUp());
    for (let step = 0; step < STEPS; step++) await this.#act();
    Object.assign(this.#world.faults, { refuse: 0, loseReply: 0, staleList: 0 });
    this.#world.crash('power');
    await this.#world.settle();
    await this.#start();
    await this.#check({ complete: true });
    await this.#world.drive(this.#process.delivery.close());
    await this.#world.drive(this.#process.streams.close());
  }

  async #setUp(): Promise<void> {
    const { streams, catalog, delivery } = this.#process;
    await streams.create({ name: 'source', shardCount: 3, mode: 'PROVISIONED' });
    await catalog.createDatabase({ name: 'db' });
    await this.#createTable('events');
    const destination = { database: 'db', table: 'events', bufferingSizeMiB: 1, passthrough: {} };
    await delivery.create({
      name: 'from-stream',
      source: { kind: 'stream', stream: 'source' },
      destination: { ...destination, bufferingIntervalSeconds: this.#world.random.pick([0, 2]) },
    });
    await delivery.create({
      name: 'direct',
      source: { kind: 'direct' },
      destination: { ...destination, bufferingIntervalSeconds: this.#world.random.pick([0, 1]) },
    });
  }

  async #createTable(name: string): Promise<void> {
    const { catalog } = this.#process;
    await catalog.createTable('db', {
      name,
      columns: COLUMNS,
      partitionKeys: [],
      parameters: { table_type: 'DELTA' },
    });
  }

  async #act(): Promise<void> {
    const { random, clock } = this.#world;
    const dice = random.below(1_000);
    if (dice < 160) this.#put();
    else if (dice < 172) this.#reshard();
    else if (dice < 900) await this.#world.step();
    else if (dice < 950) clock.advance(random.below(1_500));
    else if (dice < 965) this.#changePolicy();
    else if (dice < 975) this.#changeFaults();
    else if (dice < 977) this.#passTime();
    else if (dice < 984) await this.#restart();
    else await this.#crash();
    await this.#world.settle();
  }

  #put(): void {
    const { random } = this.#world;
    const direct = random.chance(0.3);
    const names = Array.from({ length: 1 + random.below(5) }, () => `r${++this.#count}`);
    const payloads = names.map((name) => Buffer.from(this.#payload(name)));
    const keys = names.map(() => `key-${random.below(8)}`);
    // One record of the stream that holds all of them: they share its fate in the stream, and not in the table.
    const together = random.chance(0.3);
    if (together) keys.fill(keys[0]!);
    for (const [at, name] of names.entries())
      this.#records.set(name, { acknowledged: false, direct, key: keys[at]! });
    const data = together
      ? [aggregate(payloads.map((payload, at) => ({ partitionKey: `user-${at}`, data: payload })))]
      : payloads;
    const partitionKeys = together ? keys.slice(0, 1) : keys;
    const { streams, delivery } = this.#process;
    const { life } = this.#world;
    const put: Promise<unknown> = direct
      ? delivery.put('direct', data)
      : streams.append('source', { partitionKeys, data });
    put.then(
      () => {
        if (life !== this.#world.life) return;
        this.#world.note(`acknowledged ${names.join(' ')}`);
        for (const name of names) this.#records.get(name)!.acknowledged = true;
      },
      () => {},
    );
  }

  #reshard(): void {
    const { random } = this.#world;
    const { streams } = this.#process;
    const open = streams
      .describe('source')
      .shards.filter(({ closedMs }) => closedMs === undefined)
      .sort((a, b) => (a.hashKeyStart < b.hashKeyStart ? -1 : 1));
    const at = random.below(open.length);
    const [shard, next] = [open[at]!, open[at + 1]];
    const change =
      next !== undefined && (open.length > OPEN_SHARDS_MAX || random.chance(0.5))
        ? streams.merge('source', { lower: shard.shardId, upper: next.shardId })
        : streams.split('source', shard.shardId, (shard.hashKeyStart + shard.hashKeyEnd) / 2n);
    change.then(
      () => this.#world.note('resharded'),
      () => {},
    );
  }

  /** Good ones, bad ones, and ones whose fate depends on the table's rules of the moment. */
  #payload(name: string): string {
    const { random } = this.#world;
    const dice = random.below(10);
    if (dice === 0) return `{"rec":"${name}",`;
    if (dice === 1) return `{"rec":"${name}","part":0,"parts":2}{"rec":"${name}","part":"x","parts":2}`;
    if (dice === 2)
      return `{"rec":"${name}","part":0,"parts":1,"more${random.below(4)}":${random.pick(['1', '"x"'])}}`;
    if (dice === 3) return `{"rec":"${name}","part":0,"parts":1,"stranger":null}`;
    const parts = 1 + random.below(3);
    return Array.from(
      { length: parts },
      (_, part) => `{"rec":"${name}","part":${part},"PARTS":"${parts}"}`,
    ).join('');
  }

  #changePolicy(): void {
    const policy = this.#world.random.pick(POLICIES);
    this.#world.note(`unknown fields: ${policy}`);
    const { catalog } = this.#process;
    catalog
      .table('db', 'events')
      .then((table) =>
        catalog.updateTable('db', {
          ...table,
          parameters: { ...table.parameters, 'sluice.unknown-fields': policy },
        }),
      )
      .catch(() => {});
  }

  #changeFaults(): void {
    const { random, faults } = this.#world;
    const calm = random.chance(0.5);
    Object.assign(faults, {
      refuse: calm ? 0 : random.pick([0.02, 0.1, 0.3]),
      loseReply: calm ? 0 : random.pick([0.02, 0.1, 0.3]),
      staleList: calm ? 0 : 0.5,
    });
    this.#world.note(`faults ${JSON.stringify(faults)}`);
  }

  /** More than retention: what direct puts hold must stay. */
  #passTime(): void {
    this.#world.note('a day goes by');
    this.#expired = true;
    this.#world.clock.advance(25 * HOUR_MS);
  }

  async #restart(): Promise<void> {
    this.#world.note('restart');
    await this.#world.drive(this.#process.delivery.close());
    await this.#world.drive(this.#process.streams.close());
    this.#world.life++;
    this.#world.clock.dropTimers();
    await this.#start();
  }

  async #crash(): Promise<void> {
    this.#world.crash(this.#world.random.chance(0.5) ? 'kill' : 'power');
    await this.#world.settle();
    await this.#start();
    await this.#check({ complete: false });
  }

  /** Starts a process, which may crash while it recovers. */
  async #start(): Promise<void> {
    for (let attempt = 0; attempt < RESTART_ATTEMPTS_MAX; attempt++) {
      const opening = this.#open().then(
        (process) => ({ process }),
        (error: unknown) => ({ error }),
      );
      const recovery = { ended: false };
      void opening.then(() => (recovery.ended = true));
      let crashed = false;
      const crashes = attempt < RESTART_ATTEMPTS_MAX / 2 && this.#world.random.chance(0.2);
      for (let steps = crashes ? this.#world.random.below(40) : -1; steps >= 0 && !recovery.ended; steps--) {
        await this.#world.step();
        crashed = steps === 0 && !recovery.ended;
      }
      if (crashed) {
        this.#world.crash(this.#world.random.chance(0.5) ? 'kill' : 'power');
        await this.#world.settle();
        continue;
      }
      const opened = await this.#world.drive(opening);
      if ('process' in opened) {
        this.#process = opened.process;
        return;
      }
      throw opened.error;
    }
    throw new Error('it never starts');
  }

  async #open(): Promise<Process> {
    const world = this.#world;
    const { clock, disk } = world;
    const random = new SeededRandom(world.random.word());
    const { writer, readFile } = world.rowWriter();
    const engine = new JsonEngine({ readFile });
    const tables = createDeltaTables({
      engine,
      storeFor: (root) => world.storeFor(root),
      clock,
      random,
      logger,
    });
    const meta = this.#meta;
    const catalog = await createCatalog({ meta, clock, logger, dataDirectory: '/data/lake', tables });
    const streams = await createStreams({
      disk: disk.attach(),
      directory: '/data/streams',
      meta: world.metaOf(meta),
      clock,
      random,
      logger,
      metrics,
      limits: STREAMS_LIMITS,
    });
    const seen = this.#bug?.endsWith('without-txn') ? withBug(catalog, this.#bug) : catalog;
    const delivery = await createDelivery({
      meta,
      streams: this.#bug === 'children-before-parents' ? withoutLineage(streams) : streams,
      catalog: seen,
      clock,
      random,
      logger,
      metrics,
      writer: this.#bug === 'parts-forgotten' ? forgettingParts(writer) : writer,
      limits: LIMITS,
    });
    return { streams, catalog, delivery };
  }

  async #check({ complete }: { complete: boolean }): Promise<void> {
    if (complete) await this.#deliverAll();
    const delivered = await this.#rowsOf('events');
    const rejected = await this.#rowsOf('events_rejected');
    const places = new Map<string, string[]>();
    const put = (name: string, place: string) => places.set(name, [...(places.get(name) ?? []), place]);
    const parts = new Map<string, number[]>();
    for (const row of delivered) {
      const name = String(row['rec']);
      parts.set(name, [...(parts.get(name) ?? []), Number(row['part'])]);
      const count = Number(row['parts'] ?? 0);
      if (parts.get(name)!.length === count) put(name, 'table');
    }
    for (const [name, found] of parts) {
      assert.ok(places.has(name), `${name} is in the table in part: ${found.join()}`);
      assert.deepEqual(found, [...found.keys()], `parts of ${name}`);
    }
    for (const row of rejected) put(/r\d+/.exec(String(row['data']))![0], 'rejected');
    for (const [name, where] of places) {
      assert.ok(this.#records.has(name), `${name} was never put`);
      assert.equal(where.length, 1, `${name} is in ${where.join(' and ')}`);
    }
    this.#world.note(`${delivered.length} rows, ${rejected.length} rejected`);
    if (rejected.some((row) => Number(row['sub_sequence_number'] ?? 0) > 0))
      this.#world.note('part of an aggregated record is rejected');
    if (!complete) return;
    for (const [name, { acknowledged, direct }] of this.#records)
      if (acknowledged && (direct || !this.#expired))
        assert.ok(places.has(name), `${name} was acknowledged and is nowhere`);
    await this.#checkOrder(delivered.map((row) => String(row['rec'])));
  }

  async #deliverAll(): Promise<void> {
    for (let round = 1; round <= DELIVER_ROUNDS_MAX; round++) {
      const progress = await this.#world.drive(this.#process.delivery.progress());
      if (progress.every((each) => each.lagRecords === 0)) return;
      for (let steps = 0; steps < 100; steps++)
        if (!(await this.#world.step())) this.#world.clock.advance(this.#world.clock.untilNextMs() ?? 1);
      if (round % 10 === 0) await this.#check({ complete: false });
    }
    throw new Error('it never delivers all');
  }

  /** The table holds the records of each shard in the order of their offsets. */
  async #checkOrder(delivered: readonly string[]): Promise<void> {
    const { streams, delivery } = this.#process;
    const { id } = await delivery.describe('direct');
    const positions = new Map<string, { uid: number; offset: number }>();
    for (const stream of ['source', `sluice.delivery.${id}`])
      for (const shard of streams.describe(stream).shards)
        for (let next = shard.trimOffset; next < shard.nextOffset;) {
          const { runs, nextOffset } = await this.#world.drive(
            streams.read(shard, next, { recordsMax: 1_000, bytesMax: 1_000_000 }),
          );
          for (const run of runs)
            namesIn(run).forEach((names, at) => {
              for (const name of names) positions.set(name, { uid: shard.uid, offset: run.firstOffset + at });
            });
          next = nextOffset;
        }
    const last = new Map<number, number>();
    // A key's later records are in the later shards of its lineage.
    const lastOfKey = new Map<string, number>();
    for (const name of delivered) {
      const position = positions.get(name);
      if (position === undefined) continue;
      const { uid, offset } = position;
      assert.ok(offset >= (last.get(uid) ?? -1), `${name} of shard ${uid} is out of order`);
      last.set(uid, offset);
      const { key, direct } = this.#records.get(name)!;
      if (direct) continue;
      assert.ok(uid >= (lastOfKey.get(key) ?? 0), `${name} of shard ${uid} is out of the order of ${key}`);
      lastOfKey.set(key, uid);
    }
  }

  async #rowsOf(table: string): Promise<Record<string, unknown>[]> {
    const root = `/data/lake/db/${table}`;
    const store = this.#world.contentOf(root);
    let log: DeltaTable;
    try {
      log = await DeltaTable.open({ store, engine: new JsonEngine(), root: '', now: () => 0 });
    } catch {
      return [];
    }
    return readJsonRows({ store, root: '' }, await log.snapshot());
  }
}

/** Names in each record of a run, in order. */
function namesIn({ bytes, bounds, count }: RecordRun): string[][] {
  return Array.from({ length: count }, (_, at) => [
    ...new Set(bytes.toString('latin1', bounds[at * 2 + 1], bounds[at * 2 + 2]).match(/(?<="rec":")r\d+/g)),
  ]);
}

/** A writer that isn't told which parts of aggregated records an earlier attempt rejected. */
function forgettingParts(writer: RowWriter): RowWriter {
  const open: RowWriter['open'] = (request) =>
    writer.open({
      ...request,
      decided: request.decided.map(({ uid, to, rejected }) => ({ uid, to, rejected })),
    });
  return { open, close: () => writer.close() };
}

/** Streams whose shards seem to have no parents. */
function withoutLineage(streams: Streams): Streams {
  return new Proxy(streams, {
    get(target, key) {
      const member = Reflect.get(target, key) as unknown;
      if (key === 'describe')
        return (name: string) => {
          const description = target.describe(name);
          const orphaned = { parentShardId: undefined, adjacentParentShardId: undefined };
          return { ...description, shards: description.shards.map((shard) => ({ ...shard, ...orphaned })) };
        };
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}

function withBug(catalog: Catalog, bug: PlantedBug): Catalog {
  return new Proxy(catalog, {
    get(target, key) {
      if (key !== 'open') {
        const member = Reflect.get(target, key) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      }
      return async (database: string, name: string) => {
        const open = await target.open(database, name);
        if ((bug === 'rejects-without-txn') !== name.endsWith('_rejected')) return open;
        const append: DeltaTable['append'] = (options) => open.delta.append({ ...options, txns: [] });
        return { ...open, delta: { append } as DeltaTable };
      };
    },
  });
}
