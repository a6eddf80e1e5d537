/**
 * A process of its own that races for objects: `put-worker.ts <address> <writer> <objects>`. Puts `race/0`, `race/1` …
 * if absent, all at once, and prints as JSON which ones it created. The address is a {@link StoreAddress} as JSON.
 */
import { argv, stdout } from 'node:process';
import type { StoreAddress } from './object-store-contract.ts';
import { storeAt } from './store-at.ts';

const [address = '', writer = '', objects = '0'] = argv.slice(2);
const store = storeAt(JSON.parse(address) as StoreAddress);
const outcomes = await Promise.all(
  Array.from({ length: Number(objects) }, (_, index) =>
    store.putIfAbsent(`race/${index}`, Buffer.from(writer)),
  ),
);
stdout.write(JSON.stringify(outcomes.flatMap((outcome, index) => (outcome === 'created' ? [index] : []))));
if ('close' in store) store.close();
