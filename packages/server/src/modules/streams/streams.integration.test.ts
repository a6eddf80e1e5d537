import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNodeDisk } from '../../adapters/node-disk/index.ts';
import { newWorld, openStreams, readAll } from './testing/open-streams.ts';

const directories: string[] = [];
async function temporary(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-streams-'));
  directories.push(directory);
  return directory;
}
after(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

test('copies taken while records are written recover all that was acknowledged before, in order', async () => {
  const limits = { segmentBytesMax: 100_000, tailBytesMax: 50_000 };
  const world = await newWorld(createNodeDisk(), await temporary());
  const streams = await openStreams(world, limits);
  await streams.create({ name: 's', shardCount: 3, mode: 'PROVISIONED' });
  const shards = streams.describe('s').shards;
  const acknowledged = new Map(shards.map((shard) => [shard.uid, [] as string[]]));
  const writing = new AbortController();
  const write = async (writer: number): Promise<void> => {
    for (let turn = 0; !writing.signal.aborted; turn++) {
      const texts = Array.from({ length: 10 }, (_, index) => `${writer}/${turn}/${index}`);
      const result = await streams.append('s', {
        partitionKeys: texts,
        data: texts.map((text) => Buffer.from(text).toString('base64')),
      });
      for (const [index, text] of texts.entries())
        acknowledged.get(result.shards[index]!.uid)![result.offsets[index]!] = text;
    }
  };
  const writers = [1, 2, 3, 4].map(write);
  for (let copy = 0; copy < 5; copy++) {
    await streams.waitFor(shards[0]!, streams.shard('s', shards[0]!.shardId).nextOffset + 200);
    const before = new Map([...acknowledged].map(([uid, texts]) => [uid, [...texts]]));
    const directory = await temporary();
    await cp(world.directory, directory, { recursive: true });
    const recovered = await openStreams({ ...world, directory }, limits);
    for (const shard of shards) {
      const texts = await readAll(recovered, shard);
      const expected = before.get(shard.uid)!;
      assert.deepEqual(texts.slice(0, expected.length), expected);
      assert.equal(new Set(texts).size, texts.length);
    }
    await recovered.close();
  }
  writing.abort();
  await Promise.all(writers);
  await streams.close();
  const again = await openStreams(world, limits);
  for (const shard of shards) assert.deepEqual(await readAll(again, shard), acknowledged.get(shard.uid));
  await again.close();
});
