import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { diskContract } from '../../ports/disk.contract.ts';
import { createNodeDisk } from './index.ts';

const directories: string[] = [];
after(() => Promise.all(directories.map((directory) => rm(directory, { recursive: true }))));

diskContract('node', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sluice-disk-'));
  directories.push(directory);
  return { disk: createNodeDisk(), directory };
});
