/** What is kept, for how long, and what happens when it is not what it should be. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import {
  FaultyStore,
  MemoryStore,
  objectStoreContract,
  type Fault,
  type StoreCall,
} from '../testing/index.ts';
import { CachedStore, type CachedStoreOptions, keepingOf } from './cached-store.ts';

const directories: string[] = [];
after(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-cache-'));
  directories.push(directory);
  return directory;
}

const UUID = '5f0c7127-ce98-4cf7-ba51-e28c4ef0b9f';
/** Path of a data file with a UUID in its name; `digit` tells such files apart. */
const dataPath = (digit: number): string => `t/part-${UUID}${digit}.parquet`;

interface Setting {
  cached: CachedStore;
  inner: MemoryStore;
  calls: StoreCall[];
  options: CachedStoreOptions;
  plan: (next: (call: StoreCall) => Fault | undefined) => void;
  reopened: (changes?: Partial<CachedStoreOptions>) => Promise<CachedStore>;
}

/** A cache of 100 bytes, unless said otherwise, before a store that counts its calls. */
async function newCache(changes: Partial<CachedStoreOptions> = {}): Promise<Setting> {
  const inner = new MemoryStore();
  const calls: StoreCall[] = [];
  let plan: (call: StoreCall) => Fault | undefined = () => undefined;
  const counted = new FaultyStore(inner, (call) => {
    calls.push(call);
    return plan(call);
  });
  const options = { directory: await newDirectory(), sizeBytesMax: 100, ...changes };
  const reopened = (more: Partial<CachedStoreOptions> = {}): Promise<CachedStore> =>
    CachedStore.open(counted, { ...options, ...more });
  return { cached: await reopened(), inner, calls, options, plan: (next) => (plan = next), reopened };
}

async function putData(inner: MemoryStore, count: number, sizeBytes = 30): Promise<void> {
  for (let at = 0; at < count; at += 1) await inner.put(dataPath(at), Buffer.alloc(sizeBytes, at));
}

const data = (...digits: number[]): { path: string; sizeBytes: number }[] =>
  digits.map((digit) => ({ path: dataPath(digit), sizeBytes: 30 }));

async function textOf(store: CachedStore, path: string): Promise<string> {
  return Buffer.from(await store.read(path)).toString();
}

objectStoreContract('CachedStore', async () => (await newCache({ sizeBytesMax: 10_000_000 })).cached);

describe('CachedStore', () => {
  it('knows which names may be kept', () => {
    const kept = (path: string, trustLogNames = false): string => keepingOf(path, { trustLogNames });
    assert.equal(kept(dataPath(1)), 'trusted');
    assert.equal(kept(`t/deletion_vector_${UUID}0.bin`), 'trusted');
    assert.equal(kept('t/p=1/plain.parquet'), 'validated');
    assert.equal(kept('t/_delta_log/_last_checkpoint', true), 'never');
    assert.equal(kept('t/_delta_log/00000000000000000001.json'), 'never');
    assert.equal(kept('t/_delta_log/00000000000000000001.json', true), 'trusted');
    assert.equal(kept('t/_delta_log/00000000000000000010.checkpoint.parquet'), 'validated');
    assert.equal(kept(`t/_delta_log/00000000000000000010.checkpoint.${UUID}0.parquet`), 'trusted');
    assert.equal(kept(`t/_delta_log/00000000000000000010.checkpoint.${UUID}0.json`), 'trusted');
    assert.equal(kept('t/_delta_log/00000000000000000010.crc', true), 'never');
  });

  it('fetches an object once for all who want it, and keeps it over a restart', async () => {
    const { cached, inner, calls, reopened } = await newCache();
    await putData(inner, 2);
    const all = await Promise.all([
      cached.localise(data(0, 1)),
      cached.localise(data(0)),
      cached.localise(data(0)),
    ]);
    assert.equal(calls.filter(({ verb }) => verb === 'read').length, 2);
    for (const local of all) {
      assert.deepEqual(await readFile(local.localPath(dataPath(0))), Buffer.alloc(30, 0));
      local.release();
      local.release();
      assert.throws(() => local.localPath(dataPath(0)));
    }
    assert.equal(cached.counts.pinnedBytes, 0);
    calls.length = 0;
    const again = await reopened();
    assert.equal(again.counts.sizeBytes, 60);
    (await again.localise(data(0, 1))).release();
    assert.deepEqual(await again.read(dataPath(1), { offset: 28, length: 9 }), Buffer.from([1, 1]));
    assert.deepEqual(calls, []);
  });

  it('gives up the least recently used, never what someone uses', async () => {
    const { cached, inner, calls, options } = await newCache();
    await putData(inner, 5);
    const pinned = await cached.localise(data(0));
    (await cached.localise(data(1))).release();
    (await cached.localise(data(2))).release();
    (await cached.localise(data(1))).release();
    (await cached.localise(data(3))).release();
    assert.equal(cached.counts.sizeBytes, 90);
    calls.length = 0;
    (await cached.localise(data(0, 1, 3))).release();
    assert.deepEqual(calls, []);
    (await cached.localise(data(2, 4))).release();
    assert.deepEqual(await readFile(pinned.localPath(dataPath(0))), Buffer.alloc(30, 0));
    assert.equal((await readdir(options.directory)).length, 3);
    assert.ok(cached.counts.sizeBytes <= 100);
    pinned.release();
  });

  it('waits for space that others use, in turn; says so when there can be none', async () => {
    const { cached, inner, reopened } = await newCache();
    await putData(inner, 5);
    const first = await cached.localise(data(0, 1));
    const order: string[] = [];
    const large = cached.localise(data(2, 3, 4)).then((local) => {
      order.push('large');
      return local;
    });
    // There would be space for it at once, but it came later.
    const small = cached.localise(data(1)).then((local) => {
      order.push('small');
      return local;
    });
    // Both stand in the queue then.
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, []);
    first.release();
    (await large).release();
    (await small).release();
    assert.deepEqual(order, ['large', 'small']);
    await assert.rejects(cached.localise(data(0, 1, 2, 3)), { code: 'no-space', retry: 'never' });
    const impatient = await reopened({ waitMsMax: 1 });
    const held = await impatient.localise(data(0, 1, 2));
    await assert.rejects(impatient.localise(data(3)), { code: 'no-space' });
    held.release();
    (await impatient.localise(data(3))).release();
    assert.equal(impatient.counts.pinnedBytes, 0);
  });

  it('ends the wait of one whose signal is aborted, and no one else’s', async () => {
    const { cached, inner } = await newCache();
    await putData(inner, 4);
    const first = await cached.localise(data(0, 1, 2));
    const controller = new AbortController();
    const aborted = cached.localise(data(3), controller.signal);
    const patient = cached.localise(data(3));
    controller.abort(new Error('enough'));
    await assert.rejects(aborted, /enough/);
    first.release();
    (await patient).release();
    await assert.rejects(cached.localise(data(3), controller.signal), /enough/);
    assert.equal(cached.counts.pinnedBytes, 0);
  });

  it('keeps nothing of a failed or short read, and tries again', async () => {
    const { cached, inner, plan, options } = await newCache();
    await putData(inner, 2);
    plan(({ verb }) => (verb === 'read' ? 'refuse' : undefined));
    await assert.rejects(cached.localise(data(0, 1)), /refused/);
    plan(({ verb }) => (verb === 'read' ? 'truncate' : undefined));
    await assert.rejects(cached.localise(data(0)), { code: 'corrupt-log', message: /15 bytes.*30/ });
    await assert.rejects(cached.localise([{ path: 't/none.parquet', sizeBytes: 1 }]), { code: 'not-found' });
    plan(() => undefined);
    assert.deepEqual(await readdir(options.directory), []);
    assert.deepEqual([cached.counts.pinnedBytes, cached.counts.sizeBytes], [0, 0]);
    (await cached.localise(data(0, 1))).release();
  });

  it('fetches again what was damaged or removed behind its back', async () => {
    const { cached, inner, options, reopened } = await newCache();
    await putData(inner, 2);
    (await cached.localise(data(0, 1))).release();
    const [a = '', b = ''] = (await readdir(options.directory)).map((name) => join(options.directory, name));
    await truncate(a, 7);
    await rm(b);
    const local = await cached.localise(data(0, 1));
    assert.deepEqual(await readFile(local.localPath(dataPath(0))), Buffer.alloc(30, 0));
    assert.deepEqual(await readFile(local.localPath(dataPath(1))), Buffer.alloc(30, 1));
    local.release();
    await truncate(a, 7);
    await writeFile(join(options.directory, 'left-behind.tmp'), 'torn');
    const again = await reopened();
    assert.equal(again.counts.sizeBytes, 30);
    assert.equal((await readdir(options.directory)).length, 1);
    assert.equal((await stat(b).catch(() => stat(a))).size, 30);
  });

  it('asks whether an object whose name may come again is the same', async () => {
    const { cached, inner, calls } = await newCache({ sizeBytesMax: 1000 });
    const path = 't/_delta_log/00000000000000000010.checkpoint.parquet';
    await inner.put(path, Buffer.from('old'));
    assert.equal(await textOf(cached, path), 'old');
    assert.equal(await textOf(cached, path), 'old');
    assert.equal(calls.filter(({ verb }) => verb === 'read').length, 1);
    await inner.put(path, Buffer.from('new'));
    assert.equal(await textOf(cached, path), 'new');
    const commit = 't/_delta_log/00000000000000000000.json';
    await inner.put(commit, Buffer.from('first table'));
    assert.equal(await textOf(cached, commit), 'first table');
    await inner.put(commit, Buffer.from('second'));
    assert.equal(await textOf(cached, commit), 'second');
  });

  it('forgets what is deleted or replaced through it', async () => {
    const { cached, inner } = await newCache();
    await putData(inner, 1);
    (await cached.localise(data(0))).release();
    await cached.delete(dataPath(0));
    await assert.rejects(cached.read(dataPath(0)), { code: 'not-found' });
    assert.equal(cached.counts.sizeBytes, 0);
  });

  it('reads on past a cache that is too small', async () => {
    const { cached, inner } = await newCache({ sizeBytesMax: 10 });
    await putData(inner, 1);
    assert.equal((await cached.read(dataPath(0))).length, 30);
    assert.equal(cached.counts.sizeBytes, 0);
  });
});
