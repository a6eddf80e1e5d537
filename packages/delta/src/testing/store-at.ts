import { S3Store } from '../s3/index.ts';
import { LocalStore } from '../store/local-store.ts';
import type { StoreAddress } from './object-store-contract.ts';

/** The store at an address that another process gave. */
export function storeAt(address: StoreAddress): LocalStore | S3Store {
  return address.kind === 'local' ? new LocalStore(address.directory) : new S3Store(address.options);
}
