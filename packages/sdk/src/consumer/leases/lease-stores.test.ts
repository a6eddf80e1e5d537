import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { leaseStoreContract } from '../testing/lease-store.contract.ts';
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
leaseStoreContract('memory', async () => {
  const store = new MemoryLeaseStore();
  return [store, store];
});
