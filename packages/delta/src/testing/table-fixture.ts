import { field, struct, type StructType } from '../schema/types.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { CreateOptions } from '../write/create-table.ts';
import { JsonEngine } from './json-engine.ts';
import { MemoryStore } from './memory-store.ts';

/** A clock that moves by one second with each look. */
export function steppingClock(startMs = Date.UTC(2026, 0, 1)): () => number {
  let nowMs = startMs;
  return () => (nowMs += 1000);
}

/** Names that repeat from run to run. */
export function countingNames(prefix = 'id'): () => string {
  let count = 0;
  return () => `${prefix}-${(count += 1)}`;
}

export const ID_AND_NAME: StructType = struct([field('id', 'long'), field('name', 'string')]);

/** Options of a table in memory, with the defaults replaced by what is given. */
export function inMemory(options: Partial<CreateOptions> = {}): CreateOptions & { store: ObjectStore } {
  const now = options.now ?? steppingClock();
  return {
    store: new MemoryStore({ now }),
    engine: new JsonEngine(),
    root: 'db/t',
    schema: ID_AND_NAME,
    now,
    uuid: countingNames(),
    ...options,
  };
}

/** Rows with ids from a number (inclusive) on. */
export function rowsFrom(first: number, count: number): { kind: 'rows'; rows: Record<string, unknown>[] } {
  const rows = Array.from({ length: count }, (_, at) => ({ id: first + at, name: `name ${first + at}` }));
  return { kind: 'rows', rows };
}
