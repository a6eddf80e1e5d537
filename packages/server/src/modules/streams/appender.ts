/** Turns a request's records into a batch of the journal, and what became of that into the request's answer. */
import { assert } from '../../base/assert.ts';
import type { Appended, RecordsIn, ShardState } from './api.ts';
import { BatchEncoder, type Refused } from './core/batch-encoder.ts';
import type { Router } from './core/routing.ts';
import { streamsError } from './errors.ts';
import type { StreamSealer } from './encryption/data-keys.ts';
import type { Journal } from './journal/journal.ts';
import type { StreamsLimits } from './limits.ts';
import type { Shard } from './shard.ts';

export interface Appending {
  /** Resolves when the records are durable and visible; rejects when they aren't acknowledged. */
  readonly durable: Promise<void>;
  /** To be called once, after `durable`. */
  answer(): Appended;
}

/** Where records go: shards by the router's positions, and what encrypts them, if anything does. */
export interface Target {
  readonly open: readonly Shard[];
  readonly router: Router;
  readonly sealer: StreamSealer | undefined;
}

export class Appender {
  readonly #journal: Journal;
  readonly #limits: StreamsLimits;
  readonly #encoder = new BatchEncoder();

  constructor(journal: Journal, limits: StreamsLimits) {
    this.#journal = journal;
    this.#limits = limits;
  }

  /** Routes and enqueues in the caller's turn, so that a fence parts what is before it from what is after. */
  start({ open, router, sealer }: Target, records: RecordsIn): Appending {
    const count = records.partitionKeys.length;
    assert(count === records.data.length, 'columns must have one length');
    if (count === 0) throw streamsError({ code: 'invalid', message: 'there is no record to append' });
    this.#journal.admit(1);
    const encoded = this.#encoder.encode(records, router, {
      uidOf: (shard) => open[shard]!.uid,
      allocate: this.#journal.allocate,
      bytesMax: this.#limits.batchBytesMax,
      sealed: sealer !== undefined,
    });
    if ('problem' in encoded) throw this.#refusal(encoded);
    this.#journal.admit(encoded.buffer.length);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Not by `Array.from`, which costs more for one record than routing it.
    const shards: Shard[] = [];
    for (let section = 0; section < encoded.sectionShards.length; section++)
      shards.push(open[encoded.sectionShards[section]!]!);
    const batch = {
      buffer: encoded.buffer,
      shards,
      counts: encoded.sectionCounts,
      firstOffsets: new Float64Array(encoded.sectionShards.length),
      arrivalMs: 0,
      sealer,
      resolve,
      reject,
    };
    this.#journal.append(batch);
    return { durable: promise, answer: () => answerOf(batch, encoded.recordSections) };
  }

  #refusal({ record, problem }: Refused) {
    const messages = {
      'explicit-hash-key': `the explicit hash key of record ${record} is not a decimal number from 0 to 2^128 - 1`,
      base64: `the data of record ${record} is not base64`,
      'too-large': `the records take more than ${this.#limits.batchBytesMax} bytes together`,
    };
    return streamsError({ code: 'invalid', message: messages[problem] });
  }
}

function answerOf(
  batch: {
    readonly shards: readonly Shard[];
    readonly firstOffsets: Float64Array;
    readonly arrivalMs: number;
    readonly sealer: StreamSealer | undefined;
  },
  recordSections: Int32Array,
): Appended {
  // The first offsets have served the journal: they count up to the next of their section now.
  const next = batch.firstOffsets;
  const count = recordSections.length;
  const offsets = new Float64Array(count);
  const shards: ShardState[] = [];
  for (let index = 0; index < count; index++) {
    const section = recordSections[index]!;
    shards.push(batch.shards[section]!);
    offsets[index] = next[section]!++;
  }
  return { shards, offsets, arrivalMs: batch.arrivalMs, encrypted: batch.sealer !== undefined };
}
