/**
 * One delivery at work: the shell that carries out what `core/machine.ts` decides. It reads every shard of its source,
 * has the row writer shape batches, and commits them one after another with the positions that they reach.
 */
import { assert } from '../../base/assert.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import type { RowWriter } from '../../ports/row-writer.ts';
import type { Catalog } from '../catalog/index.ts';
import type { ReadResult, StreamDescription, Streams } from '../streams/index.ts';
import type { Batch, Target } from './batch.ts';
import type { Budget } from './budget.ts';
import { commitBatch, type CommitOutcome } from './commit.ts';
import {
  INITIAL,
  mayRead,
  step,
  type BatchBounds,
  type DeliveryEvent,
  type DeliveryState,
  type Effect,
} from './core/machine.ts';
import { messageOf } from './errors.ts';
import type { DeliveryLimits } from './limits.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { takePositions } from './position.ts';
import { ShardCursors, type Cursor } from './shard-cursors.ts';
import type { Definition, DeliveryStore } from './store.ts';
import { Wakeup } from './wakeup.ts';

export interface RunnerOptions {
  readonly store: DeliveryStore;
  readonly streams: Streams;
  readonly catalog: Catalog;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: DeliveryMetrics;
  readonly writer: RowWriter;
  readonly budget: Budget;
  readonly limits: DeliveryLimits;
  /** Name of the stream that is read; made first when it is the delivery's own and absent. */
  readonly source: { readonly name: string; ensure(): Promise<void> };
}

/** Share of the interval that is set aside for the commit, so that rows are in the table when the interval ends. */
const COMMIT_SHARE_MIN = 0.2;
const COMMIT_SHARE_MAX = 0.6;
const MIB = 1024 * 1024;

interface Failure {
  readonly reason: string;
  readonly positioning: boolean;
}

export class DeliveryRunner {
  rowsDelivered = 0;
  recordsRejected = 0;
  fieldsIgnored = 0;

  #definition: Definition;
  readonly #options: RunnerOptions;
  readonly #cursors: ShardCursors;
  readonly #wakeup = new Wakeup();
  readonly #finished = Promise.withResolvers<void>();
  readonly #unsubscribe: () => void;
  #state: DeliveryState = INITIAL.state;
  /** Rises when what was begun before has no say any more. */
  #generation = 0;
  #target: Target | undefined;
  /** Last offset in the table, by shard uid; undefined where the table has no position. */
  readonly #positions = new Map<number, number | undefined>();
  #starts = new Map<number, number>();
  #open: Batch | undefined;
  #sealed: Batch | undefined;
  #committing: Batch | undefined;
  #inFlightBytes = 0;
  #timer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #failure: Failure | undefined;
  /** Rewrites every row until a commit succeeds: set when the engine refused a file. */
  #rewriteAll = false;
  /** From the end of a batch to its commit; falls slowly. */
  #commitMs = 0;
  #watchers: (() => void)[] = [];
  #commitEnded: Promise<void> | undefined;
  /** While someone waits for all to be delivered, batches don't wait for their time. */
  #hurried = false;
  #holding: Promise<void> | undefined;
  #holdAgain = false;

  constructor(definition: Definition, options: RunnerOptions) {
    this.#definition = definition;
    this.#options = options;
    this.#cursors = new ShardCursors(options.streams, options.clock, () => this.#wakeup.notify());
    this.#unsubscribe = options.budget.onFree(() => this.#wakeup.notify());
  }

  start(): void {
    this.#perform(INITIAL.effects);
  }

  get definition(): Definition {
    return this.#definition;
  }

  /** Takes new buffering bounds; the table and the source stay. */
  redefine(definition: Definition): void {
    this.#definition = definition;
    if (this.#state.open.records > 0) this.#armTimer();
    this.#wakeup.notify();
  }

  get failure(): string | undefined {
    return this.#failure?.reason;
  }

  /** Reads no more, delivers what is buffered and ends; after `drainMsMax` it ends with that undone (false). */
  async stop(drainMsMax: number): Promise<boolean> {
    this.#dispatch({ kind: 'stop' });
    const drained = await this.#within(drainMsMax, this.#finished.promise);
    if (!drained) this.#dispatch({ kind: 'abandon' });
    // A commit can't be called back: what follows must find it in the table or know that it failed.
    await this.#commitEnded;
    await this.#holding;
    return drained;
  }

  /** Resolves once every record of the source that is there now is delivered; false when that takes longer. */
  async drain(ms: number): Promise<boolean> {
    const ends = new Map(this.#shards()?.shards.map((shard) => [shard.uid, shard.nextOffset]));
    const reached = (): boolean =>
      this.#target !== undefined && [...ends].every(([uid, end]) => this.#nextOf(uid, 0) >= end);
    this.#hurried = true;
    this.#dispatch({ kind: 'due' });
    const drained = await this.#until(reached, ms);
    this.#hurried = false;
    return drained;
  }

  /** Resolves once the table's positions are known; false when that takes longer. */
  positioned(ms: number): Promise<boolean> {
    return this.#until(() => this.#target !== undefined, ms);
  }

  /** The next offset to deliver, by shard uid; undefined before positions were ever taken. */
  nextOffsets(): Record<string, number> | undefined {
    const shards = this.#shards();
    if (this.#target === undefined || shards === undefined) return undefined;
    return Object.fromEntries(
      shards.shards.map((shard) => [shard.uid, this.#nextOf(shard.uid, shard.trimOffset)]),
    );
  }

  /** Records not delivered, and the age of the oldest of them. */
  async lag(): Promise<{ records: number; ms: number }> {
    const shards = this.#shards()?.shards ?? [];
    let records = 0;
    let oldestMs = Infinity;
    for (const batch of [this.#committing, this.#sealed, this.#open])
      if (batch !== undefined) oldestMs = Math.min(oldestMs, batch.firstArrivalMs);
    for (const shard of shards) {
      const next = this.#nextOf(shard.uid, shard.trimOffset);
      if (shard.nextOffset <= next) continue;
      records += shard.nextOffset - next;
      if (oldestMs < Infinity) continue;
      const first = await this.#options.streams
        .read(shard, next, { recordsMax: 1, bytesMax: 1 })
        .catch(() => undefined);
      oldestMs = first?.runs[0]?.arrivalMs ?? Infinity;
    }
    return {
      records,
      ms: records === 0 || oldestMs === Infinity ? 0 : Math.max(0, this.#options.clock.nowMs() - oldestMs),
    };
  }

  #dispatch(event: DeliveryEvent): void {
    const { state, effects } = step(this.#state, event, this.#bounds());
    this.#state = state;
    this.#perform(effects);
    this.#wakeup.notify();
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'position':
          void this.#position();
          break;
        case 'arm-timer':
          this.#armTimer();
          break;
        case 'disarm-timer':
          this.#timer?.cancel();
          break;
        case 'seal':
          void this.#seal();
          break;
        case 'commit':
          assert(this.#committing === undefined, 'D2: one commit at a time');
          this.#committing = this.#sealed;
          this.#sealed = undefined;
          this.#commitEnded = this.#commit();
          break;
        case 'commit-again':
          this.#commitEnded = this.#commit();
          break;
        case 'discard':
          this.#discard();
          break;
        case 'retry-later':
          this.#retryTimer = this.#options.clock.timer(this.#pauseMs(effect.attempt), () =>
            this.#dispatch({ kind: 'retry' }),
          );
          break;
        default:
          this.#finish();
      }
    }
  }

  async #position(): Promise<void> {
    const generation = this.#newGeneration();
    const { source } = this.#options;
    try {
      await source.ensure();
      const { target, starts, positions, shards } = await takePositions(this.#definition, this.#options);
      if (generation !== this.#generation) return;
      this.#target = target;
      this.#positions.clear();
      for (const [uid, position] of positions) this.#positions.set(uid, position);
      this.#starts = new Map(starts);
      this.#cursors.reset(shards.map((shard) => ({ shard, next: starts.get(shard.uid)! })));
      const lags = shards.some((shard) => shard.nextOffset > starts.get(shard.uid)!);
      if (this.#failure?.positioning === true || !lags) this.#failure = undefined;
      this.#dispatch({ kind: 'positioned' });
      this.#told();
      void this.#readLoop(generation);
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#fail(error, { positioning: true });
      this.#dispatch({ kind: 'position-failed' });
    }
  }

  async #readLoop(generation: number): Promise<void> {
    while (generation === this.#generation) {
      const cursor = this.#mayReadNow() ? this.#cursors.take() : undefined;
      if (cursor === undefined) {
        await this.#wakeup.wait();
        continue;
      }
      let result: ReadResult;
      try {
        const { readRecordsMax, readBytesMax } = this.#options.limits;
        result = await this.#options.streams.read(cursor.shard, cursor.next, {
          recordsMax: readRecordsMax,
          bytesMax: readBytesMax,
        });
      } catch (error) {
        if (generation !== this.#generation) return;
        this.#fail(error, { positioning: true });
        this.#dispatch({ kind: 'source-lost' });
        return;
      }
      if (generation !== this.#generation) return;
      if (mayRead(this.#state, this.#bounds())) this.#take(cursor, result);
      else this.#cursors.again(cursor);
    }
  }

  #mayReadNow(): boolean {
    if (!mayRead(this.#state, this.#bounds()) || this.#inFlightBytes >= this.#options.limits.inFlightBytesMax)
      return false;
    if (!this.#options.budget.exhausted) return true;
    // Others wait for bytes that this delivery holds back until its interval ends.
    if (this.#state.open.records > 0 && !this.#state.open.due) this.#dispatch({ kind: 'due' });
    return false;
  }

  #take(cursor: Cursor, { runs, nextOffset, tailOffset, ended }: ReadResult): void {
    const [first] = runs;
    if (first !== undefined) {
      assert(first.firstOffset >= cursor.next, 'D3: a read gives nothing before its offset');
      if (first.firstOffset > cursor.next) this.#expired(cursor, first.firstOffset);
    }
    cursor.next = nextOffset;
    if (first !== undefined) this.#add(cursor, runs);
    // After the records are in a batch: those of the children come behind them.
    if (ended) this.#followChildren(cursor);
    else if (nextOffset < tailOffset) this.#cursors.again(cursor);
    else this.#cursors.atTail(cursor);
  }

  /** The shards that go on with those that were closed begin where the definition says, by default with their first record. */
  #followChildren(cursor: Cursor): void {
    const { startOffsets } = this.#definition;
    const shards = this.#shards()?.shards ?? [];
    for (const { uid } of shards) if (!this.#starts.has(uid)) this.#starts.set(uid, startOffsets[uid] ?? 0);
    this.#cursors.follow(shards.map((shard) => ({ shard, next: this.#starts.get(shard.uid)! })));
    this.#cursors.finished(cursor);
    this.#wakeup.notify();
  }

  #add({ shard: { uid, shardId }, next }: Cursor, runs: ReadResult['runs']): void {
    const batch = (this.#open ??= this.#newBatch());
    let [records, bytes] = [0, 0];
    for (const run of runs) {
      records += run.count;
      bytes += run.bounds[run.count * 2]! - run.bounds[0]!;
      batch.firstArrivalMs = Math.min(batch.firstArrivalMs, run.arrivalMs);
    }
    batch.ends.set(uid, next - 1);
    batch.records += records;
    batch.bytes += bytes;
    this.#inFlightBytes += bytes;
    this.#options.budget.take(bytes);
    const generation = this.#generation;
    batch.writer.add(runs.map((run) => ({ ...run, uid, shardId }))).then(
      () => this.#landed(bytes),
      (error: unknown) => {
        this.#landed(bytes);
        if (generation !== this.#generation || batch === this.#committing) return;
        this.#fail(error);
        this.#dispatch({ kind: 'writer-failed' });
      },
    );
    this.#dispatch({ kind: 'added', records, bytes });
  }

  #landed(bytes: number): void {
    this.#inFlightBytes -= bytes;
    this.#wakeup.notify();
  }

  #expired(cursor: Cursor, firstOffset: number): void {
    const count = firstOffset - cursor.next;
    this.#options.metrics.expired.add(count, { delivery: this.#definition.name });
    this.#options.logger.warn(
      { delivery: this.#definition.name, shard: cursor.shard.shardId, records: count },
      'retention removed records before they were delivered',
    );
  }

  #newBatch(): Batch {
    const target = this.#target;
    assert(target !== undefined, 'a batch has a table');
    const { name } = this.#definition;
    const writer = this.#options.writer.open({
      schemaJson: target.schemaJson,
      unknownFields: target.unknownFields,
      columnsAddedMax: target.columnsAddedMax,
      delivery: name,
      stream: this.#definition.source.kind === 'stream' ? this.#options.source.name : '',
      rewriteAll: this.#rewriteAll,
      decided: target.decided?.shards ?? [],
    });
    return {
      target,
      writer,
      ends: new Map(),
      records: 0,
      bytes: 0,
      firstArrivalMs: Infinity,
      sealed: undefined,
      sealedMs: 0,
      attempts: 0,
      decision: undefined,
      rejectsCommitted: false,
    };
  }

  async #seal(): Promise<void> {
    const batch = this.#open;
    assert(batch !== undefined, 'an open batch is sealed');
    const generation = this.#generation;
    this.#open = undefined;
    this.#sealed = batch;
    try {
      batch.sealed = await batch.writer.seal();
      batch.sealedMs = this.#options.clock.monotonicMs();
      if (generation === this.#generation) this.#dispatch({ kind: 'sealed' });
    } catch (error) {
      if (generation !== this.#generation) return;
      this.#fail(error);
      this.#dispatch({ kind: 'writer-failed' });
    }
  }

  async #commit(): Promise<void> {
    const batch = this.#committing;
    assert(batch?.sealed !== undefined, 'a sealed batch is committed');
    let outcome: CommitOutcome;
    try {
      outcome = await commitBatch(batch, {
        ...this.#options,
        definition: this.#definition,
        positions: this.#positions,
      });
    } catch (error) {
      outcome = { kind: 'failed', error, rebuild: false };
    }
    if (this.#state.phase === 'stopped') return;
    this.#dispatch(this.#settle(batch, outcome));
    this.#told();
  }

  #settle(batch: Batch, outcome: CommitOutcome): DeliveryEvent {
    const { limits, logger } = this.#options;
    if (outcome.kind === 'failed') {
      batch.attempts++;
      const rebuild = outcome.rebuild || batch.attempts >= limits.commitAttemptsMax;
      if (outcome.rebuild) this.#rewriteAll = true;
      this.#fail(outcome.error);
      if (rebuild) this.#release(batch);
      return { kind: 'commit-failed', rebuild };
    }
    this.#release(batch);
    if (outcome.kind === 'displaced') {
      logger.warn({ delivery: this.#definition.name, reason: outcome.reason }, 'a batch is built anew');
      return { kind: 'displaced' };
    }
    this.#committed(batch);
    return { kind: 'committed' };
  }

  #committed(batch: Batch): void {
    const { metrics, clock, logger } = this.#options;
    const delivery = this.#definition.name;
    const sealed = batch.sealed!;
    for (const [uid, end] of batch.ends) this.#positions.set(uid, end);
    this.#failure = undefined;
    this.#rewriteAll = false;
    const rows = sealed.rows?.rows ?? 0;
    const rejected = sealed.rejected?.rows ?? 0;
    this.rowsDelivered += rows;
    this.recordsRejected += rejected;
    this.fieldsIgnored += sealed.fieldsIgnored;
    const commitMs = clock.monotonicMs() - batch.sealedMs;
    this.#commitMs = Math.max(commitMs, this.#commitMs * 0.9);
    const lagMs = Math.max(0, clock.nowMs() - batch.firstArrivalMs);
    metrics.rows.add(rows, { delivery });
    for (const [code, count] of Object.entries(sealed.rejectedByCode))
      metrics.rejected.add(count, { delivery, code });
    metrics.ignoredFields.add(sealed.fieldsIgnored, { delivery });
    metrics.batches.add(1, { delivery });
    metrics.commitSeconds.observe(commitMs / 1000, { delivery });
    metrics.lagSeconds.set(lagMs / 1000, { delivery });
    logger.debug({ delivery, rows, rejected, commitMs, lagMs }, 'a batch is in its table');
    this.#moveHold();
  }

  /** Lets retention have what is delivered; the latest position wins, one change at a time. */
  #moveHold(): void {
    if (this.#definition.source.kind !== 'direct') return;
    if (this.#holding !== undefined) {
      this.#holdAgain = true;
      return;
    }
    const { streams, source, logger } = this.#options;
    const shards = this.#shards()?.shards ?? [];
    const offsets = new Map(
      shards.map((shard) => [shard.shardId, this.#nextOf(shard.uid, shard.trimOffset)]),
    );
    this.#holding = streams
      .hold(source.name, this.#definition.id, offsets)
      .catch((error: unknown) =>
        logger.warn(
          { delivery: this.#definition.name, error: messageOf(error) },
          'delivered puts could not be released',
        ),
      )
      .then(() => {
        this.#holding = undefined;
        const again = this.#holdAgain && this.#state.phase !== 'stopped';
        this.#holdAgain = false;
        if (again) this.#moveHold();
      });
  }

  #discard(): void {
    this.#newGeneration();
    for (const batch of [this.#open, this.#sealed]) if (batch !== undefined) this.#release(batch);
    // A batch that waits for its commit to be repeated is dropped with the rest.
    if (this.#committing !== undefined && !this.#state.committing) this.#release(this.#committing);
  }

  #release(batch: Batch): void {
    if (batch === this.#open) this.#open = undefined;
    if (batch === this.#sealed) this.#sealed = undefined;
    if (batch === this.#committing) this.#committing = undefined;
    this.#options.budget.free(batch.bytes);
    batch.bytes = 0;
    batch.writer
      .discard()
      .catch((error: unknown) =>
        this.#options.logger.warn({ error: messageOf(error) }, 'a temporary file was left'),
      );
  }

  #finish(): void {
    this.#timer?.cancel();
    this.#retryTimer?.cancel();
    this.#discard();
    if (this.#committing !== undefined) this.#release(this.#committing);
    this.#cursors.stop();
    this.#unsubscribe();
    this.#finished.resolve();
  }

  #newGeneration(): number {
    this.#cursors.stop();
    this.#wakeup.notify();
    return ++this.#generation;
  }

  #armTimer(): void {
    this.#timer?.cancel();
    const intervalMs = this.#definition.destination.bufferingIntervalSeconds * 1000;
    const margin = Math.min(
      intervalMs * COMMIT_SHARE_MAX,
      Math.max(intervalMs * COMMIT_SHARE_MIN, this.#commitMs * 2),
    );
    this.#timer = this.#options.clock.timer(intervalMs - margin, () => this.#dispatch({ kind: 'due' }));
  }

  #pauseMs(attempt: number): number {
    const { retryMsFirst, retryMsMax } = this.#options.limits;
    return Math.min(retryMsMax, retryMsFirst * 2 ** Math.min(attempt - 1, 20));
  }

  #bounds(): BatchBounds {
    const { bufferingIntervalSeconds, bufferingSizeMiB } = this.#definition.destination;
    return {
      recordsMax: this.#options.limits.batchRecordsMax,
      bytesMax: bufferingSizeMiB * MIB,
      immediately: this.#hurried || bufferingIntervalSeconds === 0,
    };
  }

  #fail(error: unknown, { positioning = false }: { positioning?: boolean } = {}): void {
    const delivery = this.#definition.name;
    this.#failure = { reason: messageOf(error), positioning };
    this.#options.metrics.failures.add(1, { delivery });
    this.#options.logger.warn({ delivery, error: messageOf(error) }, 'a delivery failed and goes on trying');
  }

  #nextOf(uid: number, trimOffset: number): number {
    return Math.max((this.#positions.get(uid) ?? -1) + 1, this.#starts.get(uid) ?? 0, trimOffset);
  }

  #shards(): StreamDescription | undefined {
    try {
      return this.#options.streams.describe(this.#options.source.name);
    } catch {
      return undefined;
    }
  }

  async #until(condition: () => boolean, ms: number): Promise<boolean> {
    if (condition()) return true;
    const met = Promise.withResolvers<void>();
    const watch = (): void => {
      if (condition()) met.resolve();
    };
    this.#watchers.push(watch);
    const done = await this.#within(ms, met.promise);
    this.#watchers = this.#watchers.filter((other) => other !== watch);
    return done;
  }

  #told(): void {
    for (const watcher of this.#watchers) watcher();
  }

  async #within(ms: number, promise: Promise<void>): Promise<boolean> {
    const late = Promise.withResolvers<boolean>();
    const timer = this.#options.clock.timer(ms, () => late.resolve(false));
    const done = await Promise.race([promise.then(() => true), late.promise]);
    timer.cancel();
    return done;
  }
}
