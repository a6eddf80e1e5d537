import { type DeltaTable, summariseDiff } from '@sluice/delta';
import type { Catalog } from '../api.ts';
import { translated } from '../delta-errors.ts';
import type { TableMaintenance, TableName } from './api.ts';

export interface TableMaintenanceOptions {
  readonly catalog: Pick<Catalog, 'open'>;
}

export function createTableMaintenance({ catalog }: TableMaintenanceOptions): TableMaintenance {
  const onTable = async <Result>(
    { database, table }: TableName,
    work: (delta: DeltaTable) => Promise<Result>,
  ): Promise<Result> => {
    const { delta } = await catalog.open(database, table);
    return translated(`${database}.${table}`, () => work(delta), { maintenance: true });
  };
  return {
    history: (name, options) => onTable(name, (delta) => delta.history(options)),
    detail: (name) => onTable(name, (delta) => delta.detail()),
    optimize: (name, options) => onTable(name, (delta) => delta.optimize(options)),
    vacuum: (name, options) => onTable(name, (delta) => delta.vacuum(options)),
    restore: (name, options) => onTable(name, (delta) => delta.restore(options)),
    diff: (name, options) => onTable(name, async (delta) => summariseDiff(await delta.diff(options))),
    fsck: (name, options) => onTable(name, (delta) => delta.fsck(options)),
  };
}
