export * from './api.ts';
export { createCatalog, type CatalogOptions } from './service.ts';
export type { DeltaTables, NewDeltaTable } from './table-handles.ts';
export { createDeltaTables, type DeltaTablesOptions } from './delta-tables.ts';
export { namePattern } from './core/name-pattern.ts';
