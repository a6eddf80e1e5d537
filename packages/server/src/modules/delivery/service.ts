/** Deliveries by name: definitions, direct puts and their life; the work itself is in `runner.ts`. SPEC.md has the rules. */
import type { Clock } from '../../ports/clock.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import type { Random } from '../../ports/random.ts';
import type { RowWriter } from '../../ports/row-writer.ts';
import type { Catalog } from '../catalog/index.ts';
import type { Appended, RecordsIn, Streams } from '../streams/index.ts';
import type {
  CreateDelivery,
  Delivery,
  DeliveryChange,
  DeliveryDescription,
  DeliveryProgress,
  Destination,
} from './api.ts';
import { Budget } from './budget.ts';
import { codeOf, deliveryError, messageOf, notFound } from './errors.ts';
import { DEFAULT_LIMITS, INTERVAL_SECONDS_MAX, SIZE_MIB_MAX, type DeliveryLimits } from './limits.ts';
import { deliveryMetrics } from './metrics.ts';
import { DeliveryRunner, type RunnerOptions } from './runner.ts';
import { DeliveryStore, type Definition } from './store.ts';

export interface DeliveryOptions {
  readonly meta: MetaStore;
  readonly streams: Streams;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Closed by its owner, after this. */
  readonly writer: RowWriter;
  readonly limits?: Partial<DeliveryLimits>;
}

const NAME = /^[a-zA-Z0-9_.-]{1,64}$/;
/** Direct puts have no key of their own. */
const DIRECT_KEY = 'direct';
const INTERNAL_PREFIX = 'sluice.delivery.';

/**
 * Loads the definitions, repairs the internal streams that a crash left unmade, and starts every delivery. `close`
 * delivers what is buffered within `drainMsMax`; the rest is still in the streams.
 */
export async function createDelivery(
  options: DeliveryOptions,
): Promise<Delivery & { close(): Promise<void> }> {
  const store = await DeliveryStore.open(options.meta);
  const service = new DeliveryService(options, store);
  await service.open(await store.all());
  return service;
}

interface Entry {
  runner: DeliveryRunner;
  /** Why puts are refused for now. */
  closing: boolean;
  /** Changes of one delivery run one after another. */
  changes: Promise<unknown>;
}

class DeliveryService implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #limits: DeliveryLimits;
  readonly #store: DeliveryStore;
  readonly #shared: Omit<RunnerOptions, 'source'>;
  readonly #entries = new Map<string, Entry>();
  /** Names that are being created. */
  readonly #creating = new Set<string>();
  #closed = false;

  constructor(options: DeliveryOptions, store: DeliveryStore) {
    this.#options = options;
    this.#store = store;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#shared = {
      ...options,
      store,
      metrics: deliveryMetrics(options.metrics),
      budget: new Budget(this.#limits.bufferedBytesMax),
      limits: this.#limits,
    };
  }

  async open(definitions: readonly Definition[]): Promise<void> {
    for (const definition of definitions) {
      if (definition.source.kind === 'direct') await this.#ensureInternal(definition);
      this.#start(definition);
    }
  }

  async create(input: CreateDelivery): Promise<DeliveryDescription> {
    const { name, destination } = input;
    if (!NAME.test(name))
      throw deliveryError(
        'invalid',
        `"${name}" is no name of a delivery: 1 to 64 letters, digits, "_", "." and "-"`,
      );
    checkBuffering(destination);
    if (this.#entries.has(name) || this.#creating.has(name))
      throw deliveryError('delivery-exists', `there is a delivery "${name}" already`);
    if (this.#entries.size + this.#creating.size >= this.#limits.deliveriesMax)
      throw deliveryError('overloaded', `there are ${this.#limits.deliveriesMax} deliveries already`);
    this.#creating.add(name);
    try {
      await this.#checkTable(destination);
      const nowMs = this.#options.clock.nowMs();
      const definition: Definition = {
        ...input,
        id: this.#options.random.uuid(),
        versionId: 1,
        createdMs: nowMs,
        updatedMs: nowMs,
        startOffsets: this.#startOffsets(input.source),
      };
      await storing(() => this.#store.insert(definition));
      // From here on the definition is durable, and the next start makes what a crash leaves unmade.
      if (definition.source.kind === 'direct') {
        try {
          await this.#ensureInternal(definition);
        } catch (error) {
          await this.#store.remove(definition.id);
          throw fromStreams(error, name);
        }
      }
      this.#start(definition);
      return describe(this.#entry(name));
    } finally {
      this.#creating.delete(name);
    }
  }

  // oxlint-disable-next-line typescript/require-await
  async describe(name: string): Promise<DeliveryDescription> {
    return describe(this.#entry(name));
  }

  // oxlint-disable-next-line typescript/require-await
  async list(page: {
    readonly startAfter?: string;
    readonly limit: number;
  }): Promise<{ names: string[]; more: boolean }> {
    const { startAfter, limit } = page;
    const names = [...this.#entries.keys()]
      .filter((name) => startAfter === undefined || name > startAfter)
      .sort();
    return { names: names.slice(0, limit), more: names.length > limit };
  }

  delete(name: string): Promise<void> {
    return this.#changing(name, async (entry) => {
      const { runner } = entry;
      const { source } = runner.definition;
      entry.closing = true;
      if (source.kind === 'direct' && !(await runner.drain(this.#limits.drainMsMax))) {
        entry.closing = false;
        throw deliveryError('in-use', `"${name}" holds puts that could not be delivered${because(runner)}`, {
          hint: 'Remove the cause, or wait until they are delivered, and delete it then.',
          retry: 'backoff',
        });
      }
      await runner.stop(this.#limits.drainMsMax);
      try {
        if (source.kind === 'direct')
          await this.#options.streams.delete(internalName(runner.definition)).catch(ignoreAbsent);
        await storing(() => this.#store.remove(runner.definition.id));
      } catch (error) {
        this.#start(runner.definition);
        throw fromStreams(error, name);
      }
      this.#entries.delete(name);
    });
  }

  update(name: string, change: DeliveryChange): Promise<DeliveryDescription> {
    return this.#changing(name, async (entry) => {
      const before = entry.runner.definition;
      if (change.expectedVersionId !== String(before.versionId))
        throw deliveryError(
          'version-mismatch',
          `"${name}" has version ${before.versionId}, not ${change.expectedVersionId}`,
          { hint: 'Describe it and repeat the change on its present version.' },
        );
      const destination = { ...before.destination, ...change.destination };
      checkBuffering(destination);
      const moves =
        destination.database !== before.destination.database ||
        destination.table !== before.destination.table;
      const definition = {
        ...before,
        destination,
        versionId: before.versionId + 1,
        updatedMs: this.#options.clock.nowMs(),
      };
      if (moves) {
        await this.#checkTable(destination);
        await this.#move(entry, definition);
      } else {
        await storing(() => this.#store.replace(definition));
        entry.runner.redefine(definition);
      }
      return describe(this.#entry(name));
    });
  }

  async put(name: string, data: RecordsIn['data']): Promise<string[]> {
    const entry = this.#entry(name);
    const { definition } = entry.runner;
    if (definition.source.kind !== 'direct')
      throw deliveryError(
        'not-direct-put',
        `"${name}" takes its records from the stream "${definition.source.stream}"`,
        {
          hint: 'Put the records into that stream.',
        },
      );
    if (entry.closing || this.#closed) throw deliveryError('in-use', `"${name}" is being deleted or stopped`);
    if (data.length === 0 || data.length > this.#limits.putRecordsMax)
      throw deliveryError(
        'invalid',
        `a put has 1 to ${this.#limits.putRecordsMax} records, not ${data.length}`,
      );
    const records = { partitionKeys: Array.from({ length: data.length }, () => DIRECT_KEY), data };
    const appended = await this.#append(definition, records);
    return appended.shards.map((shard, at) => recordId(shard.uid, appended.offsets[at]!));
  }

  async progress(): Promise<DeliveryProgress[]> {
    const names = [...this.#entries.keys()].sort();
    return Promise.all(
      names.map(async (name) => {
        const { runner } = this.#entry(name);
        const lag = await runner.lag();
        const { failure, definition } = runner;
        return {
          name,
          table: `${definition.destination.database}.${definition.destination.table}`,
          state: failure === undefined ? ('ACTIVE' as const) : ('FAILING' as const),
          ...(failure !== undefined && { failure }),
          lagRecords: lag.records,
          lagMs: lag.ms,
          rowsDelivered: runner.tally.rowsDelivered,
          recordsRejected: runner.tally.recordsRejected,
          fieldsIgnored: runner.tally.fieldsIgnored,
        };
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    const entries = [...this.#entries.values()];
    await Promise.all(
      entries.map(async (entry) => {
        await entry.changes.catch(() => {});
        await entry.runner.stop(this.#limits.drainMsMax);
      }),
    );
    this.#entries.clear();
  }

  /** Ends at the old table, notes where, and begins at the new one from there: in one step of the MetaStore. */
  async #move(entry: Entry, definition: Definition): Promise<void> {
    const { runner } = entry;
    const before = runner.definition;
    const positioned = await runner.positioned(this.#limits.drainMsMax);
    const drained = (await runner.stop(this.#limits.drainMsMax)) && positioned;
    const startOffsets = drained ? runner.nextOffsets() : undefined;
    const moved = startOffsets === undefined ? undefined : { ...definition, startOffsets };
    try {
      if (moved !== undefined) await storing(() => this.#store.replace(moved));
    } catch (error) {
      this.#start(before);
      throw error;
    }
    this.#start(moved ?? before);
    if (moved === undefined)
      throw deliveryError(
        'in-use',
        `"${before.name}" can't leave its table while rows are on their way there${because(runner)}`,
        {
          hint: 'Remove the cause of the failure first, or delete the delivery and create another.',
          retry: 'backoff',
        },
      );
  }

  #start(definition: Definition): void {
    const source = {
      name: sourceName(definition),
      ensure: () =>
        definition.source.kind === 'direct' ? this.#ensureInternal(definition) : Promise.resolve(),
    };
    const runner = new DeliveryRunner(definition, { ...this.#shared, source });
    const entry = this.#entries.get(definition.name);
    if (entry === undefined)
      this.#entries.set(definition.name, { runner, closing: false, changes: Promise.resolve() });
    else {
      entry.runner = runner;
      entry.closing = false;
    }
    runner.start();
  }

  /** Makes the stream of direct puts unless it is there. Nothing put into it expires before it is delivered. */
  async #ensureInternal(definition: Definition): Promise<void> {
    const { streams } = this.#options;
    const name = internalName(definition);
    let stream;
    try {
      stream = streams.describe(name);
    } catch (error) {
      if (codeOf(error) !== 'stream-not-found') throw error;
      stream = await streams.create({ name, shardCount: 1, mode: 'PROVISIONED', internal: true });
    }
    const isNew = stream.shards.every((shard) => shard.trimOffset === 0 && shard.nextOffset === 0);
    if (isNew)
      await streams.hold(name, definition.id, new Map(stream.shards.map((shard) => [shard.shardId, 0])));
  }

  async #append(definition: Definition, records: RecordsIn): Promise<Appended> {
    try {
      return await this.#options.streams.append(internalName(definition), records);
    } catch (error) {
      throw fromStreams(error, definition.name);
    }
  }

  #startOffsets(source: CreateDelivery['source']): Record<string, number> {
    if (source.kind === 'direct') return {};
    let stream;
    try {
      stream = this.#options.streams.describe(source.stream);
    } catch (cause) {
      throw deliveryError('source-not-found', `there is no stream "${source.stream}"`, {
        cause,
        hint: 'Create it first.',
      });
    }
    if (source.startAt !== 'latest') return {};
    return Object.fromEntries(stream.shards.map((shard) => [shard.uid, shard.nextOffset]));
  }

  async #checkTable({ database, table }: Destination): Promise<void> {
    try {
      await this.#options.catalog.open(database, table);
    } catch (cause) {
      throw deliveryError(
        'table-not-found',
        `the table "${database}.${table}" can't be delivered to: ${messageOf(cause)}`,
        {
          cause,
          hint: 'Create it in the catalogue, with the parameter table_type = DELTA.',
        },
      );
    }
  }

  #changing<Result>(name: string, change: (entry: Entry) => Promise<Result>): Promise<Result> {
    const entry = this.#entries.get(name);
    if (entry === undefined) return Promise.reject(notFound(name));
    const turn = entry.changes.then(() => {
      if (this.#entries.get(name) !== entry) throw notFound(name);
      if (this.#closed) throw deliveryError('in-use', `"${name}" is being stopped`);
      return change(entry);
    });
    entry.changes = turn.catch(() => {});
    return turn;
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw notFound(name);
    return entry;
  }
}

function describe({ runner }: Entry): DeliveryDescription {
  const { startOffsets: _, ...definition } = runner.definition;
  const { failure } = runner;
  return {
    ...definition,
    versionId: String(definition.versionId),
    state: failure === undefined ? 'ACTIVE' : 'FAILING',
    ...(failure !== undefined && { failure }),
  };
}

function sourceName(definition: Definition): string {
  return definition.source.kind === 'direct' ? internalName(definition) : definition.source.stream;
}

function internalName({ id }: Definition): string {
  return INTERNAL_PREFIX + id;
}

/** Unique for ever: the shard's uid and the offset in it. */
function recordId(uid: number, offset: number): string {
  return `${String(uid).padStart(10, '0')}-${String(offset).padStart(16, '0')}`;
}

function checkBuffering({ bufferingIntervalSeconds: seconds, bufferingSizeMiB: size }: Destination): void {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > INTERVAL_SECONDS_MAX)
    throw deliveryError(
      'invalid',
      `a buffering interval is 0 to ${INTERVAL_SECONDS_MAX} seconds, not ${seconds}`,
    );
  if (!Number.isInteger(size) || size < 1 || size > SIZE_MIB_MAX)
    throw deliveryError('invalid', `a buffering size is 1 to ${SIZE_MIB_MAX} MiB, not ${size}`);
}

function because({ failure }: DeliveryRunner): string {
  return failure === undefined ? '' : `: ${failure}`;
}

async function storing(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw fromStreams(error, '');
  }
}

function ignoreAbsent(error: unknown): void {
  if (codeOf(error) !== 'stream-not-found') throw error;
}

/** Failures of the log in this module's codes; what has none goes on as it is. */
function fromStreams(error: unknown, name: string): unknown {
  const code = codeOf(error);
  if (code === 'overloaded' || code === 'storage-full')
    return deliveryError(code, messageOf(error), { retry: 'backoff', cause: error });
  if (code === 'stream-not-found')
    return deliveryError('overloaded', `"${name}" is being repaired`, { retry: 'backoff', cause: error });
  if (code === 'invalid') return deliveryError('invalid', messageOf(error), { cause: error });
  return error;
}
