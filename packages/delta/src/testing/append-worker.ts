/** A process of its own that appends to a table: `append-worker.ts <directory> <root> <writer> <appends>`. */
import { argv } from 'node:process';
import { DuckDbEngine } from '../duckdb/index.ts';
import { LocalStore } from '../store/local-store.ts';
import { DeltaTable } from '../table.ts';

const [directory = '', root = '', writer = '', appends = '0'] = argv.slice(2);
const engine = await DuckDbEngine.create({ threads: 1 });
const table = await DeltaTable.open({ store: new LocalStore(directory), engine, root, now: Date.now });
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
