import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { isDeltaError } from '../errors.ts';
import { MemoryStore, objectStoreContract } from '../testing/index.ts';
import { LocalStore } from './local-store.ts';

const directories: string[] = [];
after(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  directories.push(directory);
  return directory;
}

objectStoreContract('MemoryStore', () => new MemoryStore());
objectStoreContract('LocalStore', async () => new LocalStore(await newDirectory()));

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

it('LocalStore works below a directory that does not exist yet', async () => {
  const store = new LocalStore(join(await newDirectory(), 'not', 'yet'));
  assert.equal(await store.head('x'), undefined);
  for await (const { path } of store.list('')) assert.fail(path);
  await store.put('deep/er/x', Buffer.from('1'));
  assert.equal((await store.head('deep/er/x'))?.sizeBytes, 1);
});
