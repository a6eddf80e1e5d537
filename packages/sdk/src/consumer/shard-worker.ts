/**
 * One shard, from taking its lease to giving it up.
 *
 * W1 Batches are processed one after another, in the shard's order; the next begins when the one before it is processed
 *    or passed over.
 * W2 No batch is delivered when the lease is lost.
 * W3 The shard's end is written only after all of it was processed.
 */
import { Checkpoints } from './checkpoints.ts';
import { isCovered } from './core/lease.ts';
import { backoffMs } from './core/pace.ts';
import { deaggregate } from './deaggregate.ts';
import { ConsumerError } from './errors.ts';
import type { HeldLease } from './held-lease.ts';
import type { Settings } from './options.ts';
import { prefetched } from './prefetch.ts';
import type { RecordBatch, ShardContext, ShardProcessor } from './processor.ts';
import type { Fetched, Source } from './sources/source.ts';

/** How a shard's work ended: `stop` is `onError`'s wish. */
export type Outcome =
  | { readonly kind: 'ended' | 'released' | 'lost' }
  | { readonly kind: 'stop'; readonly error: unknown };

type Step = 'on' | 'released' | { readonly stop: unknown };

export class ShardWorker {
  readonly held: HeldLease;
  readonly #settings: Settings;
  readonly #source: Source;
  /** Made when the work begins, so that what fails there is a failure of this shard. */
  #processor: ShardProcessor = { process: () => {} };
  readonly #checkpoints: Checkpoints;
  readonly #context: ShardContext;
  readonly #draining = new AbortController();
  /** Aborts when nothing more is to be read. */
  readonly #reading = new AbortController();
  millisBehindLatest: number | undefined;
  recordsProcessed = 0;

  constructor(held: HeldLease, source: Source, settings: Settings) {
    this.held = held;
    this.#source = source;
    this.#settings = settings;
    const { shardId, term } = held.lease;
    this.#checkpoints = new Checkpoints(held);
    this.#context = { shardId, term, signal: held.lost, checkpoint: this.#checkpoints.checkpoint };
    const stop = (): void => this.#reading.abort();
    held.lost.addEventListener('abort', stop, { once: true });
    this.#draining.signal.addEventListener('abort', stop, { once: true });
  }

  /** Lets it finish the batch that is processed and give the lease up. */
  drain(): void {
    this.#draining.abort();
  }

  /** Resolves when the lease is given up or lost, and nothing of the processor is under way. Never rejects. */
  async run(): Promise<Outcome> {
    try {
      this.#processor = this.#settings.processor(this.#context.shardId);
      await this.#processor.start?.(this.#context);
      const step = await this.#readAll();
      this.#reading.abort();
      if (!this.held.isHeld()) return await this.#lost();
      if (step === 'on') return await this.#finish();
      await this.#hook('release');
      await this.held.giveUp();
      return typeof step === 'object' ? { kind: 'stop', error: step.stop } : { kind: 'released' };
    } catch (error) {
      // Of `start` or of a hook: the shard isn't done, and another worker, or this one later, tries again.
      this.#reading.abort();
      if (!this.held.isHeld()) return await this.#lost();
      this.#failed(error, 1);
      await this.#pause(this.#settings.limits.attemptsMax);
      await this.held.giveUp();
      return { kind: 'released' };
    }
  }

  async #readAll(): Promise<Step> {
    const { checkpoint } = this.held.lease;
    if (checkpoint.kind === 'end') return 'on';
    const { shardId } = this.#context;
    const fetched = this.#source(shardId, checkpoint, this.#reading.signal);
    for await (const batch of prefetched(fetched)) {
      const step = await this.#deliver(batch);
      if (step !== 'on') return step;
      if (batch.isEnd) return 'on';
    }
    return 'released';
  }

  async #deliver({ records, millisBehindLatest }: Fetched): Promise<Step> {
    const { report } = this.#settings;
    const { shardId } = this.#context;
    const all = records.flatMap((record) =>
      deaggregate(record, (reason) =>
        report({ kind: 'malformed-aggregate', shardId, sequenceNumber: record.sequenceNumber, reason }),
      ),
    );
    for (let attempt = 1; ; attempt++) {
      if (this.#draining.signal.aborted || !this.held.isHeld()) return 'released';
      const { checkpoint } = this.held.lease;
      const open = all.filter((record) => !isCovered(record, checkpoint));
      if (open.length === 0) break;
      const batch: RecordBatch = { ...this.#context, records: open, millisBehindLatest, attempt };
      const step = await this.#try(batch);
      if (step === 'done') break;
      if (step !== 'again') return step;
    }
    this.millisBehindLatest = millisBehindLatest;
    return 'on';
  }

  async #try(batch: RecordBatch): Promise<'done' | 'again' | Step> {
    const { clock, limits, isManual, report, onError } = this.#settings;
    const { records, attempt } = batch;
    const { shardId } = this.#context;
    this.#checkpoints.delivering(records);
    const startMs = clock.monotonicMs();
    try {
      await this.#processor.process(batch);
      if (!isManual) await this.#context.checkpoint();
    } catch (error) {
      if (!this.held.isHeld()) return 'released';
      this.#failed(error, attempt);
      if (attempt % limits.attemptsMax === 0) {
        const decision = await onError({ error, batch });
        if (decision === 'stop') return { stop: error };
        if (decision === 'skip') return await this.#skip(batch, error);
      }
      await this.#pause(attempt);
      return 'again';
    }
    this.recordsProcessed += records.length;
    report({
      kind: 'batch-processed',
      shardId,
      records: records.length,
      tookMs: clock.monotonicMs() - startMs,
    });
    return 'done';
  }

  async #skip({ records }: RecordBatch, error: unknown): Promise<'done' | 'released'> {
    try {
      await this.#context.checkpoint();
    } catch (lost) {
      if (lost instanceof ConsumerError && lost.code === 'lease-lost') return 'released';
      throw lost;
    }
    const { shardId } = this.#context;
    this.#settings.report({ kind: 'batch-skipped', shardId, records: records.length, error });
    return 'done';
  }

  async #finish(): Promise<Outcome> {
    await this.#hook('end');
    try {
      await this.held.checkpoint({ kind: 'end' });
    } catch {
      return this.#lost();
    }
    await this.held.giveUp();
    return { kind: 'ended' };
  }

  /** The shard isn't done while `end` fails: it is tried as often as a batch, and then by the next who takes the lease. */
  async #hook(name: 'end' | 'release'): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#processor[name]?.(this.#context);
        return;
      } catch (error) {
        if (!this.held.isHeld()) return;
        this.#failed(error, attempt);
        if (name === 'release') return;
        if (attempt === this.#settings.limits.attemptsMax || this.#draining.signal.aborted) throw error;
        await this.#pause(attempt);
      }
    }
  }

  async #lost(): Promise<Outcome> {
    try {
      await this.#processor.lost?.(this.#context);
    } catch (error) {
      this.#failed(error, 1);
    }
    return { kind: 'lost' };
  }

  #failed(error: unknown, attempt: number): void {
    this.#settings.report({ kind: 'process-failed', shardId: this.#context.shardId, attempt, error });
  }

  async #pause(failures: number): Promise<void> {
    const { clock, limits, random } = this.#settings;
    const backoff = { baseMs: limits.retryMsMin, capMs: limits.retryMsMax };
    await clock.sleep(backoffMs(backoff, failures - 1, random), this.#reading.signal);
  }
}
