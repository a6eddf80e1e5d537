/**
 * Writers that append to one table over a store that loses replies, applies puts late, throttles, fills up, lists
 * stale names and answers slowly; some of them crash, or are taken for dead and go on beside their successor.
 *
 * Oracle, once everything that was under way has come to an end:
 * - the log has every version from 0 on, and an acknowledged commit is at the version that was acknowledged;
 * - every file that a commit names is there;
 * - a batch sent with a txn until it was acknowledged is there once, whole, however often it was sent;
 * - a batch sent once without a txn is there whole, or, if it was not acknowledged, not at all;
 * - the table reads the same with its checkpoints and without them.
 */
import { assert } from '../errors.ts';
import { commitName } from '../log/log-paths.ts';
import type { ListedObject, ObjectStore } from '../store/object-store.ts';
import { DeltaTable } from '../table.ts';
import { type Fault, FaultyStore, type StoreCall } from './faulty-store.ts';
import { readJsonRows } from './json-engine.ts';
import { MemoryStore } from './memory-store.ts';
import { inMemory, steppingClock } from './table-fixture.ts';
import { randomFrom } from './random.ts';

/** What the oracle must notice: a store that lets the last put win, batches sent again without a txn. */
export type PlantedBug = 'last-put-wins' | 'no-txn';

export interface SimulationResult {
  /** What happened, in order: the same for the same seed. */
  readonly trace: readonly string[];
  readonly faults: ReadonlyMap<Fault, number>;
  readonly versions: number;
}

const WRITERS = 3;
const BATCHES_PER_WRITER = 8;
const ROWS_PER_BATCH = 2;
const FAULT_RATES = [0, 0.03, 0.12, 0.3];
/** Calls of one process that fail in a row when the store is out of its reach. */
const OUTAGE_CALLS = 16;
/** Attempts after which a writer meets no more faults, so that every run ends. */
const FAULTY_ATTEMPTS_MAX = 30;
const ATTEMPTS_MAX = 100;

/** Throws an AssertionFailure that names the seed when the oracle is contradicted. */
export async function simulateCommitLoop(seed: number, bug?: PlantedBug): Promise<SimulationResult> {
  const world = new World(seed, bug);
  try {
    await world.run();
    await world.check();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${why}\n${world.trace.slice(-40).join('\n')}`, { cause: error });
  }
  return { trace: world.trace, faults: world.faults, versions: world.versions };
}

interface Batch {
  readonly name: string;
  readonly hasTxn: boolean;
  isAcknowledged: boolean;
}

class World {
  readonly trace: string[] = [];
  readonly faults = new Map<Fault, number>();
  versions = 0;
  readonly #random: () => number;
  readonly #bug: PlantedBug | undefined;
  readonly #disk: ObjectStore;
  readonly #options: ReturnType<typeof inMemory>;
  readonly #batches: Batch[] = [];
  readonly #committed = new Map<number, string>();
  readonly #doubled: string[] = [];
  readonly #stores: FaultyStore[] = [];
  /** Appends that no one waits for any more. */
  readonly #zombies: Promise<unknown>[] = [];
  readonly #faultRate: number;
  #names = 0;

  constructor(seed: number, bug: PlantedBug | undefined) {
    this.#random = randomFrom(seed);
    this.#bug = bug;
    this.#faultRate = FAULT_RATES[Math.floor(this.#random() * FAULT_RATES.length)] ?? 0;
    const now = steppingClock();
    const disk = new MemoryStore({ now });
    this.#disk = bug === 'last-put-wins' ? lastPutWins(disk) : disk;
    this.#options = inMemory({
      store: this.#disk,
      now,
      properties: { 'delta.checkpointInterval': '5' },
      uuid: () => `name-${(this.#names += 1)}`,
    });
  }

  async run(): Promise<void> {
    await DeltaTable.create(this.#options);
    await Promise.all(Array.from({ length: WRITERS }, (_, at) => this.#write(`writer-${at}`)));
    await this.#settle();
  }

  async check(): Promise<void> {
    assert(this.#doubled.length === 0, this.#doubled.join('; '));
    const versions = await this.#logVersions();
    this.versions = versions.length;
    assert(
      versions.every((version, at) => version === at),
      `the log has the versions ${versions.join()}`,
    );
    for (const [version, batch] of this.#committed) {
      const bytes = await this.#disk.read(`db/t/_delta_log/${commitName(version)}`);
      assert(
        Buffer.from(bytes).toString().includes(`"userMetadata":"${batch}"`),
        `version ${version} was acknowledged to ${batch}, and is another's`,
      );
    }
    const counts = await this.#rowsByBatch();
    for (const batch of this.#batches) {
      const found = counts.get(batch.name) ?? 0;
      const isFine = found === ROWS_PER_BATCH || (found === 0 && !batch.isAcknowledged);
      assert(isFine, `${batch.name}: ${found} rows of ${ROWS_PER_BATCH}`);
      counts.delete(batch.name);
    }
    assert(counts.size === 0, `rows that no one sent: ${[...counts.keys()].join()}`);
    await this.#checkWithoutCheckpoints();
  }

  /** One application: its batches one after another, over as many processes as it takes. */
  async #write(writer: string): Promise<void> {
    let table: DeltaTable | undefined;
    for (let number = 1; number <= BATCHES_PER_WRITER; number += 1) {
      const hasTxn = this.#random() < 0.8;
      const batch = { name: `${writer}/${number}`, hasTxn, isAcknowledged: false };
      this.#batches.push(batch);
      for (let attempt = 1; !batch.isAcknowledged; attempt += 1) {
        assert(attempt <= ATTEMPTS_MAX, `${batch.name} does not get through`);
        const isFaulty = attempt <= FAULTY_ATTEMPTS_MAX;
        table ??= await this.#open(isFaulty);
        if (table !== undefined && this.#random() < 0.1) await this.#setProperties(table, batch);
        const wasSent = table === undefined ? false : await this.#send(table, batch, number);
        // Taken for dead: a new process takes over, while the old one may still be at it.
        if (!wasSent || this.#random() < 0.3) table = undefined;
        if (wasSent && !batch.hasTxn) break;
      }
    }
  }

  async #open(isFaulty: boolean): Promise<DeltaTable | undefined> {
    const health = { outageCalls: 0 };
    const store = new FaultyStore(this.#disk, (call) => {
      return isFaulty ? this.#faultFor(call, health) : undefined;
    });
    this.#stores.push(store);
    try {
      return await DeltaTable.open({ ...this.#options, store });
    } catch (error) {
      this.trace.push(`open: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Something for others to be in conflict with. */
  async #setProperties(table: DeltaTable, { name }: Batch): Promise<void> {
    await table.alter.setProperties({ 'last-writer': name }).then(
      (result) => this.trace.push(`properties by ${name}: ${result.kind} ${result.version}`),
      (error: unknown) => this.trace.push(`properties by ${name}: ${messageOf(error)}`),
    );
  }

  /** Whether the append was sent at all; the batch is acknowledged if it is known to be in the table. */
  async #send(table: DeltaTable, batch: Batch, number: number): Promise<boolean> {
    const [appId = ''] = batch.name.split('/');
    const sending = table.append({
      source: {
        kind: 'rows',
        rows: Array.from({ length: ROWS_PER_BATCH }, (_, id) => ({ id, name: batch.name })),
      },
      userMetadata: batch.name,
      ...(batch.hasTxn && this.#bug !== 'no-txn' ? { txns: [{ appId, version: number }] } : {}),
    });
    const acknowledged = sending.then(
      (result) => {
        this.trace.push(`${batch.name}: ${result.kind} ${result.version}`);
        batch.isAcknowledged = true;
        if (result.kind === 'already-committed') return;
        const other = this.#committed.get(result.version);
        if (other === undefined) this.#committed.set(result.version, batch.name);
        else this.#doubled.push(`version ${result.version} was acknowledged to ${other} and ${batch.name}`);
      },
      (error: unknown) => void this.trace.push(`${batch.name}: ${messageOf(error)}`),
    );
    this.#zombies.push(acknowledged);
    if (this.#random() < 0.15) await turns(Math.floor(this.#random() * 60));
    else await acknowledged;
    return true;
  }

  #faultFor(call: StoreCall, health: { outageCalls: number }): Fault | undefined {
    if (this.#random() < 0.05) this.#applyLate();
    if (health.outageCalls > 0) {
      health.outageCalls -= 1;
      return this.#met(isPut(call) && this.#random() < 0.3 ? 'late' : 'refuse', call);
    }
    if (this.#random() >= this.#faultRate) return undefined;
    if (this.#random() < 0.1) health.outageCalls = OUTAGE_CALLS;
    return this.#met(
      this.#pick(call.verb === 'list' ? LIST_FAULTS : isPut(call) ? PUT_FAULTS : READ_FAULTS),
      call,
    );
  }

  #met(fault: Fault, call: StoreCall): Fault {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + 1);
    this.trace.push(`${fault}: ${call.verb} ${call.path}`);
    return fault;
  }

  #pick(faults: readonly Fault[]): Fault {
    return faults[Math.floor(this.#random() * faults.length)] ?? 'refuse';
  }

  #applyLate(): void {
    const waiting = this.#stores.filter((store) => store.lateCount > 0);
    const store = waiting[Math.floor(this.#random() * waiting.length)];
    if (store === undefined) return;
    this.trace.push('a late put arrives');
    this.#zombies.push(store.applyLate(1));
  }

  async #settle(): Promise<void> {
    for (let settled = 0; settled < this.#zombies.length; settled += 1) await this.#zombies[settled];
    for (const store of this.#stores) await store.applyLate();
  }

  async #logVersions(): Promise<number[]> {
    const versions: number[] = [];
    for await (const { path } of this.#disk.list('db/t/_delta_log/')) {
      const version = /\/(\d{20})\.json$/.exec(path)?.[1];
      if (version !== undefined) versions.push(Number(version));
    }
    return versions;
  }

  /** Reads every file that the table names. */
  async #rowsByBatch(): Promise<Map<unknown, number>> {
    const table = await DeltaTable.open(this.#options);
    const counts = new Map<unknown, number>();
    for (const { name } of await readJsonRows(this.#options, await table.snapshot())) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  async #checkWithoutCheckpoints(): Promise<void> {
    const before = await this.#rowsByBatch();
    const derived: string[] = [];
    for await (const { path } of this.#disk.list('db/t/_delta_log/')) {
      if (!/\/\d{20}\.json$/.test(path)) derived.push(path);
    }
    for (const path of derived) await this.#disk.delete(path);
    const after = await this.#rowsByBatch();
    const isSame =
      before.size === after.size && [...before].every(([name, count]) => after.get(name) === count);
    assert(isSame, 'the table reads otherwise without its checkpoints');
  }
}

const READ_FAULTS: readonly Fault[] = ['refuse', 'throttle', 'lose-reply', 'slow'];
const LIST_FAULTS: readonly Fault[] = ['refuse', 'throttle', 'slow', 'stale'];
const PUT_FAULTS: readonly Fault[] = ['refuse', 'throttle', 'full', 'lose-reply', 'late', 'late', 'slow'];

function isPut({ verb }: StoreCall): boolean {
  return verb === 'put' || verb === 'putIfAbsent';
}

/** A store whose conditional puts are none. */
function lastPutWins(inner: MemoryStore): ObjectStore {
  return {
    read: (path, range) => inner.read(path, range),
    head: (path) => inner.head(path),
    put: (path, bytes) => inner.put(path, bytes),
    list: (prefix, options): AsyncIterable<ListedObject> => inner.list(prefix, options),
    delete: (path) => inner.delete(path),
    async putIfAbsent(path, bytes) {
      await inner.put(path, bytes);
      return 'created';
    },
  };
}

async function turns(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) await Promise.resolve();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
