/**
 * A process of its own that changes a table until it is killed: `race-worker.ts <directory> <root> <role> <name>`.
 *
 * It prints `ack <batch>` after each append that was committed, and ends with an error on anything but what racing
 * writers must expect.
 */
import { argv, stdout } from 'node:process';
import { deleteRows, updateRows } from '../dml/index.ts';
import { DuckDbEngine } from '../duckdb/index.ts';
import { DeltaError } from '../errors.ts';
import { LocalStore } from '../store/local-store.ts';
import { createContext, type TableContext } from '../table-context.ts';
import { appendRows } from '../write/append.ts';
import { autoCompact } from './auto-compaction.ts';
import { optimize } from './optimize/optimize.ts';
import { vacuum } from './vacuum/vacuum.ts';

/** What the race's table is like; the test relies on it as well. */
export const ROWS_PER_BATCH = 10;
/** Files of older versions live as long; every step of the race takes a small part of it. */
export const RETENTION_MS = 6_000;
/** Rows that deletes take: the first of every fifth batch. */
export const DOOMED = 'batch % 5 = 0 AND n = 0';

type Step = (context: TableContext, name: string) => Promise<void>;

const ROLES: Readonly<Record<string, Step>> = {
  async append(context, name) {
    const state = await context.refresh();
    const batch = (state.txns.get(name)?.version ?? -1) + 1;
    const rows = Array.from({ length: ROWS_PER_BATCH }, (_, n) => ({
      writer: name,
      batch,
      n,
      p: batch % 3,
      touched: 0,
    }));
    const append = { source: { kind: 'rows' as const, rows }, txns: [{ appId: name, version: batch }] };
    const result = await appendRows(context, append);
    if (result.kind !== 'conflict') stdout.write(`ack ${batch}\n`);
  },
  async change(context) {
    await updateRows(context, { set: { touched: 'touched + 1' }, where: `batch % 7 = 3 AND n < 2` });
    await deleteRows(context, { where: DOOMED });
  },
  async optimize(context) {
    await autoCompact(context, { tables: 'unless-refused', fanIn: 4 });
    await optimize(context, { purge: true });
    await optimize(context, { where: 'p = 1' });
  },
  async vacuum(context) {
    await vacuum(context, { retentionMs: RETENTION_MS, retentionCheck: false });
  },
};

/** Others won; or the machine was so slow that the retention ran out under a step. */
function isExpected(error: unknown, elapsedMs: number): boolean {
  const isRace = error instanceof DeltaError && (error.code === 'conflict' || error.code === 'contention');
  return isRace || elapsedMs > RETENTION_MS / 2;
}

if (import.meta.main) {
  const [directory = '', root = '', role = '', name = ''] = argv.slice(2);
  const step = ROLES[role];
  if (step === undefined) throw new Error(`no role ${role}`);
  const engine = await DuckDbEngine.create({ threads: 1, memoryLimit: '256MB' });
  const context = createContext({ store: new LocalStore(directory), engine, root });
  for (;;) {
    const began = performance.now();
    try {
      await step(context, name);
    } catch (error) {
      if (!isExpected(error, performance.now() - began)) throw error;
    }
  }
}
