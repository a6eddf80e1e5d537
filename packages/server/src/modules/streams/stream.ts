/** A stream in memory: its shards by age and by hash keys, and what appends to it need without a look-up. */
import type { Meter } from './meter.ts';
import type { StreamDescription, StreamMode, StreamSettings, StreamStatus } from './api.ts';
import { Router } from './core/routing.ts';
import { noAmounts } from './facts/traffic.ts';
import type { StreamSealer } from './encryption/data-keys.ts';
import { Shard } from './shard.ts';
import type { StoredShard, StoredStream } from './stream-store.ts';

const HOUR_MS = 3_600_000;
const SHARD_ID = 'shardId-';
const SHARD_ID_DIGITS = 12;

export function shardIdOf(number: number): string {
  return SHARD_ID + String(number).padStart(SHARD_ID_DIGITS, '0');
}

/** Appends wait for it while shards are closed and opened. */
export interface Fence {
  readonly passed: Promise<void>;
  waiting: number;
}

export class Stream {
  readonly name: string;
  readonly createdMs: number;
  readonly internal: boolean;
  mode: StreamMode;
  tags: Readonly<Record<string, string>>;
  settings: StreamSettings;
  status: StreamStatus = 'ACTIVE';
  fence: Fence | undefined;
  /** Undefined when what is appended is stored in the clear. */
  sealer: StreamSealer | undefined;
  /** What went through its shards since the process started, those that are gone included. */
  readonly totals = noAmounts();
  /** Of appends that were refused as a whole, for no fault of theirs. */
  refusedRecords = 0;
  #meter: Meter | undefined;
  #retentionHours: number;
  #shards: Shard[] = [];
  readonly #byId = new Map<string, Shard>();
  #open!: readonly Shard[];
  #router!: Router;

  constructor(stored: StoredStream) {
    this.name = stored.name;
    this.createdMs = stored.createdMs;
    this.internal = stored.internal;
    this.mode = stored.mode;
    this.tags = stored.tags;
    this.settings = stored.settings;
    this.#retentionHours = stored.retentionHours;
    this.#add(stored.shards);
    this.#route();
  }

  /** All that can be read, oldest first. */
  get shards(): readonly Shard[] {
    return this.#shards;
  }

  /** Those that take records, by their hash keys; positions are those of the router. */
  get open(): readonly Shard[] {
    return this.#open;
  }

  get router(): Router {
    return this.#router;
  }

  /** Undefined when nothing is measured: then appends and reads are as fast as the machine. */
  get meter(): Meter | undefined {
    return this.#meter;
  }

  set meter(meter: Meter | undefined) {
    this.#meter = meter;
    for (const shard of this.#shards) shard.meter = meter;
  }

  get retentionHours(): number {
    return this.#retentionHours;
  }

  set retentionHours(hours: number) {
    this.#retentionHours = hours;
    for (const shard of this.#shards) this.#keep(shard);
  }

  /** The settings to go with another retention: what has expired by now must not come back. */
  settingsFor(retentionHours: number, nowMs: number): StreamSettings {
    if (retentionHours <= this.#retentionHours) return this.settings;
    const { goneBeforeMs = -Infinity } = this.settings;
    const expiredMs = nowMs - this.#retentionHours * HOUR_MS;
    return { ...this.settings, goneBeforeMs: Math.max(goneBeforeMs, expiredMs) };
  }

  shard(shardId: string): Shard | undefined {
    return this.#byId.get(shardId);
  }

  /** The number of the next shard's id. The newest shard is always open, so that no id is given twice. */
  get nextShardNumber(): number {
    return Number(this.#shards.at(-1)!.shardId.slice(SHARD_ID.length)) + 1;
  }

  /** Closes and opens at one moment; gives the opened. */
  reshard(change: {
    readonly opened: readonly StoredShard[];
    readonly closed: readonly Shard[];
    atMs: number;
  }): Shard[] {
    for (const shard of change.closed) shard.closedMs = change.atMs;
    const opened = this.#add(change.opened);
    this.#route();
    for (const shard of change.closed) shard.wake();
    return opened;
  }

  /** Forgets a closed shard. */
  remove(shard: Shard): void {
    shard.gone = true;
    this.#shards = this.#shards.filter((other) => other !== shard);
    this.#byId.delete(shard.shardId);
    shard.wake();
  }

  describe(): StreamDescription {
    const { name, createdMs, retentionHours, mode, tags, internal, status, settings } = this;
    const shards = this.#shards.map((shard) => shard.snapshot());
    return { name, createdMs, retentionHours, mode, tags, internal, status, settings, shards };
  }

  #add(stored: readonly StoredShard[]): Shard[] {
    const retentionMs = this.#retentionHours * HOUR_MS;
    const added = stored.map((facts) => new Shard({ ...facts, retentionMs }, this.totals));
    for (const shard of added) {
      shard.meter = this.#meter;
      this.#keep(shard);
      this.#shards.push(shard);
      this.#byId.set(shard.shardId, shard);
      for (const parent of [shard.parentShardId, shard.adjacentParentShardId])
        if (parent !== undefined) this.#byId.get(parent)?.children.push(shard);
    }
    return added;
  }

  #keep(shard: Shard): void {
    shard.retentionMs = this.#retentionHours * HOUR_MS;
    shard.goneBeforeMs = this.settings.goneBeforeMs ?? -Infinity;
  }

  #route(): void {
    this.#open = this.#shards
      .filter((shard) => shard.closedMs === undefined)
      .sort((a, b) => (a.hashKeyStart < b.hashKeyStart ? -1 : 1));
    this.#router = new Router(
      this.#open.map((shard) => ({ start: shard.hashKeyStart, end: shard.hashKeyEnd })),
    );
  }
}
