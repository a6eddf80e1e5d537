/**
 * A process of its own that appends to a table: `append-worker.ts <store> <root> <writer> <appends>`. The store is a
 * directory, or a `StoreAddress` as JSON.
 */
import { argv } from 'node:process';
import { DuckDbEngine } from '../duckdb/index.ts';
import { DeltaTable } from '../table.ts';
import type { StoreAddress } from './object-store-contract.ts';
import { storeAt } from './store-at.ts';

const [at = '', root = '', writer = '', appends = '0'] = argv.slice(2);
const address = at.startsWith('{')
  ? (JSON.parse(at) as StoreAddress)
  : { kind: 'local' as const, directory: at };
const store = storeAt(address);
const engine = await DuckDbEngine.create({ threads: 1 });
const table = await DeltaTable.open({ store, engine, root, now: Date.now });
for (let at = 0; at < Number(appends); at += 1) {
  const rows = [
    { writer, at },
    { writer, at },
  ];
  const append = { source: { kind: 'rows' as const, rows }, txns: [{ appId: writer, version: at }] };
  const result = await table.append(append);
  if (result.kind !== 'committed') throw new Error(`append ${at} of ${writer}: ${result.kind}`);
}
await engine.close();
if ('close' in store) store.close();
