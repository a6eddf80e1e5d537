/** Columns for members that the table lacks, under `sluice.unknown-fields = evolve`. */
import type { DataType, StructField } from '@sluice/delta';
import { fold } from './casts.ts';
import { exactNumber, scaledDigits } from './exact-number.ts';
import { JsonNumber, JsonObject, type JsonValue } from './json-text.ts';
import { Rejection } from './reject.ts';

export const NAME_LENGTH_MAX = 255;

/** Characters that Parquet's writers of other engines refuse in names. */
// oxlint-disable-next-line no-control-regex
const NAME_REFUSED = /[ ,;{}()\u0000-\u001f="]/;

/** A nullable field for a member; undefined when its value says nothing of a type (null, `[]`, `{}`). */
export function inferField(key: string, value: JsonValue): StructField | undefined {
  const type = inferType(value);
  if (type === undefined) return undefined;
  return { name: columnName(key), type, nullable: true, metadata: {} };
}

/** Strings stay strings, whatever they look like: a wrong guess at a date could never be undone. */
export function inferType(value: JsonValue): DataType | undefined {
  if (value === null) return undefined;
  if (typeof value === 'string') return 'string';
  if (typeof value === 'boolean') return 'boolean';
  if (value instanceof JsonNumber) return isLong(value.text) ? 'long' : 'double';
  if (value instanceof JsonObject) {
    const fields: StructField[] = [];
    const names = new Set<string>();
    value.keys.forEach((key, at) => {
      const field = inferField(key, value.values[at]!);
      if (field === undefined) return;
      if (names.has(fold(field.name))) throw new Rejection('duplicate-key', `the key "${key}" stands twice`);
      names.add(fold(field.name));
      fields.push(field);
    });
    return fields.length === 0 ? undefined : { type: 'struct', fields };
  }
  let elementType: DataType | undefined;
  for (const item of value) elementType = unify(elementType, inferType(item));
  return elementType === undefined ? undefined : { type: 'array', elementType, containsNull: true };
}

function unify(left: DataType | undefined, right: DataType | undefined): DataType | undefined {
  if (left === undefined) return right;
  if (right === undefined) return left;
  if (typeof left === 'string' || typeof right === 'string') {
    if (left === right) return left;
    if ((left === 'long' && right === 'double') || (left === 'double' && right === 'long')) return 'double';
    throw mixed();
  }
  if (left.type === 'array' && right.type === 'array')
    return { ...left, elementType: unify(left.elementType, right.elementType)! };
  if (left.type !== 'struct' || right.type !== 'struct') throw mixed();
  const fields = [...left.fields];
  for (const field of right.fields) {
    const at = fields.findIndex((other) => fold(other.name) === fold(field.name));
    if (at === -1) fields.push(field);
    else fields[at] = { ...field, type: unify(fields[at]!.type, field.type)! };
  }
  return { type: 'struct', fields };
}

function columnName(key: string): string {
  const name = fold(key);
  if (name === '' || name.length > NAME_LENGTH_MAX || NAME_REFUSED.test(name))
    throw new Rejection('evolution-refused', `the key "${key.slice(0, 60)}" can't be the name of a column`);
  return name;
}

function mixed(): Rejection {
  return new Rejection('evolution-refused', 'an array of a new column mixes types');
}

function isLong(text: string): boolean {
  if (/[.eE]/.test(text) || text.length > 20) return false;
  const number = exactNumber(text);
  const digits = number === undefined ? undefined : scaledDigits(number, 0);
  if (digits === undefined) return false;
  const value = number!.negative ? -BigInt(digits) : BigInt(digits);
  return BigInt.asIntN(64, value) === value;
}
