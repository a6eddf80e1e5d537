import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { after, it } from 'node:test';
import { isDeltaError } from '../errors.ts';
import { MemoryStore, objectStoreContract } from '../testing/index.ts';
import { CachedStore } from './cached-store.ts';
import { LocalStore } from './local-store.ts';

const directories: string[] = [];
after(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  directories.push(directory);
  return directory;
}

const rootOf = new WeakMap<LocalStore, string>();

async function newLocalStore(): Promise<LocalStore> {
  const directory = await newDirectory();
  const store = new LocalStore(directory);
  rootOf.set(store, directory);
  return store;
}

objectStoreContract('MemoryStore', () => new MemoryStore());
objectStoreContract('LocalStore', newLocalStore, {
  addressOf: (store) => ({ kind: 'local', directory: rootOf.get(store) ?? '' }),
});

it('LocalStore shows neither temporary files nor what is outside of its directory', async () => {
  const directory = await newDirectory();
  const store = new LocalStore(directory);
  await store.put('a', Buffer.from('a'));
  assert.equal(await store.putIfAbsent('a', Buffer.from('b')), 'exists');
  assert.deepEqual(await readdir(directory), ['a'], 'a lost race leaves no temporary file');
  await writeFile(join(directory, '.left-behind.tmp'), 'torn');
  const paths: string[] = [];
  for await (const { path } of store.list('')) paths.push(path);
  assert.deepEqual(paths, ['a']);
  await assert.rejects(store.read('../a'), (error) => isDeltaError(error, 'io'));
});

it('LocalStore takes the checksums that Hadoop keeps beside a file along', async () => {
  const directory = await newDirectory();
  const store = new LocalStore(directory);
  for (const name of ['replaced', 'deleted']) {
    await writeFile(join(directory, name), 'of Spark');
    await writeFile(join(directory, `.${name}.crc`), 'of Spark');
  }
  await store.put('replaced', Buffer.from('new'));
  await store.delete('deleted');
  assert.deepEqual(await readdir(directory), ['replaced']);
});

it('LocalStore works below a directory that does not exist yet', async () => {
  const store = new LocalStore(join(await newDirectory(), 'not', 'yet'));
  assert.equal(await store.head('x'), undefined);
  for await (const { path } of store.list('')) assert.fail(path);
  await store.put('deep/er/x', Buffer.from('1'));
  assert.equal((await store.head('deep/er/x'))?.sizeBytes, 1);
});

it('LocalStore sweeps what crashed writers left, and nothing else', async () => {
  const directory = await newDirectory();
  const store = new LocalStore(directory);
  const uuid = '5f0c7127-ce98-4cf7-ba51-e28c4ef0b9f1';
  const old = [`.${uuid}.tmp`, `t/_delta_log/.${uuid}.tmp`, `t/p=1/tmp_.${uuid}.tmp`];
  const kept = ['t/data.tmp', `t/.${uuid}.tmp`, 't/.hidden.tmp', 'a.parquet'];
  await mkdir(join(directory, `t/p=2/.${uuid}.tmp/group=1`), { recursive: true });
  await writeFile(join(directory, `t/p=2/.${uuid}.tmp/group=1/data.parquet`), 'torn');
  for (const path of [...old, ...kept]) {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), 'torn');
  }
  const nowMs = 1_800_000_000_000;
  for (const path of [...old, `t/p=2/.${uuid}.tmp`, 't/data.tmp', 't/.hidden.tmp', 'a.parquet']) {
    await utimes(join(directory, path), nowMs / 1000 - 61, nowMs / 1000 - 61);
  }
  await utimes(join(directory, `t/.${uuid}.tmp`), nowMs / 1000 - 60, nowMs / 1000 - 60);
  const sweep = { olderThanMs: 60_000, nowMs };
  assert.equal(await store.sweepTemporaryFiles({ ...sweep, directory: 't/p=1' }), 1);
  assert.equal(await store.sweepTemporaryFiles(sweep), 3);
  assert.equal(await store.sweepTemporaryFiles({ ...sweep, directory: 'none' }), 0);
  const files = await readdir(directory, { recursive: true, withFileTypes: true });
  const left = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  assert.deepEqual(left.sort(), kept.map((path) => join(directory, path)).sort());
});

/** Mounts a disk of 1 MiB for the task, if that is allowed here. */
async function onSmallDisk(
  skip: (reason: string) => void,
  task: (directory: string) => Promise<void>,
): Promise<void> {
  const directory = await newDirectory();
  try {
    if (getuid?.() !== 0) return skip('mounting a small disk needs root');
    execFileSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'pipe' });
  } catch (error) {
    return skip(`no small disk can be mounted: ${String(error)}`);
  }
  try {
    await task(directory);
  } finally {
    execFileSync('/bin/umount', [directory]);
  }
}

it('LocalStore on a full disk says no-space, keeps what it has and leaves nothing in part', async (context) => {
  await onSmallDisk(
    (reason) => context.skip(reason),
    async (directory) => {
      const store = new LocalStore(directory);
      await store.put('kept', Buffer.alloc(300_000, 1));
      const large = Buffer.alloc(900_000, 2);
      await assert.rejects(store.put('large', large), { code: 'no-space', retry: 'backoff' });
      await assert.rejects(store.putIfAbsent('_log/large', large), { code: 'no-space' });
      await assert.rejects(store.put('kept', large), { code: 'no-space' });
      assert.equal(Buffer.compare(await store.read('kept'), Buffer.alloc(300_000, 1)), 0);
      assert.deepEqual(
        (await readdir(directory, { recursive: true })).sort(),
        ['_log', 'kept'],
        'no temporary file is left',
      );
      await store.delete('kept');
      assert.equal(await store.putIfAbsent('_log/large', large), 'created');
    },
  );
});

it('CachedStore on a full disk says no-space to who needs files, and reads on', async (context) => {
  await onSmallDisk(
    (reason) => context.skip(reason),
    async (directory) => {
      const inner = new MemoryStore();
      const bytes = Buffer.alloc(1_500_000, 3);
      const path = 'part-5f0c7127-ce98-4cf7-ba51-e28c4ef0b9f1.parquet';
      await inner.put(path, bytes);
      const cached = await CachedStore.open(inner, { directory, sizeBytesMax: 100_000_000 });
      await assert.rejects(cached.localise([{ path, sizeBytes: bytes.length }]), { code: 'no-space' });
      assert.equal(Buffer.compare(await cached.read(path), bytes), 0);
      assert.deepEqual(await readdir(directory), []);
    },
  );
});
