import { AssertionFailure } from '../../errors.ts';
import { type DataType, type StructField } from '../../schema/types.ts';
import type { Dice } from './dice.ts';
import { type ModelRow, type ModelValue, randomValue } from './values.ts';

/** What a table is at one version. */
export interface ModelContent {
  readonly fields: readonly StructField[];
  readonly partitionColumns: readonly string[];
  readonly rows: readonly ModelRow[];
  readonly properties: Readonly<Record<string, string>>;
}

/** A table as plain rows in memory, with what its versions were. */
export class Model {
  content: ModelContent;
  /** Of the versions whose files and commits are still there. */
  readonly versions = new Map<number, ModelContent>();

  constructor(content: ModelContent) {
    this.content = content;
  }

  get fields(): readonly StructField[] {
    return this.content.fields;
  }

  get rows(): readonly ModelRow[] {
    return this.content.rows;
  }

  get isMapped(): boolean {
    return (this.content.properties['delta.columnMapping.mode'] ?? 'none') !== 'none';
  }

  isOn(property: string): boolean {
    return this.content.properties[property] === 'true';
  }

  /** Changes the newest content; rows are kept as partitions keep them. */
  change(change: Partial<ModelContent>): void {
    const next = { ...this.content, ...change };
    this.content = { ...next, rows: next.rows.map((row) => asPartitioned(row, next)) };
  }

  /** Rows that the table can take. */
  randomRows(dice: Dice, count: number): ModelRow[] {
    return Array.from({ length: count }, () => this.fields.map((field) => this.randomCell(dice, field)));
  }

  /** A value that a column can take. */
  randomCell(dice: Dice, field: StructField): ModelValue {
    const value = randomValue(dice, field);
    // In a partition '' is NULL, which a NOT NULL column refuses.
    const isRefused = value === '' && !field.nullable && this.content.partitionColumns.includes(field.name);
    return isRefused ? 'not empty' : value;
  }

  isPartition({ name }: StructField): boolean {
    return this.content.partitionColumns.includes(name);
  }
}

/** Partition values lose what their text can't tell: '' is NULL. */
function asPartitioned(row: ModelRow, { fields, partitionColumns }: ModelContent): ModelRow {
  if (partitionColumns.length === 0) return row;
  return row.map((value, at) => {
    if (!partitionColumns.includes(fields[at]?.name ?? '')) return value;
    return value === '' ? null : value;
  });
}

/** A place in a schema: names of fields, and `element`, `key` and `value` within lists and maps. */
export interface Place {
  readonly path: readonly string[];
  readonly type: DataType;
  /** The field at the place; undefined for what lists and maps hold. */
  readonly field: StructField | undefined;
}

/** Every place of a schema below the table itself. */
export function placesOf(fields: readonly StructField[], path: readonly string[] = []): Place[] {
  return fields.flatMap((field) => {
    const own = [...path, field.name];
    return [{ path: own, type: field.type, field }, ...placesWithin(field.type, own)];
  });
}

function placesWithin(type: DataType, path: readonly string[]): Place[] {
  if (typeof type === 'string') return [];
  if (type.type === 'struct') return placesOf(type.fields, path);
  const parts: [string, DataType][] =
    type.type === 'array'
      ? [['element', type.elementType]]
      : [
          ['key', type.keyType],
          ['value', type.valueType],
        ];
  return parts.flatMap(([name, part]) => {
    const own = [...path, name];
    return [{ path: own, type: part, field: undefined }, ...placesWithin(part, own)];
  });
}

export interface PlaceEdit {
  readonly type: (type: DataType) => DataType;
  /** Of a value there that is not null. */
  readonly value: (value: ModelValue) => ModelValue;
}

/** A type with one place within it changed. */
export function editType(type: DataType, path: readonly string[], edit: PlaceEdit): DataType {
  const [name, ...rest] = path;
  if (name === undefined) return edit.type(type);
  if (typeof type === 'string') throw new AssertionFailure(`nothing is below ${type}`);
  if (type.type === 'array') return { ...type, elementType: editType(type.elementType, rest, edit) };
  if (type.type === 'map') {
    return name === 'key'
      ? { ...type, keyType: editType(type.keyType, rest, edit) }
      : { ...type, valueType: editType(type.valueType, rest, edit) };
  }
  const fields = type.fields.map((field) =>
    field.name === name ? { ...field, type: editType(field.type, rest, edit) } : field,
  );
  return { type: 'struct', fields };
}

/** A value with what it holds at one place of its type changed. */
export function editValue(
  value: ModelValue,
  { type, path }: { type: DataType; path: readonly string[] },
  edit: PlaceEdit,
): ModelValue {
  if (value === null) return null;
  const [name, ...rest] = path;
  if (name === undefined) return edit.value(value);
  if (typeof type === 'string') throw new AssertionFailure(`nothing is below ${type}`);
  const items = value as ModelValue[];
  if (type.type === 'array') {
    return items.map((item) => editValue(item, { type: type.elementType, path: rest }, edit));
  }
  if (type.type === 'map') {
    return (items as [ModelValue, ModelValue][]).map(([key, item]) =>
      name === 'key'
        ? [editValue(key, { type: type.keyType, path: rest }, edit), item]
        : [key, editValue(item, { type: type.valueType, path: rest }, edit)],
    );
  }
  return items.map((item, at) => {
    const field = type.fields[at];
    return field?.name === name ? editValue(item, { type: field.type, path: rest }, edit) : item;
  });
}
