/**
 * One delivery at work: the shell that carries out what `core/machine.ts` decides. It reads every shard of its source,
 * has the row writer shape batches, and commits them one after another with the positions that they reach.
 */
import { assert } from '../../base/assert.ts';
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import type { RowWriter } from '../../ports/row-writer.ts';
import type { Catalog } from '../catalog/index.ts';
import type { ReadResult, Streams } from '../streams/index.ts';
import type { Batch } from './batch.ts';
import type { Budget } from './budget.ts';
import { commitBatch, type CommitOutcome } from './commit.ts';
import { Conditions } from './conditions.ts';
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
import { Hold } from './hold.ts';
import type { DeliveryLimits } from './limits.ts';
import type { DeliveryMetrics } from './metrics.ts';
import { Pace } from './pace.ts';
import { takePositions } from './position.ts';
import { Progress } from './progress.ts';
import { ShardCursors, type Cursor } from './shard-cursors.ts';
import type { Definition, DeliveryStore } from './store.ts';
import { Tally } from './tally.ts';
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

interface Failure {
  readonly reason: string;
  readonly positioning: boolean;
}

export class DeliveryRunner {
  readonly tally: Tally;

  #definition: Definition;
  readonly #options: RunnerOptions;
  readonly #cursors: ShardCursors;
  readonly #progress: Progress;
  readonly #pace: Pace;
  readonly #conditions: Conditions;
  /** Undefined when the source has a retention of its own. */
  readonly #hold: Hold | undefined;
  readonly #wakeup = new Wakeup();
  readonly #finished = Promise.withResolvers<void>();
  readonly #unsubscribe: () => void;
  #state: DeliveryState = INITIAL.state;
  /** Rises when what was begun before has no say any more. */
  #generation = 0;
  #open: Batch | undefined;
  #sealed: Batch | undefined;
  #committing: Batch | undefined;
  #inFlightBytes = 0;
  #timer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #failure: Failure | undefined;
  /** Rewrites every row until a commit succeeds: set when the engine refused a file. */
  #rewriteAll = false;
  #commitEnded: Promise<void> | undefined;
  /** While someone waits for all to be delivered, batches don't wait for their time. */
  #hurried = false;

  constructor(definition: Definition, options: RunnerOptions) {
    this.#definition = definition;
    this.#options = options;
    const { streams, clock, limits, source, logger } = options;
    this.tally = new Tally(options);
    this.#cursors = new ShardCursors(streams, clock, () => this.#wakeup.notify());
    this.#progress = new Progress(streams, source.name);
    this.#pace = new Pace(limits);
    this.#conditions = new Conditions(clock);
    if (definition.source.kind === 'direct')
      this.#hold = new Hold({
        streams,
        logger,
        names: { stream: source.name, delivery: definition.name },
        deliveryId: definition.id,
        needed: () => this.#progress.needed(),
      });
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
    const drained = await this.#conditions.within(drainMsMax, this.#finished.promise);
    if (!drained) this.#dispatch({ kind: 'abandon' });
    // A commit can't be called back: what follows must find it in the table or know that it failed.
    await this.#commitEnded;
    await this.#hold?.settled();
    return drained;
  }

  /** Resolves once every record of the source that is there now is delivered; false when that takes longer. */
  async drain(ms: number): Promise<boolean> {
    const reached = this.#progress.untilNow();
    this.#hurried = true;
    this.#dispatch({ kind: 'due' });
    const drained = await this.#conditions.until(reached, ms);
    this.#hurried = false;
    return drained;
  }

  /** Resolves once the table's positions are known; false when that takes longer. */
  positioned(ms: number): Promise<boolean> {
    return this.#conditions.until(() => this.#progress.target !== undefined, ms);
  }

  /** The next offset to deliver, by shard uid; undefined before positions were ever taken. */
  nextOffsets(): Record<string, number> | undefined {
    return this.#progress.nextOffsets();
  }

  /** Records not delivered, and the age of the oldest of them. */
  lag(): Promise<{ records: number; ms: number }> {
    return this.#progress.lag([this.#committing, this.#sealed, this.#open], this.#options.clock);
  }

  #dispatch(event: DeliveryEvent): void {
    const { state, effects } = step(this.#state, event, this.#bounds);
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
          this.#retryTimer = this.#options.clock.timer(this.#pace.pauseMs(effect.attempt), () =>
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
      const taken = await takePositions(this.#definition, this.#options);
      if (generation !== this.#generation) return;
      const { starts, shards } = taken;
      this.#progress.take(taken);
      this.#cursors.reset(shards.map((shard) => ({ shard, next: starts.get(shard.uid)! })));
      const lags = shards.some((shard) => shard.nextOffset > starts.get(shard.uid)!);
      if (this.#failure?.positioning === true || !lags) this.#failure = undefined;
      this.#dispatch({ kind: 'positioned' });
      this.#conditions.changed();
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
      if (mayRead(this.#state, this.#bounds)) this.#take(cursor, result);
      else this.#cursors.again(cursor);
    }
  }

  #mayReadNow(): boolean {
    if (!mayRead(this.#state, this.#bounds) || this.#inFlightBytes >= this.#options.limits.inFlightBytesMax)
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
      if (first.firstOffset > cursor.next)
        this.tally.expired(cursor.shard.shardId, first.firstOffset - cursor.next, this.#definition.name);
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
    this.#cursors.follow(this.#progress.follow(this.#definition.startOffsets));
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

  #newBatch(): Batch {
    const { target } = this.#progress;
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
        positions: this.#progress.positions,
      });
    } catch (error) {
      outcome = { kind: 'failed', error, rebuild: false };
    }
    if (this.#state.phase === 'stopped') return;
    this.#dispatch(this.#settle(batch, outcome));
    this.#conditions.changed();
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
    this.#progress.committed(batch.ends);
    this.#failure = undefined;
    this.#rewriteAll = false;
    this.#pace.committed(this.tally.committed(batch, this.#definition.name));
    this.#hold?.move();
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
    this.#hold?.close();
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
    const ms = this.#pace.batchMs(this.#definition);
    this.#timer = this.#options.clock.timer(ms, () => this.#dispatch({ kind: 'due' }));
  }

  get #bounds(): BatchBounds {
    return this.#pace.bounds(this.#definition, { hurried: this.#hurried });
  }

  #fail(error: unknown, { positioning = false }: { positioning?: boolean } = {}): void {
    const delivery = this.#definition.name;
    this.#failure = { reason: messageOf(error), positioning };
    this.#options.metrics.failures.add(1, { delivery });
    this.#options.logger.warn({ delivery, error: messageOf(error) }, 'a delivery failed and goes on trying');
  }
}
