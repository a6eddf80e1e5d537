/**
 * One flow: files into a stream or a delivery. It reads a batch, sends it until all of it is taken, remembers that
 * durably, and only then goes on: a crash repeats one batch at most, and what is held in memory is one batch and what
 * was read of one file.
 */
import { watch, type FSWatcher } from 'node:fs';
import { basename, join } from 'node:path';
import type { Checkpoints } from './checkpoints.ts';
import { destinationOf, idOf, type FlowConfig } from './config.ts';
import { FileSet } from './file-set.ts';
import { COPY_WAIT_MS, IDLE_MS, SERVICE_LIMITS } from './limits.ts';
import type { FlowMetrics } from './metrics.ts';
import { createProcessor, type Processor } from './processing.ts';
import type { Sender } from './sender.ts';
import type { SplitterOptions } from './splitter.ts';
import type { TrackedFile } from './tracked-file.ts';

export interface FlowOptions {
  readonly config: FlowConfig;
  readonly checkpoints: Checkpoints;
  readonly sender: Sender;
  readonly metrics: FlowMetrics;
  readonly once: boolean;
  /** Told of what goes wrong with files. */
  readonly warn: (message: string) => void;
}

interface BatchRecord {
  readonly data: Buffer;
  readonly file: TrackedFile;
  readonly end: number;
}

const WATCHES_MAX = 256;

export class Flow {
  readonly #options: FlowOptions;
  readonly #id: string;
  readonly #files: FileSet;
  readonly #process: Processor | undefined;
  readonly #limits: (typeof SERVICE_LIMITS)['kinesis' | 'firehose'];
  readonly #bytesMax: number;
  readonly #watchers = new Map<string, FSWatcher>();
  #batch: BatchRecord[] = [];
  #batchBytes = 0;
  #batchSinceMs = 0;
  /** A record that the batch before had no room for. */
  #next: BatchRecord | undefined;
  #scanMs = Number.NEGATIVE_INFINITY;
  #wake: (() => void) | undefined;

  constructor(options: FlowOptions) {
    const { config, checkpoints, metrics, once } = options;
    this.#options = options;
    this.#id = idOf(config);
    this.#limits = SERVICE_LIMITS[destinationOf(config).service];
    this.#bytesMax = Math.min(config.maxBufferSizeBytes ?? Infinity, this.#limits.batchBytesMax);
    this.#process = createProcessor(config.dataProcessingOptions);
    const split: SplitterOptions = {
      startPattern:
        config.multiLineStartPattern === undefined
          ? undefined
          : // At the line's beginning, as in the Kinesis Agent.
            new RegExp(`^(?:${config.multiLineStartPattern})`),
      skipLines: config.skipHeaderLines,
      recordBytesMax: this.#recordBytesMax,
      terminator: Buffer.from(config.truncatedRecordTerminator),
    };
    this.#files = new FileSet({ config, checkpoints, metrics, split, once });
  }

  get #recordBytesMax(): number {
    return this.#limits.recordBytesMax - this.#limits.keyBytes;
  }

  /**
   * Runs until `stop`, or with `once` until all that is there is delivered. On `stop` the batch in the making is
   * delivered still, unless `abandon` comes first. Rejects when it can't go on.
   */
  async run({ stop, abandon }: { stop: AbortSignal; abandon: AbortSignal }): Promise<void> {
    stop.addEventListener('abort', () => this.#wake?.(), { once: true });
    try {
      await this.#files.restore();
      while (!stop.aborted) {
        await this.#scanWhenDue();
        await this.#fill(stop);
        if (this.#isDue()) await this.#deliver(abandon);
        else if (this.#options.once && !this.#files.hasDoubts) break;
        else await this.#rest(stop);
      }
      if (!stop.aborted) await this.#finish(abandon);
      while (this.#batch.length > 0) await this.#deliver(abandon);
    } finally {
      for (const watcher of this.#watchers.values()) watcher.close();
      await this.#files.close();
    }
  }

  /** The end of `once`: what ends without a line break is a record too. */
  async #finish(abandon: AbortSignal): Promise<void> {
    for (const file of this.#files.files) {
      file.splitter.flush();
      while (this.#take(file) || this.#next !== undefined) if (this.#isFull()) await this.#deliver(abandon);
    }
  }

  async #scanWhenDue(): Promise<void> {
    const { maxTimeBetweenFileTrackerRefreshMillis } = this.#options.config;
    const everyMs = this.#files.hasDoubts ? COPY_WAIT_MS / 10 : maxTimeBetweenFileTrackerRefreshMillis;
    if (performance.now() - this.#scanMs < everyMs) return;
    this.#scanMs = performance.now();
    try {
      await this.#files.scan();
    } catch (error) {
      if (this.#options.once) throw error;
      this.#options.warn(error instanceof Error ? error.message : String(error));
    }
    if (!this.#options.once) this.#watch();
  }

  /** Reads until the batch is full or nothing more is there. */
  async #fill(stop: AbortSignal): Promise<void> {
    for (const file of this.#files.files) {
      if (file.dirty) await this.#readFile(file, stop);
      if (this.#isFull() || stop.aborted) return;
    }
  }

  async #readFile(file: TrackedFile, stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      while (this.#take(file)) if (this.#isFull()) return;
      if (this.#isFull()) return;
      const outcome = await this.#read(file);
      if (outcome === 'read') continue;
      if (outcome === 'truncated') {
        // What was read of it before goes out first: its copy is taken up after that.
        if (this.#batch.some((record) => record.file === file)) this.#batchSinceMs = Number.NEGATIVE_INFINITY;
        else {
          this.#files.truncated(file);
          this.#scanMs = Number.NEGATIVE_INFINITY;
        }
        return;
      }
      if (outcome === 'lost') {
        await this.#files.forget(file);
        this.#scanMs = Number.NEGATIVE_INFINITY;
        return;
      }
      if (!this.#flushResting(file)) {
        // What it holds is looked at again when it has rested.
        file.dirty =
          file.splitter.holds && (file.gone || this.#options.config.multiLineStartPattern !== undefined);
        return;
      }
    }
  }

  async #read(file: TrackedFile): Promise<Awaited<ReturnType<TrackedFile['read']>>> {
    try {
      return await file.read();
    } catch (error) {
      if (this.#options.once) throw error;
      this.#options.warn(`${file.path}: ${error instanceof Error ? error.message : String(error)}`);
      return 'end';
    }
  }

  /** The last record of a pattern, and the end of a file that was rotated away, are whole when nothing follows. */
  #flushResting(file: TrackedFile): boolean {
    const rests = Date.now() - file.grewMs >= IDLE_MS;
    const mayEnd = file.gone || this.#options.config.multiLineStartPattern !== undefined;
    if (!rests || !mayEnd || !file.splitter.holds) return false;
    file.splitter.flush();
    return true;
  }

  /** Moves one record of the file into the batch. */
  #take(file: TrackedFile): boolean {
    const waiting = this.#next;
    if (waiting !== undefined && waiting.file !== file) return false;
    this.#next = undefined;
    const record = waiting ?? this.#prepared(file);
    if (record === undefined) return false;
    const bytes = record.data.length + this.#limits.keyBytes;
    if (this.#batch.length > 0 && this.#batchBytes + bytes > this.#bytesMax) {
      this.#next = record;
      return false;
    }
    if (this.#batch.length === 0) this.#batchSinceMs = performance.now();
    this.#batch.push(record);
    this.#batchBytes += bytes;
    return true;
  }

  #prepared(file: TrackedFile): BatchRecord | undefined {
    const { metrics } = this.#options;
    const record = file.splitter.take();
    if (record === undefined) return undefined;
    if (record.truncated) metrics.add('truncated', 1);
    const { end } = record;
    if (this.#process === undefined) return { data: record.data, file, end };
    const { data, failed } = this.#process(record.data);
    // What became too large by its processing is sent as it stood, too.
    const unprocessed = failed || data.length > this.#recordBytesMax;
    if (unprocessed) metrics.add('unprocessed', 1);
    return { data: unprocessed ? record.data : data, file, end };
  }

  #isFull(): boolean {
    const full = this.#batch.length >= this.#options.config.maxBufferSizeRecords;
    return full || this.#next !== undefined || this.#batchBytes >= this.#bytesMax;
  }

  #isDue(): boolean {
    if (this.#batch.length === 0) return false;
    const { config, once } = this.#options;
    return this.#isFull() || once || performance.now() - this.#batchSinceMs >= config.maxBufferAgeMillis;
  }

  async #deliver(abandon: AbortSignal): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    const { sender, checkpoints, metrics } = this.#options;
    await sender.send(
      batch.map((record) => record.data),
      abandon,
    );
    const ends = new Map(batch.map(({ file, end }) => [file, end]));
    const reached = [];
    for (const [file, end] of ends) reached.push(await file.deliver(end, this.#id));
    await checkpoints.save(this.#id, reached);
    metrics.add('batches', 1);
    metrics.add('records', batch.length);
    metrics.add(
      'bytes',
      batch.reduce((sum, record) => sum + record.data.length, 0),
    );
    this.#batch = [];
    this.#batchBytes = 0;
    const next = this.#next;
    if (next === undefined) return;
    this.#next = undefined;
    this.#batch.push(next);
    this.#batchBytes = next.data.length + this.#limits.keyBytes;
    this.#batchSinceMs = performance.now();
  }

  /** Until something changes, or the batch is due. */
  async #rest(stop: AbortSignal): Promise<void> {
    if (stop.aborted) return;
    const { config } = this.#options;
    const pollMs = config.minTimeBetweenFilePollsMillis;
    const held = this.#files.files.some((file) => file.dirty) || this.#files.hasDoubts;
    const isWatched = this.#watchers.size > 0;
    const restMs =
      held || !isWatched ? pollMs * (isWatched ? 5 : 1) : config.maxTimeBetweenFileTrackerRefreshMillis;
    const dueMs =
      this.#batch.length === 0
        ? Infinity
        : this.#batchSinceMs + config.maxBufferAgeMillis - performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.max(1, Math.min(restMs, dueMs)));
    this.#wake = () => {
      // Changes that come at once are looked at together.
      setTimeout(resolve, stop.aborted ? 0 : Math.min(pollMs, Math.max(1, dueMs)));
    };
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
    if (!isWatched) for (const file of this.#files.files) file.dirty = true;
  }

  #watch(): void {
    const directories = this.#files.directories;
    for (const [directory, watcher] of this.#watchers)
      if (!directories.has(directory)) {
        watcher.close();
        this.#watchers.delete(directory);
      }
    for (const directory of directories) {
      if (this.#watchers.has(directory) || this.#watchers.size >= WATCHES_MAX) continue;
      try {
        const watcher = watch(directory, (event, name) => this.#changed(directory, name, event === 'rename'));
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(directory);
        });
        this.#watchers.set(directory, watcher);
      } catch {
        // The rescan finds what can't be watched.
      }
    }
  }

  /** A name that came up, or may lead to another file by now, asks for a scan. */
  #changed(directory: string, name: string | null, renamed: boolean): void {
    const path = name === null ? undefined : join(directory, basename(name));
    const known = this.#files.files.filter((file) => path === undefined || file.path === path);
    for (const file of known) file.dirty = true;
    if (renamed || known.length === 0) this.#scanMs = Number.NEGATIVE_INFINITY;
    this.#wake?.();
  }
}
