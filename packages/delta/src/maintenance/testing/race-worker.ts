/**
 * A process of its own that changes a table until it is killed: `race-worker.ts <store> <root> <role> <name>`. The store
 * is a `StoreAddress` as JSON.
 *
 * It prints `ack <batch>` after each append that was committed, and ends with an error on anything but what racing
 * writers must expect.
 */
import { argv, stdout } from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { addColumns, setProperties } from '../../alter/index.ts';
import { deleteRows, mergeInto, updateRows } from '../../dml/index.ts';
import { DuckDbEngine } from '../../duckdb/index.ts';
import { DeltaError } from '../../errors.ts';
import { writeCheckpoint } from '../../log/checkpoint.ts';
import { writeChecksum } from '../../log/checksum.ts';
import { cleanUpLog } from '../../log/clean-up.ts';
import { writeLogCompaction } from '../../log/compaction.ts';
import { field } from '../../schema/types.ts';
import { createContext, type TableContext } from '../../table-context.ts';
import type { StoreAddress } from '../../testing/object-store-contract.ts';
import { storeAt } from '../../testing/store-at.ts';
import { appendRows } from '../../write/append.ts';
import { autoCompact } from '../auto-compaction.ts';
import { optimize } from '../optimize/optimize.ts';
import { restore } from '../restore.ts';
import { vacuum } from '../vacuum/vacuum.ts';

/** What the race's table is like; the test relies on it as well. */
export const ROWS_PER_BATCH = 10;
/** Files of older versions live as long; every step of the race takes a small part of it. */
export const RETENTION_MS = 6_000;
/** Commits stay as long, so that every reader gets to them. */
export const LOG_RETENTION_MS = 20_000;
/** Rows that deletes take: the first of every fifth batch. */
export const DOOMED = 'batch % 5 = 0 AND n = 0';

type Step = (context: TableContext, name: string) => Promise<void>;

/** Commits of others between two changes of the table's metadata, which send all others back to the beginning. */
const COMMITS_PER_CHANGE = 12;
/** Commits of others between two restores, each of which takes some of them back. */
const COMMITS_PER_RESTORE = 20;
/** Versions that a restore goes back, at most. */
const RESTORE_STEPS_MAX = 4;
const COLUMNS_ADDED_MAX = 20;
const POLL_MS = 50;

/** The version at which the metadata was last changed, or the table restored, by this process. */
let changedAt = 0;

function rowsOf(writer: string, batch: number): Record<string, unknown>[] {
  return Array.from({ length: ROWS_PER_BATCH }, (_, n) => ({ writer, batch, n, p: batch % 3, touched: 0 }));
}

async function nextBatch(context: TableContext, name: string): Promise<number> {
  return ((await context.refresh()).txns.get(name)?.version ?? -1) + 1;
}

const ROLES: Readonly<Record<string, Step>> = {
  async append(context, name) {
    const batch = await nextBatch(context, name);
    const source = { kind: 'rows' as const, rows: rowsOf(name, batch) };
    await appendRows(context, { source, txns: [{ appId: name, version: batch }] });
    stdout.write(`ack ${batch}\n`);
  },
  /** Its batch before comes again, and must not be there twice. */
  async merge(context, name) {
    const batch = await nextBatch(context, name);
    const rows = [...(batch > 0 ? rowsOf(name, batch - 1) : []), ...rowsOf(name, batch)];
    await mergeInto(context, {
      source: { kind: 'rows', rows },
      on: 'target.writer = source.writer AND target.batch = source.batch AND target.n = source.n',
      txns: [{ appId: name, version: batch }],
    })
      .whenMatchedUpdate({ set: { touched: 'target.touched + 1' } })
      .whenNotMatchedInsert({ values: 'all' })
      .execute();
    stdout.write(`ack ${batch}\n`);
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
  async log(context) {
    const state = await context.refresh();
    await writeCheckpoint(context.io, state, context.now(), { uuid: context.uuid });
    await writeChecksum(context.io, state);
    if (state.version > 3) await writeLogCompaction(context, { from: state.version - 3, to: state.version });
    await cleanUpLog(context, { olderThanMs: LOG_RETENTION_MS });
  },
  async metadata(context) {
    const { version, schema } = await context.refresh();
    if (version < changedAt + COMMITS_PER_CHANGE) {
      await delay(POLL_MS);
      return;
    }
    const columns = schema.fields.length;
    await setProperties(context, { 'race.version': String(version) });
    if (columns < COLUMNS_ADDED_MAX) await addColumns(context, [field(`added ${columns}`, 'long')]);
    changedAt = version;
  },
  async restore(context) {
    const { version } = await context.refresh();
    if (version < changedAt + COMMITS_PER_RESTORE) {
      await delay(POLL_MS);
      return;
    }
    // Only where no vacuum can take the old files before the restore has committed.
    const old = await context.stateAt(version - RESTORE_STEPS_MAX);
    if (old.timestampMs > context.now() - RETENTION_MS / 3) await restore(context, { version: old.version });
    changedAt = version;
  },
};

/** Others won; or the machine was so slow that the retention ran out under a step, which is told. */
function isExpected(error: unknown, elapsedMs: number): boolean {
  if (!(error instanceof DeltaError)) return false;
  if (error.code === 'conflict' || error.code === 'contention') return true;
  if (elapsedMs <= RETENTION_MS / 2) return false;
  stdout.write('slow\n');
  return true;
}

if (import.meta.main) {
  const [address = '', root = '', role = '', name = ''] = argv.slice(2);
  const step = ROLES[role];
  if (step === undefined) throw new Error(`no role ${role}`);
  const engine = await DuckDbEngine.create({ threads: 1, memoryLimit: '256MB' });
  const context = createContext({ store: storeAt(JSON.parse(address) as StoreAddress), engine, root });
  for (;;) {
    const began = performance.now();
    try {
      await step(context, name);
    } catch (error) {
      if (!isExpected(error, performance.now() - began)) throw error;
    }
  }
}
