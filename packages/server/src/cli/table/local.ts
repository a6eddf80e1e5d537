/** Operations on a Delta table in a directory, in this process. */
import { DeltaError, DeltaTable, LocalStore, summariseDiff } from '@sluice/delta';
import { DuckDbEngine } from '@sluice/delta/duckdb';
import { CliError } from '../exit.ts';
import type { OperationName, Operations, TableOperator } from './operations.ts';

type Work = Parameters<TableOperator['run']>[2];

const HOUR_MS = 3_600_000;

const RUN: {
  readonly [Name in OperationName]: (
    table: DeltaTable,
    options: Operations[Name]['options'],
    work: Work,
  ) => Promise<Operations[Name]['result']>;
} = {
  history: (table, { limit }) => table.history({ limit }),
  detail: (table) => table.detail(),
  optimize: (table, options, work) => table.optimize({ ...options, ...work }),
  vacuum(table, { retentionHours, ...options }, work) {
    const retention = retentionHours === undefined ? {} : { retentionMs: retentionHours * HOUR_MS };
    return table.vacuum({ ...options, ...retention, ...work });
  },
  restore: (table, options, work) => table.restore({ ...options, ...work }),
  diff: async (table, options) => summariseDiff(await table.diff(options)),
  fsck: (table, options, work) => table.fsck({ ...options, ...work }),
};

export function localOperator(path: string): TableOperator {
  return {
    async run(name, options, work) {
      const engine = await DuckDbEngine.create();
      try {
        const table = await DeltaTable.open({ store: new LocalStore(path), engine, root: '' });
        return await RUN[name](table, options, work);
      } catch (error) {
        work.signal.throwIfAborted();
        if (!(error instanceof DeltaError)) throw error;
        throw new CliError(error.message, { hint: error.hint, cause: error });
      } finally {
        await engine.close();
      }
    },
  };
}
