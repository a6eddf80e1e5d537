import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodeDisk } from '../../../adapters/node-disk/index.ts';
import type { ShardRef, Streams } from '../../../modules/streams/index.ts';
import { newWorld, openStreams } from '../../../modules/streams/testing/open-streams.ts';
import { message, messageHeaders } from './event-stream.ts';
import { jsonEvents } from './shard-event.ts';
import { ShardEvents } from './shard-events.ts';
import { readMessage } from './testing/subscriber.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

interface Log {
  readonly streams: Streams;
  readonly shard: ShardRef;
  readonly events: ShardEvents;
  /** Reads of the log. */
  reads(): number;
  append(...texts: string[]): Promise<void>;
  tail(): number;
}

async function openLog(): Promise<Log> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-events-'));
  closing.push(() => rmSync(directory, { recursive: true }));
  const world = await newWorld(createNodeDisk(), directory);
  const streams = await openStreams(world);
  closing.push(() => streams.close());
  await streams.create({ name: 's', shardCount: 1, mode: 'PROVISIONED' });
  const state = () => streams.describe('s').shards[0]!;
  let reads = 0;
  const counted = Object.create(streams, {
    read: {
      value: (...args: Parameters<Streams['read']>) => {
        reads++;
        return streams.read(...args);
      },
    },
  }) as Streams;
  return {
    streams,
    shard: state(),
    events: new ShardEvents(counted, jsonEvents('application/x-amz-json-1.1')),
    reads: () => reads,
    async append(...texts) {
      await streams.append('s', {
        partitionKeys: texts.map(() => 'k'),
        data: texts.map((text) => Buffer.from(text)),
      });
    },
    tail: () => state().nextOffset,
  };
}

const LARGE = 'x'.repeat(100_000);
const textsIn = (chunks: readonly Buffer[]) => {
  const { Records } = JSON.parse(readMessage(Buffer.concat(chunks)).body.toString()) as {
    Records: { Data: string }[];
  };
  return Records.map(({ Data }) => Buffer.from(Data, 'base64').toString());
};

test('subscriptions at one position send the same bytes, which are read once', async () => {
  const { events, shard, reads, append, tail } = await openLog();
  await append('a', 'b');
  const [one, two] = await Promise.all([events.at(shard, 0, tail()), events.at(shard, 0, tail())]);
  assert.equal(one.chunks(0)[0], two.chunks(0)[0]);
  assert.equal((await events.at(shard, 0, tail())).chunks(0)[0], one.chunks(0)[0]);
  assert.equal(reads(), 1);
  assert.deepEqual(textsIn(one.chunks(0)), ['a', 'b']);
});

test('one that is behind shares the records, and says itself how far', async () => {
  const { events, shard, append, tail } = await openLog();
  await append('a');
  const event = await events.at(shard, 0, tail());
  const [whole] = event.chunks(0);
  const [records, end] = event.chunks(123_456);
  assert.equal(records!.buffer, whole!.buffer);
  assert.ok(end!.length < 32);
  const behind = (chunks: readonly Buffer[]) =>
    (JSON.parse(readMessage(Buffer.concat(chunks)).body.toString()) as { MillisBehindLatest: number })
      .MillisBehindLatest;
  assert.equal(behind([whole!]), 0);
  assert.equal(behind([records!, end!]), 123_456);
});

test('who lags gets what came since in one event, and meets the others at a large one', async () => {
  const { events, shard, reads, append, tail } = await openLog();
  await append('a');
  await events.at(shard, 0, tail());
  await append('b', 'c');
  const caughtUp = await events.at(shard, 0, tail());
  assert.deepEqual(textsIn(caughtUp.chunks(0)), ['a', 'b', 'c']);
  await append(LARGE);
  const large = await events.at(shard, 3, tail());
  await append('d');
  assert.deepEqual(textsIn((await events.at(shard, 1, tail())).chunks(0)), ['b', 'c']);
  const before = reads();
  assert.equal(await events.at(shard, 3, tail()), large);
  assert.equal(reads(), before);
});

test('from any start, the events one after another are the log', async () => {
  const { events, shard, append, tail } = await openLog();
  const texts = Array.from({ length: 60 }, (_, index) => `${index}-${index % 7 === 0 ? LARGE : ''}`);
  for (const text of texts) await append(text);
  for (const start of [0, 30, 13, 59, 1, 0]) {
    const found: string[] = [];
    for (let offset = start; offset < tail();) {
      const event = await events.at(shard, offset, tail());
      found.push(...textsIn(event.chunks(0)));
      offset = event.nextOffset;
    }
    assert.deepEqual(found, texts.slice(start));
  }
});

test('what is kept is bounded, and a failed read is not kept', async () => {
  const { events, shard, reads, append, tail } = await openLog();
  for (let index = 0; index < 150; index++) await append('x'.repeat(250_000));
  for (let offset = 0; offset < 150; offset++) await events.at(shard, offset, tail());
  assert.equal(reads(), 150);
  await events.at(shard, 149, tail());
  assert.equal(reads(), 150);
  await events.at(shard, 0, tail());
  assert.equal(reads(), 151, '50 MB are not kept');
  events.clear();
  await events.at(shard, 149, tail());
  assert.equal(reads(), 152);
  const gone = { uid: 999, shardId: 'shardId-000000000009' };
  await assert.rejects(events.at(gone, 0, 1));
  await assert.rejects(events.at(gone, 0, 1));
  assert.equal(reads(), 154);
});

test('a message has its headers, its body and checksums that hold', () => {
  const bytes = message(messageHeaders({ ':event-type': 'é', b: '' }), '{"a":1}');
  const { headers, body } = readMessage(bytes);
  assert.deepEqual(headers, { ':event-type': 'é', b: '' });
  assert.equal(body.toString(), '{"a":1}');
});
