/** Column mapping: what a table's columns are called in its files and log. */
export { assignMapping, type AssignMappingOptions, greatestColumnId } from './assign.ts';
export {
  FIELD_ID_KEY,
  fieldId,
  type MappingMode,
  mappingMode,
  MAX_COLUMN_ID_PROPERTY,
  MODE_PROPERTY,
  PHYSICAL_NAME_KEY,
  physicalName,
  physicalSchema,
  physicalType,
} from './mapping.ts';
