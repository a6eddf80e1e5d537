export * from './api.ts';
export { createCatalog, type CatalogOptions } from './service.ts';
export type { DeltaTables, NewDeltaTable } from './table-handles.ts';
export { createDeltaTables, type DeltaTablesOptions } from './delta-tables.ts';
export { namePattern } from './core/name-pattern.ts';
export type { TableMaintenance, TableName } from './maintenance/api.ts';
export { createTableMaintenance, type TableMaintenanceOptions } from './maintenance/service.ts';
export {
  startUpkeep,
  type TableUpkeep,
  type Upkeep,
  type UpkeepOptions,
  type UpkeepStatus,
} from './maintenance/upkeep.ts';
