/**
 * Statistics and partition values in the types of their columns, as checkpoints may hold them besides the text
 * (protocol: "Checkpoints", `stats_parsed` and `partitionValues_parsed`). Columns go by their physical names.
 */
import { columnMappingMode, indexedColumns } from '../properties/table-properties.ts';
import { canonicalTimestamp } from '../schema/timestamp-text.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { decimalOf, field, struct } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';

type Described = Pick<TableState, 'schema' | 'metadata'>;

/** The type of `stats_parsed`; leaves beyond those that are indexed are left out. */
export function parsedStatisticsType(state: Described): StructType {
  const nameOf = physicalName(state);
  const limit = indexedColumns(state.metadata.configuration);
  const budget = { leaves: limit < 0 ? Infinity : limit };
  const partitionColumns = new Set(state.metadata.partitionColumns);
  const data = state.schema.fields.filter(({ name }) => !partitionColumns.has(name));
  const bounds: StructField[] = [];
  const nulls: StructField[] = [];
  for (const column of data) collectLeaves(column, { nameOf, budget, bounds, nulls });
  return struct([
    field('numRecords', 'long'),
    field('tightBounds', 'boolean'),
    ...(bounds.length === 0 ? [] : [field('minValues', struct(bounds)), field('maxValues', struct(bounds))]),
    ...(nulls.length === 0 ? [] : [field('nullCount', struct(nulls))]),
  ]);
}

/** The type of `partitionValues_parsed`; columns of types that text has no single form for are left out. */
export function parsedPartitionType(state: Described): StructType {
  const nameOf = physicalName(state);
  return struct(
    state.metadata.partitionColumns.flatMap((name) => {
      const column = state.schema.fields.find((candidate) => candidate.name === name);
      return column !== undefined && (isBounded(column.type) || column.type === 'boolean')
        ? [field(nameOf(column), column.type)]
        : [];
    }),
  );
}

/** Statistics as a value of {@link parsedStatisticsType}; what is not of its column's type is left out. */
export function parseStatistics(stats: string | null | undefined, type: StructType): unknown {
  if (stats === null || stats === undefined) return null;
  try {
    // Numbers as the digits that the text has: a double would not hold them all.
    const withDigits = (_: string, value: unknown, context?: { source?: string }): unknown =>
      typeof value === 'number' ? new Digits(context?.source ?? String(value)) : value;
    return valueOf(JSON.parse(stats, withDigits), type);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Partition values as a value of {@link parsedPartitionType}. */
export function parsePartitionValues(
  values: Readonly<Record<string, string | null>>,
  type: StructType,
): Record<string, unknown> {
  return Object.fromEntries(
    type.fields.map(({ name, type: column }) => {
      const text = values[name] ?? '';
      if (text === '') return [name, null];
      if (column === 'boolean') return [name, /^true$/i.test(text)];
      const isText = typeof column === 'string' && /^(string|date|timestamp)/.test(column);
      return [name, valueOf(isText ? text : new Digits(text), column)];
    }),
  );
}

class Digits {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

interface Leaves {
  readonly nameOf: (column: StructField) => string;
  readonly budget: { leaves: number };
  readonly bounds: StructField[];
  readonly nulls: StructField[];
}

function collectLeaves(column: StructField, leaves: Leaves): void {
  const name = leaves.nameOf(column);
  const { type } = column;
  if (typeof type !== 'string' && type.type === 'struct') {
    const inner: Leaves = { ...leaves, bounds: [], nulls: [] };
    for (const member of type.fields) collectLeaves(member, inner);
    if (inner.bounds.length > 0) leaves.bounds.push(field(name, struct(inner.bounds)));
    if (inner.nulls.length > 0) leaves.nulls.push(field(name, struct(inner.nulls)));
    return;
  }
  leaves.budget.leaves -= 1;
  if (leaves.budget.leaves < 0) return;
  if (isBounded(type)) leaves.bounds.push(field(name, type));
  leaves.nulls.push(field(name, 'long'));
}

const BOUNDED = new Set<DataType>([
  'string',
  'long',
  'integer',
  'short',
  'byte',
  'float',
  'double',
  'date',
  'timestamp',
  'timestamp_ntz',
]);

function isBounded(type: DataType): boolean {
  return BOUNDED.has(type) || decimalOf(type) !== undefined;
}

function physicalName({ metadata }: Described): (column: StructField) => string {
  if (columnMappingMode(metadata.configuration) === 'none') return ({ name }) => name;
  return (column) => {
    const physical = column.metadata['delta.columnMapping.physicalName'];
    return typeof physical === 'string' ? physical : column.name;
  };
}

const INTEGER_BITS: Readonly<Record<string, number>> = { long: 64, integer: 32, short: 16, byte: 8 };

/** A value of the type, in the form that engines take rows in; null for anything else. */
function valueOf(value: unknown, type: DataType): unknown {
  if (value === null || value === undefined) return null;
  if (typeof type !== 'string') {
    if (type.type !== 'struct' || typeof value !== 'object' || value instanceof Digits) return null;
    const members = value as Record<string, unknown>;
    return Object.fromEntries(
      type.fields.map((inner) => [inner.name, valueOf(members[inner.name], inner.type)]),
    );
  }
  if (value instanceof Digits) return numberOf(value.text, type);
  if (type === 'boolean') return typeof value === 'boolean' ? value : null;
  if (typeof value !== 'string') return null;
  if (type === 'string') return value.isWellFormed() ? value : null;
  if (type === 'date')
    return /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : null;
  if (type === 'timestamp') return withZone(canonicalTimestamp(value));
  return type === 'timestamp_ntz' ? (canonicalTimestamp(value) ?? null) : null;
}

function withZone(timestamp: string | undefined): string | null {
  return timestamp === undefined ? null : `${timestamp.replace(' ', 'T')}Z`;
}

function numberOf(text: string, type: DataType): unknown {
  const decimal = decimalOf(type);
  if (decimal !== undefined) {
    const match = /^-?(\d+)(?:\.(\d+))?$/.exec(text);
    if (match === null) return null;
    const [whole = '', fraction = ''] = [match[1]?.replace(/^0+/, ''), match[2]?.replace(/0+$/, '')];
    return whole.length <= decimal.precision - decimal.scale && fraction.length <= decimal.scale
      ? text
      : null;
  }
  if (type === 'double' || type === 'float') {
    const number = Number(text);
    return Number.isFinite(number) ? number : null;
  }
  const bits = typeof type === 'string' ? INTEGER_BITS[type] : undefined;
  if (bits === undefined || !/^-?\d{1,19}$/.test(text)) return null;
  const integer = BigInt(text);
  return BigInt.asIntN(bits, integer) === integer ? integer : null;
}
