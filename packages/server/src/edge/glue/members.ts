/** Members that several operations of the Glue Data Catalog share (model of AWS Glue, 2025). */
import { boolean, integer, list, map, oneOf, required, string, structure } from '../aws-json/index.ts';

const LINE = '[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\t]*';
const LINES = '[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\r\\n\\t]*';

export const name = string({ lengthMin: 1, lengthMax: 255, pattern: LINE });
export const expression = string({ lengthMin: 0, lengthMax: 2_048, pattern: LINE });
const description = string({ lengthMin: 0, lengthMax: 2_048, pattern: LINES });
const location = string({ lengthMin: 0, lengthMax: 2_056, pattern: LINES });
const format = string({ lengthMin: 0, lengthMax: 128, pattern: LINE });
const parameters = map(name, string({ lengthMin: 0, lengthMax: 512_000 }));
export const pageSize = integer({ min: 1, max: 100 });
export const token = string();

export const databaseInput = structure({
  Name: required(name),
  Description: description,
  LocationUri: string({ lengthMin: 1, lengthMax: 1_024, pattern: LINES }),
  Parameters: parameters,
});

const column = structure({
  Name: required(name),
  Type: string({ lengthMin: 0, lengthMax: 131_072, pattern: LINE }),
  Comment: string({ lengthMin: 0, lengthMax: 255, pattern: LINE }),
});

export const tableInput = structure({
  Name: required(name),
  Description: description,
  Owner: name,
  Retention: integer({ min: 0 }),
  StorageDescriptor: structure({
    Columns: list(column),
    Location: location,
    InputFormat: format,
    OutputFormat: format,
    Compressed: boolean(),
    NumberOfBuckets: integer(),
    SerdeInfo: structure({ Name: name, SerializationLibrary: name, Parameters: parameters }),
    BucketColumns: list(name),
    SortColumns: list(
      structure({ Column: required(name), SortOrder: required(integer({ min: 0, max: 1 })) }),
    ),
    Parameters: parameters,
    StoredAsSubDirectories: boolean(),
  }),
  PartitionKeys: list(column),
  TableType: string({ lengthMin: 0, lengthMax: 255 }),
  Parameters: parameters,
});

export const shareType = oneOf('FOREIGN', 'ALL', 'FEDERATED');

const NO_TIMES = 'the catalogue keeps no times of access and analysis';
export const TABLE_REFUSED: Readonly<Record<string, string>> = {
  'TableInput.LastAccessTime': NO_TIMES,
  'TableInput.LastAnalyzedTime': NO_TIMES,
  'TableInput.ViewOriginalText': 'views are not in this version',
  'TableInput.ViewExpandedText': 'views are not in this version',
  'TableInput.ViewDefinition': 'views are not in this version',
  'TableInput.TargetTable': 'links to tables of other catalogues are not in this version',
  'TableInput.FederatedTable': 'federated tables are not in this version',
  'TableInput.PartitionKeys.Parameters': 'columns have no parameters',
  'TableInput.StorageDescriptor.Columns.Parameters': 'columns have no parameters',
  'TableInput.StorageDescriptor.AdditionalLocations': 'a Delta table has one location',
  'TableInput.StorageDescriptor.SkewedInfo': 'Delta tables have no skewed columns',
  'TableInput.StorageDescriptor.SchemaReference': 'the schema registry is not in this version',
  TransactionId: 'governed transactions of Lake Formation are not in this version',
};

const KEPT = 'kept and returned; the files of a Delta table are read and written as its log says';
export const TABLE_DIFFERENT: Readonly<Record<string, string>> = {
  'TableInput.Parameters': 'table_type must be DELTA',
  'TableInput.Retention': KEPT,
  'TableInput.StorageDescriptor.Location':
    'a file:// URI; without it a directory in the location of the database',
  'TableInput.StorageDescriptor.InputFormat': KEPT,
  'TableInput.StorageDescriptor.OutputFormat': KEPT,
  'TableInput.StorageDescriptor.Compressed': KEPT,
  'TableInput.StorageDescriptor.SerdeInfo': KEPT,
  'TableInput.StorageDescriptor.Parameters': KEPT,
  'TableInput.StorageDescriptor.StoredAsSubDirectories': KEPT,
  'TableInput.StorageDescriptor.NumberOfBuckets': 'refused above 0: Delta tables have no buckets',
  'TableInput.StorageDescriptor.BucketColumns': 'refused unless empty: Delta tables have no buckets',
  'TableInput.StorageDescriptor.SortColumns': 'refused unless empty: Delta tables are not kept sorted',
};
export const CATALOG_ID_DIFFERENT = {
  CatalogId: 'must be the account of the caller; there is one catalogue',
};
