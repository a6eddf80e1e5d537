import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { leaseStoreContract } from '../testing/lease-store.contract.ts';
import { BoundedLeaseStore } from './bounded-lease-store.ts';
import { FileLeaseStore } from './file-lease-store.ts';
import { MemoryLeaseStore } from './memory-lease-store.ts';

const folder = await mkdtemp(join(tmpdir(), 'sluice-leases-'));
const path = join(folder, 'leases.db');
const opened = [new FileLeaseStore({ path }), new FileLeaseStore({ path })] as const;
after(async () => {
  for (const store of opened) store.close();
  await rm(folder, { recursive: true });
});

leaseStoreContract('file', async () => opened);
leaseStoreContract('bounded', async () => {
  const store = new BoundedLeaseStore(new MemoryLeaseStore(), 20_000);
  return [store, store];
});
leaseStoreContract('memory', async () => {
  const store = new MemoryLeaseStore();
  return [store, store];
});

test('a store that falls silent is told so after the bound, and one that answers is as it was', async () => {
  const silent = new MemoryLeaseStore();
  silent.list = () => new Promise(() => {});
  const store = new BoundedLeaseStore(silent, 20);
  await assert.rejects(store.list({ application: 'a', stream: 's' }), { code: 'no-answer' });
  assert.equal(await store.read({ application: 'a', stream: 's' }, 'x'), undefined);
});
