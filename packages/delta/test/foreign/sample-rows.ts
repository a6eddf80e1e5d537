/** Rows of every type, with the values that engines disagree on most easily. */
import { field, struct } from '../../src/index.ts';
import type { Row, Value } from './table-engine.ts';

export const EVERY_TYPE = struct([
  field('id', 'long'),
  field('text', 'string'),
  field('whole', 'integer'),
  field('small', 'short'),
  field('tiny', 'byte'),
  field('single', 'float'),
  field('double', 'double'),
  field('flag', 'boolean'),
  field('bytes', 'binary'),
  field('money', 'decimal(9,2)'),
  field('large', 'decimal(38,10)'),
  field('day', 'date'),
  field('moment', 'timestamp'),
  field('wall', 'timestamp_ntz'),
  field('point', struct({ x: 'double', inner: struct({ label: 'string', at: 'timestamp' }) })),
  field('list', { type: 'array', elementType: 'integer', containsNull: true }),
  field('structs', { type: 'array', elementType: struct({ n: 'long', s: 'string' }), containsNull: true }),
  field('map', { type: 'map', keyType: 'string', valueType: 'decimal(9,2)', valueContainsNull: true }),
  field('byDay', {
    type: 'map',
    keyType: 'date',
    valueType: { type: 'array', elementType: 'timestamp', containsNull: true },
    valueContainsNull: true,
  }),
]);

const NOTHING: Row = Object.fromEntries(EVERY_TYPE.fields.map(({ name }) => [name, null]));

/** Microseconds since 1970 of an ISO timestamp with microseconds. */
function micros(iso: string, extra = 0n): string {
  return String(BigInt(Date.parse(`${iso}Z`)) * 1000n + extra);
}

const PLAIN: Readonly<Record<string, Value>> = {
  text: 'plain',
  whole: 7,
  small: 8,
  tiny: 9,
  single: 0.5,
  double: 0.1,
  flag: true,
  bytes: '0x00ff10',
  money: '12.50',
  large: '12345678901234567890.0123456789',
  day: '2024-02-29',
  moment: micros('2024-02-29T12:34:56.789', 123n),
  wall: micros('2024-02-29T12:34:56.789', 456n),
  point: { x: 1.5, inner: { label: 'naïve ☃ 😀', at: micros('1999-12-31T23:59:59.999', 999n) } },
  list: [1, null, -3],
  structs: [{ n: '9223372036854775807', s: 'a' }, { n: null, s: null }, null],
  map: [
    ['a', '1.00'],
    ['b', null],
  ],
  byDay: [['1969-12-31', [micros('1969-12-31T00:00:00.000'), null]]],
};

const LEAST: Readonly<Record<string, Value>> = {
  text: '',
  whole: -2_147_483_648,
  small: -32_768,
  tiny: -128,
  single: '-Infinity',
  double: '-Infinity',
  flag: false,
  bytes: '0x',
  money: '-9999999.99',
  large: '-9999999999999999999999999999.9999999999',
  day: '1969-12-31',
  moment: micros('1969-12-31T23:59:59.999', 1n),
  wall: micros('1815-06-18T11:35:00.000', 1n),
  point: { x: '-Infinity', inner: null },
  list: [],
  structs: [],
  map: [],
  byDay: [],
};

const MOST: Readonly<Record<string, Value>> = {
  text: `𝄞 "quoted" \\ back\nline\ttab ${'long '.repeat(20)}`,
  whole: 2_147_483_647,
  small: 32_767,
  tiny: 127,
  single: 'Infinity',
  double: 'Infinity',
  flag: true,
  bytes: '0xdeadbeef',
  money: '9999999.99',
  large: '9999999999999999999999999999.9999999999',
  day: '9999-12-31',
  moment: micros('2161-06-07T08:09:10.111', 222n),
  wall: micros('9999-12-31T23:59:59.999', 999n),
  point: { x: 'NaN', inner: { label: null, at: null } },
  list: [null],
  structs: [null],
  map: [['', '0.00']],
  byDay: [['2345-01-01', []]],
};

const ODD: Readonly<Record<string, Value>> = {
  text: 'İstanbul \u{10ffff} \u0000 end',
  single: 'NaN',
  double: 'NaN',
  money: '0.00',
  large: '0.0000000001',
  day: '0001-01-01',
  moment: micros('1900-01-01T00:00:00.000'),
  wall: micros('1970-01-01T00:00:00.000'),
};

const NEGATIVE_ZERO: Readonly<Record<string, Value>> = { single: '-0.0', double: '-0.0', flag: null };

/** A row of each kind, with ids from `from`. */
export function everyTypeRows(from: number): Row[] {
  const kinds = [PLAIN, LEAST, MOST, ODD, NEGATIVE_ZERO, {}];
  return kinds.map((kind, at) => ({ ...NOTHING, ...kind, id: String(from + at) }));
}
