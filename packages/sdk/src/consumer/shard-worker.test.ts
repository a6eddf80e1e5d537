/** One worker on one shard: real leases in memory, batches from a list. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Checkpoint, type Lease, newLease, requested, taken } from './core/lease.ts';
import type { KinesisRecord } from './deaggregate.ts';
import { ConsumerError } from './errors.ts';
import type { ConsumerEvent } from './events.ts';
import { HeldLease } from './held-lease.ts';
import { MemoryLeaseStore } from './leases/memory-lease-store.ts';
import { type ConsumerOptions, settingsOf } from './options.ts';
import type { RecordBatch } from './processor.ts';
import { ShardWorker } from './shard-worker.ts';
import type { Source } from './sources/source.ts';
import { aggregate } from './testing/aggregate.ts';
import { ManualClock } from './testing/manual-clock.ts';

const SCOPE = { application: 'app', stream: 'flights' };
const SHARD = 'shardId-000000000000';

const record = (number: number, data: Uint8Array = Buffer.from(`r${number}`)): KinesisRecord => ({
  partitionKey: 'k',
  sequenceNumber: String(number),
  data,
  arrivalMs: 0,
});
const textsOf = ({ records }: RecordBatch): string[] =>
  records.map(({ data }) => Buffer.from(data).toString());

interface World {
  readonly store: MemoryLeaseStore;
  readonly clock: ManualClock;
  readonly held: HeldLease;
  readonly worker: ShardWorker;
  readonly events: ConsumerEvent[];
  stored(): Promise<Lease>;
}

/** A shard of one record a batch, with a lease that this worker has just taken. */
async function open(
  batches: readonly (readonly KinesisRecord[])[],
  options: Partial<ConsumerOptions>,
  {
    isOpen = false,
    checkpoint = { kind: 'trim-horizon' },
  }: { isOpen?: boolean; checkpoint?: Checkpoint } = {},
): Promise<World> {
  const store = new MemoryLeaseStore();
  const clock = new ManualClock();
  const events: ConsumerEvent[] = [];
  const settings = settingsOf({
    ...SCOPE,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the batches come from a list
    client: {} as ConsumerOptions['client'],
    leases: store,
    clock,
    random: () => 0,
    onEvent: (event) => events.push(event),
    limits: { attemptsMax: 3 },
    ...options,
  });
  const lease = taken(newLease(SHARD, [], checkpoint), settings.me);
  await store.create(SCOPE, lease);
  const { limits, report, random } = settings;
  const held = new HeldLease(lease, 0, { scope: SCOPE, store, clock, random, limits, report });
  const source: Source = async function* (_, from, signal) {
    const start =
      from.kind !== 'after'
        ? 0
        : Number(from.sequenceNumber) + (from.subSequenceNumber === undefined ? 1 : 0);
    const rest = batches.map((batch) =>
      batch.filter(({ sequenceNumber }) => Number(sequenceNumber) >= start),
    );
    for (const [index, records] of rest.entries())
      yield { records, millisBehindLatest: 0, isEnd: !isOpen && index === rest.length - 1 };
    if (isOpen) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  };
  const worker = new ShardWorker(held, source, settings);
  return { store, clock, held, worker, events, stored: async () => (await store.read(SCOPE, SHARD))! };
}

test('a shard is processed in order to its end, which is then written', async () => {
  const got: string[] = [];
  const { worker, stored } = await open([[record(1), record(2)], [], [record(3)]], {
    processor: () => ({
      process: (batch) => void got.push(...textsOf(batch)),
      end: () => void got.push('end'),
    }),
  });
  assert.deepEqual(await worker.run(), { kind: 'ended' });
  assert.deepEqual(got, ['r1', 'r2', 'r3', 'end']);
  const { checkpoint, owner } = await stored();
  assert.deepEqual({ checkpoint, owner }, { checkpoint: { kind: 'end' }, owner: undefined });
});

test('a batch that fails comes again, without what a checkpoint covers', async () => {
  const got: string[][] = [];
  const { worker, clock } = await open([[record(1), record(2), record(3)]], {
    onRecords: async (batch) => {
      got.push(textsOf(batch));
      if (batch.attempt > 1) return;
      await batch.checkpoint(batch.records[0]);
      throw new Error('no');
    },
  });
  clock.runFreely();
  assert.equal((await worker.run()).kind, 'ended');
  assert.deepEqual(got, [
    ['r1', 'r2', 'r3'],
    ['r2', 'r3'],
  ]);
});

test('onError is asked after the tries that are allowed: skip, retry and stop', async () => {
  const asked: string[] = [];
  const error = new Error('no');
  const answers = ['skip', 'retry', 'stop'] as const;
  const { worker, clock, stored, events } = await open([[record(1)], [record(2)], [record(3)]], {
    onRecords: () => {
      throw error;
    },
    onError: ({ batch }) => {
      asked.push(`${textsOf(batch).join()} ${batch.attempt}`);
      return answers[asked.length - 1]!;
    },
  });
  clock.runFreely();
  assert.deepEqual(await worker.run(), { kind: 'stop', error });
  assert.deepEqual(asked, ['r1 3', 'r2 3', 'r2 6']);
  const { checkpoint, owner } = await stored();
  assert.deepEqual(
    { checkpoint, owner },
    { checkpoint: { kind: 'after', sequenceNumber: '1' }, owner: undefined },
  );
  assert.equal(events.filter(({ kind }) => kind === 'batch-skipped').length, 1);
});

test('who is asked for the lease finishes its batch, and the checkpoint is there before the new owner', async () => {
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const { worker, store, stored } = await open([[record(1)], [record(2)]], {
    onRecords: async () => {
      begun.resolve();
      await finish.promise;
    },
  });
  const run = worker.run();
  await begun.promise;
  const lease = await stored();
  assert.ok(await store.replace(SCOPE, requested(lease, 'you'), lease.counter));
  worker.drain();
  assert.notEqual((await stored()).owner, 'you');
  finish.resolve();
  assert.deepEqual(await run, { kind: 'released' });
  const { owner, checkpoint, term, requestedBy } = await stored();
  assert.deepEqual(
    { owner, checkpoint, term, requestedBy },
    { owner: 'you', checkpoint: { kind: 'after', sequenceNumber: '1' }, term: 2, requestedBy: undefined },
  );
});

test('an old owner moves no checkpoint, learns that it lost the lease, and gets nothing more', async () => {
  const got: string[] = [];
  const said: unknown[] = [];
  const { worker, store, stored } = await open([[record(1)], [record(2)]], {
    processor: () => ({
      async process(batch) {
        got.push(...textsOf(batch));
        const lease = await stored();
        await store.replace(SCOPE, taken(lease, 'thief'), lease.counter);
        await batch.checkpoint().catch((error: unknown) => said.push(error));
        said.push(batch.signal.aborted);
      },
      lost: () => void said.push('lost'),
    }),
  });
  assert.deepEqual(await worker.run(), { kind: 'lost' });
  assert.deepEqual(got, ['r1']);
  assert.ok(said[0] instanceof ConsumerError && said[0].code === 'lease-lost');
  assert.deepEqual(said.slice(1), [true, 'lost']);
  const { owner, checkpoint } = await stored();
  assert.deepEqual({ owner, checkpoint }, { owner: 'thief', checkpoint: { kind: 'trim-horizon' } });
});

test('a lease that was not renewed in time is lost before anybody says so', async () => {
  const got: string[] = [];
  const { worker, clock } = await open([[record(1)], [record(2)]], {
    checkpoints: 'manual',
    onRecords: (batch) => {
      got.push(...textsOf(batch));
      clock.advance(10_000);
    },
  });
  assert.deepEqual(await worker.run(), { kind: 'lost' });
  assert.deepEqual(got, ['r1']);
});

test('a store that can not be reached is tried again until the lease has run out', async () => {
  const { held, clock, store, events, stored } = await open([], { onRecords: () => {} });
  const { replace } = store;
  let failures = 2;
  store.replace = async (...args) => {
    if (failures-- > 0) throw new Error('unreachable');
    return replace.apply(store, args);
  };
  clock.runFreely();
  await held.checkpoint({ kind: 'after', sequenceNumber: '5' });
  assert.deepEqual((await stored()).checkpoint, { kind: 'after', sequenceNumber: '5' });
  failures = Infinity;
  await assert.rejects(held.checkpoint({ kind: 'after', sequenceNumber: '6' }), { code: 'lease-lost' });
  assert.ok(clock.monotonicMs() >= 10_000);
  assert.ok(events.length > 2 && events.every(({ kind }) => kind === 'store-failed'));
});

test('a write whose answer was lost is taken for made', async () => {
  const { held, store, stored } = await open([], { onRecords: () => {} });
  const { replace } = store;
  store.replace = async (...args) => {
    await replace.apply(store, args);
    store.replace = replace;
    // What a client that tries again by itself is told.
    return false;
  };
  await held.checkpoint({ kind: 'after', sequenceNumber: '5' });
  await held.renew();
  assert.ok(held.isHeld());
  assert.equal((await stored()).counter, 3);
});

test('parts of an aggregated record come one by one, and a checkpoint within it is kept', async () => {
  const parts = ['a', 'b', 'c'].map((text) => ({ partitionKey: text, data: Buffer.from(text) }));
  const batches = [[record(1), record(2, aggregate(parts))]];
  const first = await open(
    batches,
    {
      checkpoints: 'manual',
      onRecords: async ({ records, checkpoint }) => {
        assert.deepEqual(
          records.map(({ partitionKey, subSequenceNumber }) => [partitionKey, subSequenceNumber]),
          [
            ['k', undefined],
            ['a', 0],
            ['b', 1],
            ['c', 2],
          ],
        );
        await checkpoint(records[2]);
        await assert.rejects(checkpoint(records[1]), { code: 'invalid-checkpoint' });
        await assert.rejects(checkpoint({ sequenceNumber: '3', subSequenceNumber: undefined }), {
          code: 'invalid-checkpoint',
        });
      },
      onError: () => 'stop',
    },
    { isOpen: true },
  );
  const run = first.worker.run();
  while ((await first.stored()).checkpoint.kind !== 'after') await new Promise(setImmediate);
  first.worker.drain();
  await run;
  const { checkpoint } = await first.stored();
  assert.deepEqual(checkpoint, { kind: 'after', sequenceNumber: '2', subSequenceNumber: 1 });
  const got: string[] = [];
  const second = await open(
    batches,
    { onRecords: (batch) => void got.push(...textsOf(batch)) },
    { checkpoint, isOpen: true },
  );
  const again = second.worker.run();
  while (got.length === 0) await new Promise(setImmediate);
  second.worker.drain();
  await again;
  assert.deepEqual(got, ['c']);
  assert.deepEqual((await second.stored()).checkpoint, { kind: 'after', sequenceNumber: '2' });
});

test('a record that only looks aggregated is delivered as it is', async () => {
  const bytes = Buffer.concat([Buffer.of(0xf3, 0x89, 0x9a, 0xc2), Buffer.alloc(30)]);
  const got: Uint8Array[] = [];
  const { worker, events } = await open([[record(1, bytes)]], {
    onRecords: ({ records }) => void got.push(...records.map(({ data }) => data)),
  });
  await worker.run();
  assert.deepEqual(got, [bytes]);
  assert.ok(events.some(({ kind }) => kind === 'malformed-aggregate'));
});

test('a processor that can not be made, or does not start, leaves the shard to the next', async () => {
  const fail = (): never => {
    throw new Error('no');
  };
  for (const processor of [fail, () => ({ start: fail, process: () => {} })]) {
    const { worker, clock, stored, events } = await open([[record(1)]], { processor });
    clock.runFreely();
    assert.deepEqual(await worker.run(), { kind: 'released' });
    assert.equal((await stored()).owner, undefined);
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['process-failed'],
    );
  }
});

test('no more than one batch is read ahead', async () => {
  const batches = Array.from({ length: 5 }, (_, index) => [record(index)]);
  let asked = 0;
  const { held } = await open([], { onRecords: () => {} });
  const settings = settingsOf({
    ...SCOPE,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the batches come from a list
    client: {} as ConsumerOptions['client'],
    leases: new MemoryLeaseStore(),
    checkpoints: 'manual',
    onRecords: ({ records }) => {
      const index = Number(records[0]!.sequenceNumber);
      assert.ok(asked <= index + 2, `${asked} batches were read at the ${index}th`);
    },
    onError: () => 'stop',
    limits: { attemptsMax: 1 },
  });
  const source: Source = async function* () {
    for (const batch of batches) {
      asked++;
      yield { records: batch, millisBehindLatest: 0, isEnd: asked === batches.length };
    }
  };
  assert.equal((await new ShardWorker(held, source, settings).run()).kind, 'ended');
  assert.equal(asked, 5);
});
