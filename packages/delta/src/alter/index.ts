/** Changes of a table's schema, rules and properties. */
export { addColumns, type NewColumn } from './add-columns.ts';
export { changeColumn, type ColumnChange } from './change-column.ts';
export type { AlterResult } from './commit-change.ts';
export { removeDomainMetadata, setClustering, setDomainMetadata } from './domains.ts';
export type { ColumnPath } from './field-paths.ts';
export type { ColumnPosition } from './position.ts';
export { enableColumnMapping, setComment, setProperties, unsetProperties } from './properties.ts';
export { dropColumns, renameColumn } from './rename-drop.ts';
export { addConstraint, dropConstraint } from '../constraints/alter-constraints.ts';
