/**
 * Files with statistics as different writers leave them, against predicates worked out row by row: a file with a matching
 * row is never left out. `SEED` replays a run.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddFile } from '../log/actions.ts';
import { timestampText } from '../schema/timestamp-text.ts';
import { type DataType, field, struct } from '../schema/types.ts';
import { textLowerBound, textUpperBound } from '../stats/text-bounds.ts';
import { comparableOf, compareValues } from './comparable.ts';
import { resolveColumn } from './file-facts.ts';
import type { ComparisonOperator, Literal, Predicate } from './predicate.ts';
import { filesTest } from './prune.ts';
import { randomFrom } from '../testing/random.ts';

const seed = Number(process.env.SEED ?? 20261121);
const ROUNDS = 3000;

const random = randomFrom(seed);
const below = (limit: number): number => Math.floor(random() * limit);
const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;

/** Values are texts as partition values have them; null is NULL. */
type Value = string | null;

interface ColumnKind {
  readonly path: readonly string[];
  readonly type: DataType;
  readonly value: () => string;
  readonly literal: (text: string) => Literal | undefined;
  /** JSON texts of the bounds that one of the writers leaves for values in ascending order. */
  readonly bounds: readonly ((least: string, greatest: string) => [min: string, max: string])[];
}

const asText = (least: string, greatest: string): [string, string] => [
  JSON.stringify(least),
  JSON.stringify(greatest),
];
const asNumber = (least: string, greatest: string): [string, string] => [least, greatest];
const throughDouble = (text: string): string => String(Number(text));
const LONG_TEXT = 'abcdefghijklmnopqrstuvwxyz012345';

const KINDS: readonly ColumnKind[] = [
  {
    path: ['text'],
    type: 'string',
    value: () =>
      pick(['', 'a', 'é', '\u{1F680}', '\uFFFD', LONG_TEXT]) +
      pick(['', '', 'z', '\u{1F680}', '\uFFFDx', String(below(9))]),
    literal: (value) => ({ type: 'string', value }),
    bounds: [
      asText,
      (least, greatest) => [JSON.stringify(textLowerBound(least)), JSON.stringify(textUpperBound(greatest))],
      // Early Delta: cut, and U+FFFD for what was cut off.
      (least, greatest) => [
        JSON.stringify(Array.from(least).slice(0, 32).join('')),
        JSON.stringify(
          Array.from(greatest).length > 32 ? `${Array.from(greatest).slice(0, 32).join('')}\uFFFD` : greatest,
        ),
      ],
    ],
  },
  {
    path: ['moment'],
    type: 'timestamp',
    value: () => `${timestampText(BigInt(below(8000) - 4000))}Z`,
    literal: (value) => ({ type: 'timestamp', value }),
    bounds: [
      (least, greatest) => asText(least.replace(' ', 'T'), greatest.replace(' ', 'T')),
      // Spark: milliseconds.
      (least, greatest) => asText(least.replace(/\d{3}Z$/, 'Z'), greatest.replace(/\d{3}Z$/, 'Z')),
    ],
  },
  {
    path: ['amount'],
    type: 'decimal(24,4)',
    value: () =>
      `${pick(['', '-'])}${pick(['1', '12345678901234567', '98765432109876543210'])}.${String(below(10000)).padStart(4, '0')}`,
    literal: (value) => ({ type: 'decimal', value }),
    bounds: [asNumber, (least, greatest) => [throughDouble(least), throughDouble(greatest)]],
  },
  {
    path: ['measure'],
    type: 'double',
    value: () => pick(['NaN', '-0', '0', '1.5', '-2.25', 'Infinity', '3', '4.5', String(below(10) / 4)]),
    literal: (value) => (value === 'NaN' ? undefined : { type: 'double', value: Number(value) }),
    bounds: [
      asText,
      // NaN left out: the bounds are of the others.
      (least, greatest) => [
        least === 'NaN' ? '"NaN"' : JSON.stringify(Number(least)),
        JSON.stringify(greatest === 'NaN' ? 1 : Number(greatest)),
      ],
    ],
  },
  {
    path: ['was', 'float'],
    type: 'double',
    value: () => String(Math.fround(below(100) / 10 - 5)),
    literal: (value) => ({ type: 'double', value: Number(value) }),
    bounds: [
      // The shortest text that names the float.
      (least, greatest) => [
        String(Number(Number(least).toPrecision(7))),
        String(Number(Number(greatest).toPrecision(7))),
      ],
    ],
  },
  {
    path: ['nested', 'a.b'],
    type: 'long',
    value: () => String(9007199254740990n + BigInt(below(8))),
    literal: (value) => ({ type: 'integer', value: BigInt(value) }),
    bounds: [asNumber],
  },
];

const SCHEMA = struct([
  field('text', 'string'),
  field('moment', 'timestamp'),
  field('amount', 'decimal(24,4)'),
  field('measure', 'double'),
  field('was', struct([field('float', 'double', { metadata: { 'delta.typeChanges': [{}] } })])),
  field('nested', struct({ 'a.b': 'long' })),
]);
const TABLE = { schema: SCHEMA, partitionColumns: [] };

/** As SQL orders them: NaN above all. */
function order(kind: ColumnKind, left: string, right: string): number {
  const [isLeft, isRight] = [left === 'NaN', right === 'NaN'];
  if (isLeft || isRight) return Number(isLeft) - Number(isRight);
  const [a, b] = [comparableOf(left, kind.type), comparableOf(right, kind.type)];
  assert.ok(a !== undefined && b !== undefined);
  return compareValues(a, b) ?? Number.NaN;
}

function holds(kind: ColumnKind, value: Value, operator: ComparisonOperator, literal: string): boolean {
  if (value === null) return false;
  const at = order(kind, value, literal);
  return { '=': at === 0, '<>': at !== 0, '<': at < 0, '<=': at <= 0, '>': at > 0, '>=': at >= 0 }[operator];
}

function nestedJson(path: readonly string[], json: string): string {
  return path.reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, json);
}

/** A file with these values, of which a vector may since have deleted some. */
function fileOf(kind: ColumnKind, written: readonly Value[], hasVector: boolean): AddFile {
  const values = written.filter((value) => value !== null).toSorted((a, b) => order(kind, a, b));
  const parts = [
    `"numRecords":${written.length}`,
    `"nullCount":${nestedJson(kind.path, String(written.length - values.length))}`,
  ];
  const [least, greatest] = [values[0], values.at(-1)];
  // A writer that leaves NaN out has the greatest of the rest.
  if (least !== undefined && greatest !== undefined) {
    const [min, max] = pick(kind.bounds)(least, greatest);
    if (!/^"?(NaN|null)/.test(min)) parts.push(`"minValues":${nestedJson(kind.path, min)}`);
    parts.push(`"maxValues":${nestedJson(kind.path, max)}`);
  }
  if (hasVector) parts.push('"tightBounds":false');
  return {
    path: 'f',
    partitionValues: {},
    size: 1,
    modificationTime: 0,
    dataChange: true,
    stats: `{${parts.join(',')}}`,
  };
}

describe(`statistics of other writers (seed ${seed})`, () => {
  it('never leave out a file with a matching row', () => {
    let skipped = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const kind = pick(KINDS);
      const written = Array.from({ length: 1 + below(4) }, (): Value =>
        random() < 0.15 ? null : kind.value(),
      );
      const hasVector = random() < 0.3;
      const rows = hasVector ? written.filter(() => random() < 0.6) : written;
      const known = written.filter((value) => value !== null);
      const text = known.length > 0 && random() < 0.6 ? pick(known) : kind.value();
      const literal = kind.literal(text);
      const operator = pick<ComparisonOperator>(['=', '<>', '<', '<=', '>', '>=']);
      const isNullTest = literal === undefined || random() < 0.15;
      const predicate: Predicate = isNullTest
        ? { kind: pick(['is-null', 'is-not-null'] as const), column: kind.path }
        : { kind: 'compare', column: kind.path, operator, value: literal };
      const matches =
        predicate.kind === 'compare'
          ? rows.some((value) => holds(kind, value, operator, text))
          : rows.some((value) => (value === null) === (predicate.kind === 'is-null'));
      const file = fileOf(kind, written, hasVector);
      const kept = filesTest(predicate, TABLE).file(file);
      if (!kept) skipped += 1;
      const what = `round ${round}: ${JSON.stringify({ rows, operator, text, predicate: predicate.kind, stats: file.stats })}`;
      assert.ok(kept || !matches, what);
    }
    assert.ok(skipped > ROUNDS / 20, `pruning must do something: ${skipped} files skipped`);
  });

  it('resolves every column that it tries', () => {
    for (const kind of KINDS) assert.deepEqual(resolveColumn(kind.path, TABLE)?.type, kind.type);
  });
});
