/**
 * A new file's statistics as the text that the log keeps (protocol: "Per-file Statistics"). Numbers are written with
 * the digits that the engine gave: no detour through a double.
 */
import type { LeafStatistics, WrittenFile } from '../engine.ts';
import type { DataType, StructType } from '../schema/types.ts';
import { textLowerBound, textUpperBound } from './text-bounds.ts';

/**
 * @param indexed leaf columns, from the first in schema order, that get statistics, -1 for all; or the test for them, by
 *   path and place from 0. Arrays and maps count as one and get none; partition columns are not in the file and don't
 *   count.
 */
export function fileStatistics(
  file: Pick<WrittenFile, 'rows' | 'columns'>,
  options: {
    schema: StructType;
    partitionColumns: readonly string[];
    indexed: number | ((path: readonly string[], at: number) => boolean);
  },
): string {
  const byPath = new Map(file.columns.map((column) => [pathKey(column.path), column]));
  const fields = options.schema.fields.filter((field) => !options.partitionColumns.includes(field.name));
  const leaves: Leaf[] = [];
  collectLeaves({ type: 'struct', fields }, [], leaves);
  const min = new Map<string, Node>();
  const max = new Map<string, Node>();
  const nulls = new Map<string, Node>();
  const { indexed } = options;
  const isIndexed =
    typeof indexed === 'number' ? (_: unknown, at: number) => indexed < 0 || at < indexed : indexed;
  for (const [at, leaf] of leaves.entries()) {
    if (!isIndexed(leaf.path, at)) continue;
    const found = byPath.get(pathKey(leaf.path));
    if (found === undefined) continue;
    place(nulls, leaf.path, String(found.nullCount));
    const bounds = boundsJson(found, leaf.type);
    if (bounds.min !== undefined) place(min, leaf.path, bounds.min);
    if (bounds.max !== undefined) place(max, leaf.path, bounds.max);
  }
  const parts = [`"numRecords":${file.rows}`];
  if (min.size > 0) parts.push(`"minValues":${render(min)}`);
  if (max.size > 0) parts.push(`"maxValues":${render(max)}`);
  if (nulls.size > 0) parts.push(`"nullCount":${render(nulls)}`);
  return `{${parts.join(',')}}`;
}

interface Leaf {
  readonly path: readonly string[];
  readonly type: DataType;
}

/** JSON text, or members by name. */
type Node = string | Map<string, Node>;

function collectLeaves(type: StructType, path: readonly string[], leaves: Leaf[]): void {
  for (const field of type.fields) {
    const at = [...path, field.name];
    if (typeof field.type !== 'string' && field.type.type === 'struct') collectLeaves(field.type, at, leaves);
    else leaves.push({ path: at, type: field.type });
  }
}

function boundsJson(leaf: LeafStatistics, type: DataType): { min?: string; max?: string } {
  // Bounds leave NaN out, and a pruner would take them for the whole truth.
  if (leaf.hasNan === true || typeof type !== 'string') return {};
  const min = leaf.min === undefined ? undefined : boundJson(leaf.min, { type, isMax: false });
  const max = leaf.max === undefined ? undefined : boundJson(leaf.max, { type, isMax: true });
  return { ...(min === undefined ? {} : { min }), ...(max === undefined ? {} : { max }) };
}

const NUMBER = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

function boundJson(text: string, options: { type: DataType; isMax: boolean }): string | undefined {
  const { type, isMax } = options;
  switch (type) {
    case 'string': {
      const bound = isMax ? textUpperBound(text) : textLowerBound(text);
      return bound === undefined ? undefined : JSON.stringify(bound);
    }
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(text) ? JSON.stringify(text) : undefined;
    case 'timestamp':
    case 'timestamp_ntz':
      return /^\d{4}-\d{2}-\d{2}T[\d:.]+Z?$/.test(text) ? JSON.stringify(text) : undefined;
    case 'boolean':
    case 'binary':
      return undefined;
    default:
      // Infinities have no form in JSON that every reader takes.
      return NUMBER.test(text) ? text : undefined;
  }
}

function place(root: Map<string, Node>, path: readonly string[], json: string): void {
  let at = root;
  for (const name of path.slice(0, -1)) {
    const inner = at.get(name);
    if (inner instanceof Map) at = inner;
    else {
      const made = new Map<string, Node>();
      at.set(name, made);
      at = made;
    }
  }
  const last = path.at(-1);
  if (last !== undefined) at.set(last, json);
}

function render(node: Node): string {
  if (typeof node === 'string') return node;
  return `{${[...node].map(([name, inner]) => `${JSON.stringify(name)}:${render(inner)}`).join(',')}}`;
}

function pathKey(path: readonly string[]): string {
  return JSON.stringify(path);
}
