/** Rows of the model as the three kinds of source that a write takes. */
import { writeFile } from 'node:fs/promises';
import type { RowSource } from '../../engine.ts';
import { quoteIdentifier } from '../../scan/quote.ts';
import { type DataType, decimalOf, type StructField } from '../../schema/types.ts';
import type { Dice } from './dice.ts';
import { cell, type ModelRow, type ModelValue, plainText, sqlLiteral } from './values.ts';

/** A source of the rows; a file that it needs is written to `file`. */
export async function sourceOf(
  dice: Dice,
  rows: readonly ModelRow[],
  { fields, file }: { fields: readonly StructField[]; file: string },
): Promise<RowSource> {
  switch (dice.below(3)) {
    case 0:
      return { kind: 'sql', sql: rowsSql(dice, rows, fields) };
    case 1:
      return { kind: 'rows', rows: rows.map((row) => objectOf(dice, row, fields)) };
    default: {
      const lines = rows.map((row) => `${jsonOf(row, { type: 'struct', fields })}\n`);
      await writeFile(file, lines.join(''));
      return { kind: 'ndjson', file };
    }
  }
}

/** A SELECT of the rows, its columns in any order. */
export function rowsSql(dice: Dice, rows: readonly ModelRow[], fields: readonly StructField[]): string {
  const order = dice.shuffled([...fields.keys()]);
  const selects = (rows.length === 0 ? [fields.map(() => null)] : rows).map((row) => {
    const columns = order.map((at) => {
      const { name, type } = fields[at] as StructField;
      return `${sqlLiteral(cell(row, at), type)} AS ${quoteIdentifier(name)}`;
    });
    return `SELECT ${columns.join(', ')}`;
  });
  return rows.length === 0 ? `${selects.join('')} LIMIT 0` : selects.join(' UNION ALL ');
}

/** A row as JavaScript's values, of the several that mean the same one or another; nulls may be absent. */
function objectOf(dice: Dice, row: ModelRow, fields: readonly StructField[]): Record<string, unknown> {
  const entries = fields.flatMap(({ name, type }, at): [string, unknown][] =>
    row[at] === null && dice.once(2) ? [] : [[name, jsValue(dice, cell(row, at), type)]],
  );
  return Object.fromEntries(entries);
}

function jsValue(dice: Dice, value: ModelValue, type: DataType): unknown {
  if (value === null) return dice.of([null, undefined]);
  if (typeof type !== 'string') {
    const items = value as ModelValue[];
    if (type.type === 'array') return items.map((item) => jsValue(dice, item, type.elementType));
    if (type.type === 'struct') return objectOf(dice, items, type.fields);
    return new Map(
      (items as [ModelValue, ModelValue][]).map(([key, item]) => [
        jsValue(dice, key, type.keyType),
        jsValue(dice, item, type.valueType),
      ]),
    );
  }
  if (type === 'binary') return new Uint8Array(value as Buffer);
  if (type === 'timestamp' || type === 'timestamp_ntz') {
    const isWhole = (value as bigint) % 1000n === 0n;
    return isWhole && dice.once(2) ? new Date(Number((value as bigint) / 1000n)) : plainText(value, type);
  }
  return type === 'date' || decimalOf(type) !== undefined ? plainText(value, type) : value;
}

/** JSON in the form that sources of NDJSON have. */
function jsonOf(value: ModelValue, type: DataType): string {
  if (value === null) return 'null';
  if (typeof type !== 'string') {
    const items = value as ModelValue[];
    if (type.type === 'array') return `[${items.map((item) => jsonOf(item, type.elementType)).join(',')}]`;
    const members =
      type.type === 'struct'
        ? type.fields.map(({ name, type: inner }, at) => [
            JSON.stringify(name),
            jsonOf(cell(items, at), inner),
          ])
        : (items as [ModelValue, ModelValue][]).map(([key, item]) => [
            JSON.stringify(wireText(key, type.keyType)),
            jsonOf(item, type.valueType),
          ]);
    return `{${members.map((member) => member.join(':')).join(',')}}`;
  }
  const isBare =
    type === 'boolean' || typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value));
  const isText = type === 'date' || type.startsWith('timestamp') || decimalOf(type) !== undefined;
  const text = wireText(value, type);
  return isBare && !isText ? text : JSON.stringify(text);
}

function wireText(value: ModelValue, type: DataType): string {
  return Buffer.isBuffer(value) ? value.toString('base64') : plainText(value, type);
}
