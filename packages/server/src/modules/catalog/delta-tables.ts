import { DeltaTable, isDeltaError, type Engine, type ObjectStore, type OpenOptions } from '@sluice/delta';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import type { Random } from '../../ports/random.ts';
import type { DeltaTables } from './table-handles.ts';

export interface DeltaTablesOptions {
  readonly engine: Engine;
  /** The store whose own root is this absolute directory. */
  readonly storeFor: (root: string) => ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export function createDeltaTables({
  engine,
  storeFor,
  clock,
  random,
  logger,
}: DeltaTablesOptions): DeltaTables {
  const at = (root: string): OpenOptions => ({
    store: storeFor(root),
    engine,
    root: '',
    now: () => clock.nowMs(),
    uuid: () => random.uuid(),
    onWarning: ({ what, error }) => logger.warn({ root, what, error }, 'a Delta table goes on without'),
  });
  return {
    async open(root) {
      try {
        return await DeltaTable.open(at(root));
      } catch (error) {
        if (isDeltaError(error, 'not-a-table')) return undefined;
        throw error;
      }
    },
    create: (root, table) => DeltaTable.create({ ...at(root), ...table }),
  };
}
