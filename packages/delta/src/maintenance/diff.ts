import { type AddFile, fileKey } from '../log/actions.ts';
import { sameType, type DataType, type StructField, type StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { recordCount } from '../stats/record-count.ts';
import type { TableContext } from '../table-context.ts';

export interface DiffOptions {
  /** Versions; `to` defaults to the newest. `from` may be the later one. */
  readonly from: number;
  readonly to?: number;
}

/** What differs from one version to another, told from the log alone: no data file is read. */
export interface VersionDiff {
  readonly from: number;
  readonly to: number;
  /** In `to` and not in `from`, and the other way round; a file whose deleted rows alone changed is in neither. */
  readonly filesAdded: readonly AddFile[];
  readonly filesRemoved: readonly AddFile[];
  /** The same data file with other rows deleted. */
  readonly filesMasked: readonly { readonly before: AddFile; readonly after: AddFile }[];
  /** Rows in `to` minus rows in `from`; undefined while a file says no number. */
  readonly rows: number | undefined;
  readonly bytes: number;
  readonly columns: readonly ColumnChange[];
  /** Undefined stands for a property that is not set. */
  readonly properties: readonly {
    readonly name: string;
    readonly before: string | undefined;
    readonly after: string | undefined;
  }[];
  readonly partitionColumnsChanged: boolean;
  readonly protocolChanged: boolean;
}

export type ColumnChange =
  /** Paths are names from the top-level column down, joined by `.`; a renamed column is dropped and added. */
  | { readonly kind: 'added' | 'dropped'; readonly path: string; readonly type: DataType }
  | {
      readonly kind: 'changed';
      readonly path: string;
      readonly before: Pick<StructField, 'type' | 'nullable'>;
      readonly after: Pick<StructField, 'type' | 'nullable'>;
    };

/** Throws `version-not-found` for a version that the log can't give any more. */
export async function diff(context: TableContext, options: DiffOptions): Promise<VersionDiff> {
  const to = options.to === undefined ? await context.refresh() : await context.stateAt(options.to);
  const from = await context.stateAt(options.from);
  return diffStates(from, to);
}

/** As {@link diff}, of two states of one table. */
export function diffStates(from: TableState, to: TableState): VersionDiff {
  const before = new Map([...from.files.files()].map((file) => [fileKey(file), file]));
  const added = new Map<string, AddFile>();
  for (const file of to.files.files()) {
    if (!before.delete(fileKey(file))) added.set(file.path, file);
  }
  const filesRemoved: AddFile[] = [];
  const filesMasked: { before: AddFile; after: AddFile }[] = [];
  for (const file of before.values()) {
    const after = added.get(file.path);
    if (after === undefined) filesRemoved.push(file);
    else {
      added.delete(file.path);
      filesMasked.push({ before: file, after });
    }
  }
  const [rowsBefore, rowsAfter] = [rowsOf(from), rowsOf(to)];
  return {
    from: from.version,
    to: to.version,
    filesAdded: [...added.values()],
    filesRemoved,
    filesMasked,
    rows: rowsBefore === undefined || rowsAfter === undefined ? undefined : rowsAfter - rowsBefore,
    bytes: to.files.sizeBytes - from.files.sizeBytes,
    columns: columnChanges(from.schema, to.schema, ''),
    properties: propertyChanges(from.metadata.configuration, to.metadata.configuration),
    partitionColumnsChanged:
      JSON.stringify(from.metadata.partitionColumns) !== JSON.stringify(to.metadata.partitionColumns),
    protocolChanged: JSON.stringify(from.protocol) !== JSON.stringify(to.protocol),
  };
}

/** Rows that are not deleted. */
function rowsOf(state: TableState): number | undefined {
  let rows = 0;
  for (const file of state.files.files()) {
    const count = recordCount(file.stats);
    if (count === undefined) return undefined;
    rows += count - (file.deletionVector?.cardinality ?? 0);
  }
  return rows;
}

function columnChanges(before: StructType, after: StructType, prefix: string): ColumnChange[] {
  const changes: ColumnChange[] = [];
  const left = new Map(before.fields.map((field) => [field.name, field]));
  for (const field of after.fields) {
    const path = `${prefix}${field.name}`;
    const old = left.get(field.name);
    left.delete(field.name);
    if (old === undefined) {
      changes.push({ kind: 'added', path, type: field.type });
      continue;
    }
    const [a, b] = [structOf(old.type), structOf(field.type)];
    if (a !== undefined && b !== undefined) {
      if (old.nullable !== field.nullable) changes.push(changed(path, old, field));
      changes.push(...columnChanges(a, b, `${path}.`));
    } else if (!sameType(old.type, field.type) || old.nullable !== field.nullable) {
      changes.push(changed(path, old, field));
    }
  }
  for (const field of left.values()) {
    changes.push({ kind: 'dropped', path: `${prefix}${field.name}`, type: field.type });
  }
  return changes;
}

function changed(path: string, before: StructField, after: StructField): ColumnChange {
  return {
    kind: 'changed',
    path,
    before: { type: before.type, nullable: before.nullable },
    after: { type: after.type, nullable: after.nullable },
  };
}

function structOf(type: DataType): StructType | undefined {
  return typeof type !== 'string' && type.type === 'struct' ? type : undefined;
}

function propertyChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): VersionDiff['properties'] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  return names
    .map((name) => ({ name, before: before[name], after: after[name] }))
    .filter((change) => change.before !== change.after);
}
