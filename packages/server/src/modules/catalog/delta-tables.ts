import { DeltaTable, type Engine, type ObjectStore, type OpenOptions } from '@sluice/delta';
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
  /** Who writes checkpoints; default: whoever commits. */
  readonly checkpoints?: 'on-commit' | 'manual';
}

export function createDeltaTables({
  engine,
  storeFor,
  clock,
  random,
  logger,
  checkpoints = 'on-commit',
}: DeltaTablesOptions): DeltaTables {
  const at = (root: string): OpenOptions => ({
    store: storeFor(root),
    engine,
    root: '',
    now: () => clock.nowMs(),
    uuid: () => random.uuid(),
    checkpoints,
    onWarning: ({ what, error }) => logger.warn({ root, what, error }, 'a Delta table goes on without'),
  });
  return {
    open: (root) => DeltaTable.openIfExists(at(root)),
    create: (root, table) => DeltaTable.create({ ...at(root), ...table }),
  };
}
