import type { ResultColumn } from '../../modules/query/index.ts';

/** Precision and case as Athena reports them for each type; scale is 0 but for decimals. */
const PRECISION: Readonly<Record<string, number>> = {
  tinyint: 3,
  smallint: 5,
  integer: 10,
  int: 10,
  bigint: 19,
  real: 17,
  float: 17,
  double: 17,
  timestamp: 3,
  'timestamp with time zone': 3,
  varchar: 2_147_483_647,
  string: 2_147_483_647,
  varbinary: 1_073_741_824,
};
const CASE_SENSITIVE = new Set(['varchar', 'char', 'string', 'json']);

export function columnInfo({ name, type }: ResultColumn): object {
  const [, base = type, first, second] = /^([^(<]+)(?:\((\d+)(?:,\s*(\d+))?\))?/.exec(type) ?? [];
  const plain = base.trim();
  return {
    CatalogName: 'hive',
    SchemaName: '',
    TableName: '',
    Name: name,
    Label: name,
    Type: plain,
    Precision: first === undefined ? (PRECISION[plain] ?? 0) : Number(first),
    Scale: second === undefined ? 0 : Number(second),
    Nullable: 'UNKNOWN',
    CaseSensitive: CASE_SENSITIVE.has(plain),
  };
}

interface Row {
  readonly Data: readonly { readonly VarCharValue?: string }[];
}

export const row = (values: readonly (string | undefined)[]): Row => ({
  Data: values.map((value) => (value === undefined ? {} : { VarCharValue: value })),
});

/** The row of names that Athena gives before the first row of a query's result. */
export const headerRow = (columns: readonly ResultColumn[]): Row => row(columns.map(({ name }) => name));
