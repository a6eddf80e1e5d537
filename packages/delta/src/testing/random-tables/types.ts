/** Random schemas, with the names that code which builds SQL and paths trips over. */
import { type DataType, field, type StructField, type StructType } from '../../schema/types.ts';
import type { Dice } from './dice.ts';

const DEPTH_MAX = 3;

const SCALARS: readonly DataType[] = [
  'string',
  'long',
  'integer',
  'short',
  'byte',
  'float',
  'double',
  'boolean',
  'binary',
  'date',
  'timestamp',
  'timestamp_ntz',
];
const KEYS: readonly DataType[] = ['string', 'long', 'integer', 'date', 'timestamp', 'binary', 'boolean'];

/** Fit for any table. */
const PLAIN_NAMES = [
  'id',
  'Name',
  'a.b',
  'we"ird',
  "it's",
  '`tick`',
  'ünï',
  '日本',
  '𐐷🦀',
  'select',
  'target',
  'source',
  'row',
  'f',
  'r',
  'g',
  'k',
  'v',
  'x0',
  'key',
  'value',
  'element',
  'list',
  'entry',
  'filename',
  'file_row_number',
  'file_index',
  'rowid',
  'read_json',
  'unnamed_subquery',
  '__proto__x',
  'constructor',
  'toString',
  'a/b',
  'back\\slash',
  '%41',
  '$1',
  '?',
  'numRecords',
  'minValues',
  'version',
  'p',
  'q',
] as const;
/** Of characters that only column mapping allows. */
const MAPPED_NAMES = [
  'two words',
  'a,b',
  'a;b',
  '{x}',
  '(y)',
  'k=v',
  'tab\there',
  'line\nbreak',
  ' lead',
  'trail ',
] as const;

function randomDecimal(dice: Dice): DataType {
  const precision = 1 + dice.below(38);
  return `decimal(${precision},${dice.below(precision + 1)})`;
}

export function randomScalar(dice: Dice): DataType {
  return dice.once(6) ? randomDecimal(dice) : dice.of(SCALARS);
}

export interface SchemaOptions {
  /** Whether columns are mapped, so that any name will do. */
  readonly isMapped: boolean;
}

export function randomType(dice: Dice, depth: number, options: SchemaOptions): DataType {
  if (depth >= DEPTH_MAX || dice.below(10) < 6) return randomScalar(dice);
  const inner = (): DataType => randomType(dice, depth + 1, options);
  switch (dice.below(3)) {
    case 0:
      return { type: 'array', elementType: inner(), containsNull: !dice.once(4) };
    case 1:
      return {
        type: 'map',
        keyType: dice.of(KEYS),
        valueType: inner(),
        valueContainsNull: !dice.once(4),
      };
    default:
      return randomStruct(dice, { count: 1 + dice.below(3), depth: depth + 1 }, options);
  }
}

export function randomStruct(
  dice: Dice,
  { count, depth }: { count: number; depth: number },
  options: SchemaOptions,
): StructType {
  const fields: StructField[] = [];
  while (fields.length < count) {
    const name = freshName(dice, fields, options);
    fields.push(field(name, randomType(dice, depth, options), { nullable: !dice.once(8) }));
  }
  return { type: 'struct', fields };
}

/** A name that no sibling has in any case. */
export function freshName(dice: Dice, siblings: readonly StructField[], { isMapped }: SchemaOptions): string {
  for (;;) {
    const base = dice.of(isMapped && dice.once(3) ? MAPPED_NAMES : PLAIN_NAMES);
    const cased = dice.of([base, base.toUpperCase(), base, `${base}${dice.below(10)}`]);
    if (siblings.every(({ name }) => name.toLowerCase() !== cased.toLowerCase())) return cased;
  }
}

/** Columns that can partition a table, such that one at least is left over. */
export function randomPartitioning(dice: Dice, schema: StructType): string[] {
  const able = schema.fields.filter(({ type }) => typeof type === 'string' && type !== 'binary');
  const count = Math.min(dice.of([0, 0, 1, 1, 2]), able.length, schema.fields.length - 1);
  return dice
    .shuffled(able)
    .slice(0, count)
    .map(({ name }) => name);
}

/** Types that the protocol lets a type be widened to. */
export function widerTypes(type: DataType): readonly DataType[] {
  const wider: Readonly<Record<string, readonly DataType[]>> = {
    byte: ['short', 'integer', 'long', 'double', 'decimal(12,2)'],
    short: ['integer', 'long', 'double', 'decimal(38,0)'],
    integer: ['long', 'double', 'decimal(15,3)'],
    long: ['decimal(22,2)'],
    float: ['double'],
    date: ['timestamp_ntz'],
  };
  return typeof type === 'string' ? (wider[type] ?? []) : [];
}
