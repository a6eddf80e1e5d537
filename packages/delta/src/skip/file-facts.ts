/** What the log knows of the values of one column in one file. */
import { type MappingMode, mappingMode, physicalName } from '../column-mapping/index.ts';
import type { AddFile } from '../log/actions.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';
import { recordCount } from '../stats/record-count.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { maximumOf, minimumOf } from './bounds.ts';
import { type Comparable, comparableOf } from './comparable.ts';
import { parseKeepingDigits } from './kept-digits.ts';
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
  /** How the log calls the columns; default: by the schema's names. */
  readonly mode?: MappingMode;
}

/** The columns of a table, for tests of its files. */
export function tableColumns(state: TableState): TableColumns {
  const { schema, metadata } = state;
  return { schema, partitionColumns: metadata.partitionColumns, mode: mappingMode(state) };
}

/** A column, or a leaf within one, that a path led to. */
export interface TableColumn {
  /** As the schema spells them. */
  readonly names: readonly string[];
  /** As statistics and partition values call them. */
  readonly physicalNames: readonly string[];
  readonly type: DataType;
  /** Whether files may have it with a narrower type. */
  readonly wasWidened: boolean;
  readonly isPartition: boolean;
  /** Tells the column, with its type, from every other. */
  readonly key: string;
}

/** Undefined for paths that lead nowhere in the schema. */
export function resolveColumn(path: ColumnPath, table: TableColumns): TableColumn | undefined {
  const names: string[] = [];
  const physicalNames: string[] = [];
  let type: DataType = table.schema;
  let wasWidened = false;
  for (const name of path) {
    if (typeof type === 'string' || type.type !== 'struct') return undefined;
    const lower = name.toLowerCase();
    const field: StructField | undefined = type.fields.find(
      (candidate) => candidate.name.toLowerCase() === lower,
    );
    if (field === undefined) return undefined;
    names.push(field.name);
    physicalNames.push(physicalName(field, table.mode ?? 'none'));
    type = field.type;
    wasWidened = field.metadata['delta.typeChanges'] !== undefined;
  }
  const isPartition = names.length === 1 && table.partitionColumns.includes(names[0] ?? '');
  const key = JSON.stringify([typeof type === 'string' ? type : type.type, wasWidened, ...physicalNames]);
  return { names, physicalNames, type, wasWidened, isPartition, key };
}

/** What the log knows of the column in the file. */
export function columnFacts(file: AddFile, column: TableColumn): ColumnFacts {
  if (column.isPartition) {
    return partitionFacts(file.partitionValues, column.physicalNames[0] ?? '', column.type);
  }
  const known = knownFacts.get(file) ?? [];
  const found = known.find(({ key }) => key === column.key);
  if (found !== undefined) return found.facts;
  const facts = factsOf(file.stats, column);
  if (known.length >= KNOWN_COLUMNS_MAX) known.shift();
  known.push({ key: column.key, facts });
  knownFacts.set(file, known);
  return facts;
}

/** Columns of which a file's facts are kept, of about two hundred bytes each; those that were met last. */
const KNOWN_COLUMNS_MAX = 4;

/** Facts that were worked out, since one file meets many predicates; they go with the file. */
const knownFacts = new WeakMap<AddFile, { readonly key: string; readonly facts: ColumnFacts }[]>();

/** What a file's statistics say of a column of its data. */
export function factsOf(stats: string | null | undefined, column: TableColumn): ColumnFacts {
  const statistics = parsedStatistics(stats, column);
  const names = column.physicalNames;
  const nullCount = Number(memberText(statistics.nullCount, names) ?? Number.NaN);
  const min = minimumOf(memberText(statistics.min, names), column);
  const max = maximumOf(memberText(statistics.max, names), column);
  return {
    mayBeNull: nullCount !== 0,
    mayBeValue: statistics.rows === undefined || nullCount !== statistics.rows,
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
  };
}

/** What a file's partition values say of a column, by its physical name. */
export function partitionFacts(
  values: AddFile['partitionValues'],
  column: string,
  type: DataType,
): ColumnFacts {
  const text = values[column];
  // Every file has a value for every partition column, be it null: nothing is known of one that a writer left out.
  if (text === undefined) return { mayBeNull: true, mayBeValue: true };
  if (text === null || text === '') return { mayBeNull: true, mayBeValue: false };
  const value = comparableOf(text, type);
  return {
    mayBeNull: false,
    mayBeValue: true,
    ...(value === undefined ? {} : { min: value, max: value }),
  };
}

function parsedStatistics(stats: string | null | undefined, column: TableColumn): ParsedStatistics {
  const root = typeof stats === 'string' ? parsed(stats, column) : undefined;
  return {
    rows: recordCount(stats),
    min: member(root, 'minValues'),
    max: member(root, 'maxValues'),
    nullCount: member(root, 'nullCount'),
  };
}

/** Looking for long numbers costs as much as all the rest: only where the column's bounds may be such. */
function parsed(stats: string, { type, physicalNames }: TableColumn): unknown {
  if (decimalOf(type) !== undefined) return parseKeepingDigits(stats);
  try {
    const root: unknown = JSON.parse(stats);
    const isShort = (bounds: unknown): boolean => {
      const bound = memberAt(bounds, physicalNames);
      return typeof bound !== 'number' || Math.abs(bound) <= Number.MAX_SAFE_INTEGER;
    };
    const areShort =
      type !== 'long' || (isShort(member(root, 'minValues')) && isShort(member(root, 'maxValues')));
    return areShort ? root : parseKeepingDigits(stats);
  } catch {
    return undefined;
  }
}

function memberAt(root: unknown, names: readonly string[]): unknown {
  let at = root;
  for (const name of names) at = member(at, name);
  return at;
}

function memberText(root: unknown, names: readonly string[]): string | undefined {
  const at = memberAt(root, names);
  if (typeof at === 'string') return at;
  return typeof at === 'number' || typeof at === 'boolean' ? String(at) : undefined;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
