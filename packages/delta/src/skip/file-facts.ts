/** What the log knows of the values of one column in one file. */
import type { AddFile } from '../log/actions.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { recordCount } from '../stats/record-count.ts';
import { type Comparable, comparableOf } from './comparable.ts';
import type { ColumnPath } from './predicate.ts';

export interface ColumnFacts {
  /** Whether some value may be null, and whether some may not be; false is proven. */
  readonly mayBeNull: boolean;
  readonly mayBeValue: boolean;
  /** Bounds of the values that are not null, both inclusive; absent where unknown. */
  readonly min?: Comparable;
  readonly max?: Comparable;
}

interface ParsedStatistics {
  readonly rows: number | undefined;
  readonly min: unknown;
  readonly max: unknown;
  readonly nullCount: unknown;
}

export interface TableColumns {
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
}

/** Parsed statistics live as long as the log's action, since one file meets many predicates. */
const parsed = new WeakMap<AddFile, ParsedStatistics>();

/** A column, or a leaf within one, that a path led to. */
export interface TableColumn {
  /** As the schema spells them. */
  readonly names: readonly string[];
  readonly type: DataType;
  readonly isPartition: boolean;
}

/** Undefined for paths that lead nowhere in the schema. */
export function resolveColumn(path: ColumnPath, table: TableColumns): TableColumn | undefined {
  const names: string[] = [];
  let type: DataType = table.schema;
  for (const name of path) {
    if (typeof type === 'string' || type.type !== 'struct') return undefined;
    const lower = name.toLowerCase();
    const field: StructField | undefined = type.fields.find(
      (candidate) => candidate.name.toLowerCase() === lower,
    );
    if (field === undefined) return undefined;
    names.push(field.name);
    type = field.type;
  }
  return { names, type, isPartition: names.length === 1 && table.partitionColumns.includes(names[0] ?? '') };
}

/** What the log knows of the column in the file. */
export function columnFacts(file: AddFile, column: TableColumn): ColumnFacts {
  const { names, type } = column;
  if (column.isPartition) return partitionFacts(file, names[0] ?? '', type);
  const statistics = statisticsOf(file);
  const nullCount = Number(memberText(statistics.nullCount, names) ?? Number.NaN);
  const min = boundOf(memberText(statistics.min, names), { type, isMax: false });
  const max = boundOf(memberText(statistics.max, names), { type, isMax: true });
  return {
    mayBeNull: nullCount !== 0,
    mayBeValue: statistics.rows === undefined || nullCount !== statistics.rows,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

function partitionFacts(file: AddFile, column: string, type: DataType): ColumnFacts {
  const text = file.partitionValues[column];
  if (text === undefined || text === null || text === '') return { mayBeNull: true, mayBeValue: false };
  const value = comparableOf(text, type);
  return {
    mayBeNull: false,
    mayBeValue: true,
    ...(value === undefined ? {} : { min: value, max: value }),
  };
}

/** Microseconds that a writer who keeps milliseconds may have cut off a maximum. */
const MILLISECOND_SLACK_MICROS = 999n;

function boundOf(
  text: string | undefined,
  options: { type: DataType; isMax: boolean },
): Comparable | undefined {
  if (text === undefined) return undefined;
  const { type, isMax } = options;
  // Some writers leave NaN out of their bounds, and NaN is above every other value.
  if (isMax && (type === 'double' || type === 'float')) return undefined;
  const bound = comparableOf(text, type);
  if (isMax && (bound?.kind === 'instant' || bound?.kind === 'local-time')) {
    return { ...bound, micros: bound.micros + MILLISECOND_SLACK_MICROS };
  }
  return bound;
}

function statisticsOf(file: AddFile): ParsedStatistics {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const root = parseKeepingDigits(file.stats);
  const statistics = {
    rows: recordCount(file.stats),
    min: member(root, 'minValues'),
    max: member(root, 'maxValues'),
    nullCount: member(root, 'nullCount'),
  };
  parsed.set(file, statistics);
  return statistics;
}

/** The reviver's third parameter, which the compiler's own declarations lack. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** A number that a double may not hold: so many digits, or a point among them. */
const LONG_NUMBER = /[\d.]{16}/;

/** JSON with its numbers, where they are long, as their text, so that long digits survive; undefined for damaged statistics. */
function parseKeepingDigits(text: string | null | undefined): unknown {
  if (text === null || text === undefined) return undefined;
  try {
    // Many times faster, and the rule.
    if (!LONG_NUMBER.test(text)) return JSON.parse(text);
    return (JSON.parse as ParseWithSource)(text, (_key, value, context) =>
      typeof value === 'number' ? (context.source ?? String(value)) : value,
    );
  } catch {
    return undefined;
  }
}

function memberText(root: unknown, names: readonly string[]): string | undefined {
  let at = root;
  for (const name of names) at = member(at, name);
  if (typeof at === 'string') return at;
  return typeof at === 'number' || typeof at === 'boolean' ? String(at) : undefined;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
