import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { SeededRandom } from '../../../adapters/sim/index.ts';
import { SimDisk } from '../../../adapters/sim-disk/index.ts';
import type { Disk } from '../../../ports/disk.ts';
import type { KeyService } from '../../../ports/key-service.ts';
import { AT, BATCH_FORMAT_SEALED, BATCH_MAGIC, SEAL_AT, SEAL_BYTES } from '../core/batch-format.ts';
import { createMemoryKeys } from '../testing/memory-keys.ts';
import { appendTexts, newWorld, openStreams, readAll, textsOf } from '../testing/open-streams.ts';

const ALIAS = { key: 'alias/aws/kinesis', named: 'alias/aws/kinesis' };
const ALL = { recordsMax: 1_000, bytesMax: 1_000_000 };
/** A few appends to a segment, and nothing stays in memory. */
const SMALL = { segmentBytesMax: 700, tailBytesMax: 0, readCacheBytesMax: 0, indexCacheBytesMax: 0 };
const SHARD = 'shardId-000000000000';

async function setUp(limits = {}, wrap = (disk: Disk): Disk => disk) {
  const disk = new SimDisk({ random: new SeededRandom(1) });
  const keys = createMemoryKeys();
  const world = { ...(await newWorld(wrap(disk.attach()), '/data')), keys };
  const streams = await openStreams(world, limits);
  for (const name of ['secret', 'plain']) await streams.create({ name, shardCount: 1, mode: 'PROVISIONED' });
  await streams.startEncryption('secret', ALIAS);
  return { disk, keys, world, streams, limits, wrap };
}
type SetUp = Awaited<ReturnType<typeof setUp>>;

async function restart({ disk, world, limits, wrap }: SetUp, keys: KeyService = world.keys) {
  const next = { ...world, disk: wrap(disk.attach()), keys };
  return openStreams(next, limits);
}

const files = ({ disk }: SetUp) => disk.paths().map((path) => disk.contentOf(path)!);
const segments = ({ disk }: SetUp) => disk.paths().filter((path) => path.endsWith('.seg'));
const contains = (set: SetUp, text: string) => files(set).some((content) => content.includes(text));
const read = (streams: SetUp['streams'], name: string) => readAll(streams, streams.shard(name, SHARD));

test('records are read as they were put, from memory, from segments and after a restart; no file has them', async () => {
  for (const limits of [{}, SMALL]) {
    const set = await setUp(limits);
    const texts = Array.from({ length: 20 }, (_, index) => `classified-${index}`);
    for (const text of texts) {
      await appendTexts(set.streams, 'secret', text, `${text}-b`);
      await appendTexts(set.streams, 'plain', `public-${text.slice(11)}`);
    }
    const expected = texts.flatMap((text) => [text, `${text}-b`]);
    assert.deepEqual(await read(set.streams, 'secret'), expected);
    const some = await set.streams.read(set.streams.shard('secret', SHARD), 7, { ...ALL, recordsMax: 2 });
    assert.deepEqual(textsOf(some), expected.slice(7, 7 + textsOf(some).length));
    assert.equal(some.runs[0]!.encrypted, true);
    await set.streams.close();
    const again = await restart(set);
    assert.deepEqual(await read(again, 'secret'), expected);
    assert.deepEqual(again.describe('secret').settings.encryption?.key, 'alias/aws/kinesis');
    await appendTexts(again, 'secret', 'classified-last');
    assert.deepEqual((await read(again, 'secret')).at(-1), 'classified-last');
    assert.equal(contains(set, 'public-3'), true);
    assert.equal(contains(set, 'classified'), false);
  }
});

test('partition keys are not in the files either', async () => {
  const set = await setUp();
  const put = (name: string, key: string) =>
    set.streams.append(name, { partitionKeys: [key], data: [Buffer.from('x')] });
  await put('secret', 'person-of-interest');
  await put('plain', 'person-of-no-interest');
  assert.deepEqual(
    [contains(set, 'person-of-interest'), contains(set, 'person-of-no-interest')],
    [false, true],
  );
});

test('a stopped encryption leaves what is stored as it is and readable, and starts again', async () => {
  const set = await setUp(SMALL);
  await appendTexts(set.streams, 'secret', 'hidden-1');
  await set.streams.stopEncryption('secret');
  await appendTexts(set.streams, 'secret', 'shown-2');
  await set.streams.startEncryption('secret', { key: 'alias/other', named: 'arn of other' });
  await appendTexts(set.streams, 'secret', 'hidden-3');
  assert.equal(set.streams.describe('secret').settings.encryption?.key, 'arn of other');
  for (const streams of [set.streams, await restart(set)])
    assert.deepEqual(await read(streams, 'secret'), ['hidden-1', 'shown-2', 'hidden-3']);
  assert.deepEqual([contains(set, 'hidden'), contains(set, 'shown')], [false, true]);
});

test('other streams are written byte for byte as without encryption', async () => {
  const write = async (encrypted: boolean) => {
    const set = await setUp();
    if (!encrypted) await set.streams.stopEncryption('secret');
    for (let index = 0; index < 5; index++) await appendTexts(set.streams, 'plain', `p${index}`, `q${index}`);
    await set.streams.close();
    return set.disk.contentOf(segments(set)[0]!)!;
  };
  assert.deepEqual(await write(true), await write(false));
});

test('the metadata has one data key for each segment, in its place before the first record is acknowledged', async () => {
  const set = await setUp(SMALL);
  for (let index = 0; index < 12; index++) await appendTexts(set.streams, 'secret', `text ${index}`);
  const sealed = segments(set).map((path) => sealsOf(set.disk.contentOf(path)!).map(({ key }) => key));
  assert.ok(sealed.length > 2);
  const keys = sealed.flatMap((ids) => [...new Set(ids)]);
  assert.equal(keys.length, sealed.length);
  assert.equal(new Set(keys).size, keys.length);
  set.disk.losePower();
  assert.equal((await read(await restart(set), 'secret')).length, 12);
});

test('no data key meets a nonce twice: not after a full disk, a torn tail, a kill or a restart', async () => {
  const written = new Map<string, string>();
  const reused: string[] = [];
  let nonces = 0;
  const watching = (disk: Disk): Disk => ({
    ...disk,
    open: async (path, options) => {
      const file = await disk.open(path, options);
      return {
        ...file,
        write: (buffers, position) => {
          for (const { key, count, tag } of sealsOf(Buffer.concat(buffers))) {
            nonces++;
            // The same bytes again, without the room behind them, are no second use.
            if ((written.get(`${key}/${count}`) ?? tag) !== tag) reused.push(`${key}/${count}`);
            written.set(`${key}/${count}`, tag);
          }
          return file.write(buffers, position);
        },
      };
    },
  });
  const set = await setUp({ roomBytes: 0 }, watching);
  let { streams } = set;
  const acknowledged: string[] = [];
  for (let round = 0; round < 12; round++) {
    const text = `round ${round}`;
    set.disk.capacityBytes = round % 3 === 1 ? set.disk.usedBytes() + 10 : Infinity;
    if (round % 3 === 2) {
      // Written and never acknowledged: the next life writes other bytes at its position.
      set.disk.failSyncs = 1;
      await assert.rejects(appendTexts(streams, 'secret', `lost ${round}`), { code: 'storage-failed' });
      set.disk.losePower();
      streams = await restart(set);
      continue;
    }
    await appendTexts(streams, 'secret', text).then(
      () => acknowledged.push(text),
      (error: { code: string }) => assert.equal(error.code, 'storage-full'),
    );
  }
  assert.deepEqual(reused, []);
  const found = await read(streams, 'secret');
  assert.deepEqual(
    found.filter((text) => text.startsWith('round')),
    acknowledged,
  );
  assert.ok(nonces > 10 && acknowledged.length >= 4);
});

test('changed ciphertext is damage, even where its checksum is right', async () => {
  const set = await setUp();
  await appendTexts(set.streams, 'secret', 'one', 'two');
  await appendTexts(set.streams, 'secret', 'three');
  await appendTexts(set.streams, 'plain', 'fine');
  await set.streams.close();
  const path = segments(set)[0]!;
  const content = set.disk.contentOf(path)!;
  const { at, length } = sealsOf(content)[0]!;
  const bytesAt = content.readUInt32LE(at + 64 + 24);
  // The ciphertext, the tag, the nonce and a bound between key and data.
  const seal = at + length - SEAL_BYTES;
  for (const position of [at + bytesAt, seal, seal + SEAL_AT.count, at + 64 + 32 + 4]) {
    set.disk.corrupt(path, position, (byte) => byte ^ 1);
    const batch = Buffer.from(set.disk.contentOf(path)!.subarray(at, at + length));
    const crc = Buffer.alloc(4);
    crc.writeUInt32LE(crc32(batch.subarray(AT.length)));
    for (const [index, byte] of crc.entries()) set.disk.corrupt(path, at + AT.crc + index, () => byte);
    const streams = await restart(set);
    const shard = streams.shard('secret', SHARD);
    await assert.rejects(streams.read(shard, 0, ALL), { code: 'damaged' }, `byte ${position - at}`);
    await assert.rejects(streams.read(shard, 0, ALL), { code: 'damaged' }, 'again');
    assert.deepEqual(textsOf(await streams.read(shard, 2, ALL)), ['three']);
    assert.deepEqual(await read(streams, 'plain'), ['fine']);
    await streams.close();
    set.disk.corrupt(path, position, (byte) => byte ^ 1);
    // Put back whole, it is read again.
    const whole = Buffer.from(set.disk.contentOf(path)!.subarray(at, at + length));
    crc.writeUInt32LE(crc32(whole.subarray(AT.length)));
    for (const [index, byte] of crc.entries()) set.disk.corrupt(path, at + AT.crc + index, () => byte);
  }
  assert.deepEqual(await read(await restart(set), 'secret'), ['one', 'two', 'three']);
});

test('a lost master key is told with its stream and its name; other streams go on', async () => {
  const set = await setUp();
  await appendTexts(set.streams, 'secret', 'one');
  const { masterKeyId } = set.streams.describe('secret').settings.encryption!;
  await set.streams.close();
  const other = createMemoryKeys();
  const streams = await restart(set, other);
  const lost = (error: { code?: string; message: string }) =>
    error.code === 'key-not-found' &&
    error.message.includes('"secret"') &&
    error.message.includes(masterKeyId);
  await assert.rejects(read(streams, 'secret'), lost);
  const [appended] = await Promise.allSettled([
    appendTexts(streams, 'secret', 'two'),
    appendTexts(streams, 'plain', 'fine'),
  ]);
  assert.ok(appended.status === 'rejected' && lost(appended.reason as { code: string; message: string }));
  assert.deepEqual(await read(streams, 'plain'), ['fine']);
  await streams.close();
  const back = await restart(set);
  assert.deepEqual(await read(back, 'secret'), ['one']);
  await appendTexts(back, 'secret', 'two');
  assert.deepEqual(await read(back, 'secret'), ['one', 'two']);
});

test('a start with a key that is not there changes nothing', async () => {
  const { streams, world } = await setUp();
  const missing = '11111111-2222-4333-8444-555555555555';
  await assert.rejects(streams.startEncryption('plain', { key: missing, named: missing }), {
    code: 'key-not-found',
  });
  assert.equal(streams.describe('plain').settings.encryption, undefined);
  await streams.close();
  const { keys: _, ...without } = world;
  const bare = await openStreams(without);
  await assert.rejects(bare.startEncryption('plain', ALIAS), { code: 'key-unusable' });
  await appendTexts(bare, 'plain', 'fine');
});

test('data keys go with their segments and with their stream', async () => {
  const set = await setUp(SMALL);
  const count = async () =>
    (
      await set.world.meta
        .tables<{ streams_data_key: { id: number } }>()
        .selectFrom('streams_data_key')
        .selectAll()
        .execute()
    ).length;
  for (let index = 0; index < 12; index++) await appendTexts(set.streams, 'secret', `text ${index}`);
  assert.equal(await count(), segments(set).length);
  for (const ms of [25 * 3_600_000, 60_001, 60_001]) {
    set.world.clock.advance(ms);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await set.streams.close();
  const streams = await restart(set);
  assert.ok((await count()) <= segments(set).length);
  await appendTexts(streams, 'secret', 'more');
  await streams.delete('secret');
  assert.equal(await count(), 0);
});

/** Of each section of the sealed batches in bytes that begin anywhere before a batch. */
function sealsOf(bytes: Buffer) {
  const found: { at: number; length: number; key: number; count: number; tag: string }[] = [];
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(BATCH_MAGIC);
  for (let at = bytes.indexOf(magic); at !== -1; at = bytes.indexOf(magic, at + 1)) {
    if (bytes.length - at < 64 || bytes.readUInt32LE(at + AT.format) !== BATCH_FORMAT_SEALED) continue;
    const length = bytes.readUInt32LE(at + AT.length);
    const sections = bytes.readUInt32LE(at + AT.sectionCount);
    for (let seal = at + length - sections * SEAL_BYTES; seal < at + length; seal += SEAL_BYTES)
      found.push({
        at,
        length,
        key: bytes.readDoubleLE(at + AT.dataKey),
        count: bytes.readDoubleLE(seal + SEAL_AT.count),
        tag: bytes.toString('hex', seal, seal + 16),
      });
  }
  return found;
}
