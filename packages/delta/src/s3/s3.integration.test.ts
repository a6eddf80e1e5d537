/** The store against a real service over a real network connection. */
import { after, before } from 'node:test';
import { type S3TestServer, startS3Server } from '../../test/s3-server.ts';
import { objectStoreContract } from '../testing/index.ts';
import { S3Store, type S3StoreOptions } from './index.ts';

const PART_SIZE_BYTES = 5 * 1024 * 1024;

let server: S3TestServer | undefined;
let unavailable: string | undefined;
const stores: S3Store[] = [];

before(async () => {
  const started = await startS3Server();
  if ('endpoint' in started) server = started;
  else ({ unavailable } = started);
});

after(async () => {
  for (const store of stores) store.close();
  await server?.stop();
});

const optionsOf = new WeakMap<S3Store, S3StoreOptions>();

async function newStore(): Promise<S3Store> {
  if (server === undefined) throw new Error('no server');
  const options = {
    bucket: await server.newBucket(),
    prefix: 'some/where',
    client: server.client,
    limits: { partSizeBytes: PART_SIZE_BYTES },
  };
  const store = new S3Store(options);
  stores.push(store);
  optionsOf.set(store, options);
  return store;
}

objectStoreContract('S3Store', newStore, {
  largeSizeBytes: 2 * PART_SIZE_BYTES + 12_345,
  addressOf: (store) => ({ kind: 's3', options: optionsOf.get(store) ?? { bucket: '' } }),
  unavailable: () => unavailable,
});
