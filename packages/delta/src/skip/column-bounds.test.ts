/**
 * Bounds that are read from the bytes of statistics against those of the parser, over random and hostile statistics; and
 * the tests of blocks against those of files. `SEED` replays a run.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AddFile } from '../log/actions.ts';
import { ObjectBlock } from '../log/file-block.ts';
import { packedAdds, ROW_SEPARATOR } from '../log/packed-files.ts';
import { type DataType, field, struct } from '../schema/types.ts';
import {
  type ColumnBounds,
  columnBounds,
  HAS_MAX,
  HAS_MIN,
  IS_ROUNDED,
  MAY_BE_NULL,
  MAY_BE_VALUE,
  scaleOf,
} from './column-bounds.ts';
import type { Comparable } from './comparable.ts';
import { factsOf, resolveColumn, type TableColumn } from './file-facts.ts';
import { type NumberRange, numberRange } from './number-range.ts';
import {
  and,
  type ComparisonOperator,
  isIn,
  isNull,
  type Literal,
  not,
  or,
  type Predicate,
} from './predicate.ts';
import { filesTest } from './prune.ts';
import { StatisticsScanner } from './statistics-scanner.ts';
import { randomFrom } from '../testing/random.ts';

const seed = Number(process.env.SEED ?? 20261121);
const BLOCKS = 150;
const BLOCK_FILES = 40;

const random = randomFrom(seed);
const below = (limit: number): number => Math.floor(random() * limit);
const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item;
const digits = (count: number): string => Array.from({ length: count }, () => below(10)).join('');

interface Kind {
  readonly path: readonly string[];
  readonly type: DataType;
  /** A bound as JSON, mostly as a writer would have it. */
  readonly json: () => string;
  readonly literal: () => Literal;
}

const wholeNumber = (): string =>
  pick([
    '0',
    '-0',
    '7',
    '-7',
    String(below(1000)),
    `1${digits(14)}`,
    `-1${digits(15)}`,
    `9${digits(18)}`,
    '9007199254740993',
    '9007199254740994',
    '9007199254740995',
  ]);
const text = (): string =>
  pick([
    '',
    'a',
    'ab',
    'é',
    '\u{1F680}',
    '\uFFFD',
    'a\uFFFD',
    '"',
    '\\',
    '\n',
    `v${below(30)}`,
    'x'.repeat(40),
  ]);
const year = (): string => pick(['2020', '2020', '2024', '1969', '0001', '0000', '9999', '2300', '1900']);
const day = (): string =>
  `${year()}-${pick(['01', '02', '02', '12', '13', '00'])}-${pick(['01', '28', '29', '30', '31', '32', '00'])}`;
const moment = (): string =>
  day() +
  pick(['T', 'T', 'T', ' ', 't', '']) +
  pick(['00:00:00', '23:59:59', '12:34:56', '24:00:00', '12:34', '12:34:60', '']) +
  pick(['', '', '.1', '.123', '.123456', '.123456789', '.1234567890', '.']) +
  pick(['', 'Z', 'Z', 'Z', '+01:00', '-0330', 'z', ' Z']);
const decimal = (): string =>
  random() < 0.4
    ? pick(['7', '7.5', '-7.5', '-7', '6.999'])
    : `${pick(['', '-'])}${pick(['0', '1', digits(3).replace(/^0+/, '') || '0', `1${digits(12)}`, `1${digits(20)}`])}${pick(['', '.0', '.5', '.25', '.125', `.${digits(9)}`, 'e2', 'E-3'])}`;

const KINDS: readonly Kind[] = [
  // A list has it as a place.
  { path: ['0'], type: 'long', json: wholeNumber, literal: () => ({ type: 'integer', value: 1n }) },
  {
    path: ['n'],
    type: 'long',
    json: wholeNumber,
    literal: () => ({ type: 'integer', value: BigInt(wholeNumber()) }),
  },
  { path: ['i'], type: 'integer', json: wholeNumber, literal: () => ({ type: 'decimal', value: decimal() }) },
  {
    path: ['s'],
    type: 'string',
    json: () => JSON.stringify(text()),
    literal: () => ({ type: 'string', value: text() }),
  },
  {
    path: ['day'],
    type: 'date',
    json: () => JSON.stringify(day()),
    literal: () => ({ type: 'date', value: day() }),
  },
  {
    path: ['t'],
    type: 'timestamp',
    json: () => JSON.stringify(moment()),
    literal: () => ({ type: 'timestamp', value: moment() }),
  },
  {
    path: ['l'],
    type: 'timestamp_ntz',
    json: () => JSON.stringify(moment()),
    literal: () => ({ type: 'timestamp_ntz', value: moment() }),
  },
  {
    path: ['x'],
    type: 'decimal(12,3)',
    json: decimal,
    literal: () => ({ type: 'decimal', value: decimal() }),
  },
  {
    path: ['w'],
    type: 'decimal(38,6)',
    json: decimal,
    literal: () => ({ type: 'decimal', value: decimal() }),
  },
  {
    path: ['d'],
    type: 'double',
    json: decimal,
    literal: () => ({ type: 'double', value: Number(decimal()) }),
  },
  { path: ['f'], type: 'float', json: decimal, literal: () => ({ type: 'double', value: 1 }) },
  {
    path: ['was', 'float'],
    type: 'double',
    json: decimal,
    literal: () => ({ type: 'double', value: Number(decimal()) }),
  },
  {
    path: ['ok'],
    type: 'boolean',
    json: () => pick(['true', 'false']),
    literal: () => ({ type: 'boolean', value: random() < 0.5 }),
  },
  { path: ['b'], type: 'binary', json: () => '"AA=="', literal: () => ({ type: 'string', value: 'AA==' }) },
  {
    path: ['nested', 'in "quotes"', 'a.b'],
    type: 'long',
    json: wholeNumber,
    literal: () => ({ type: 'integer', value: 5n }),
  },
  {
    path: ['nested', 'n'],
    type: 'long',
    json: wholeNumber,
    literal: () => ({ type: 'integer', value: BigInt(wholeNumber()) }),
  },
  {
    path: ['größe'],
    type: 'string',
    json: () => JSON.stringify(text()),
    literal: () => ({ type: 'string', value: text() }),
  },
];

const SCHEMA = struct([
  ...KINDS.filter(({ path }) => path.length === 1).map(({ path: [name = ''], type }) => field(name, type)),
  field('was', struct([field('float', 'double', { metadata: { 'delta.typeChanges': [{}] } })])),
  field('nested', struct([field('in "quotes"', struct({ 'a.b': 'long' })), field('n', 'long')])),
]);
const TABLE = { schema: SCHEMA, partitionColumns: [] };

const space = (): string => (random() < 0.03 ? pick([' ', '\n', '\t ', '\r', '\u00A0']) : '');
const member = (name: string, json: string): string =>
  `${space()}${keyOf(name)}${space()}:${space()}${json}${space()}`;

/** Mostly as anybody writes it. */
function keyOf(name: string): string {
  const json = JSON.stringify(name);
  if (random() > 0.01) return json;
  return pick([
    `"${Array.from(name, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`).join('')}"`,
    json.toUpperCase(),
    name,
    '"__proto__"',
    `'${name}'`,
  ]);
}

const ODD_VALUES = [
  'null',
  '""',
  '"NaN"',
  '{}',
  '{"a":1}',
  '[]',
  '[1,{"n":2}]',
  'true',
  '1e5',
  '1.0',
  '01',
  '-',
  '+1',
  '.5',
  '1.',
  'NaN',
  'Infinity',
  '1e400',
  '"1"',
  '"\\u0041\\n\\""',
  '"\\x"',
  '"\\ud800"',
  'nul',
  `${'['.repeat(120)}${']'.repeat(120)}`,
];

function objectOf(members: string[]): string {
  return `{${members.join(',')}}`;
}

/** The column's value, below the names of its path, with others around. */
function valuesJson(path: readonly string[], json: () => string): string {
  if (random() < 0.02) return pick(ODD_VALUES);
  const [name = '', ...rest] = path;
  const own = (): string =>
    rest.length > 0 ? valuesJson(rest, json) : random() < 0.03 ? pick(ODD_VALUES) : json();
  const members: string[] = [];
  if (random() < 0.5) members.push(member('other', pick(['1', '"a"', '{"n":1,"s":"x"}', '-2.5e3', 'null'])));
  if (random() < 0.95) members.push(member(name, own()));
  if (random() < 0.02) members.push(member(name, own()));
  if (random() < 0.3) members.push(member(pick(['z', 'n', 's', 'nested']), pick(['1', '"é"', '{}'])));
  return objectOf(members);
}

function statsOf({ path, json }: Kind): string {
  if (random() < 0.02)
    return pick(['', ' ', '{}', '[]', 'null', '{', '"', '1', '{"numRecords":1}', '\u0002']);
  const count = (): string => (random() < 0.03 ? pick(ODD_VALUES) : String(below(3)));
  const parts = [
    ...(random() < 0.95 ? [member('numRecords', count())] : []),
    ...(random() < 0.9 ? [member('minValues', valuesJson(path, json))] : []),
    ...(random() < 0.9 ? [member('maxValues', valuesJson(path, json))] : []),
    ...(random() < 0.9 ? [member('nullCount', valuesJson(path, count))] : []),
    ...(random() < 0.2 ? [member('tightBounds', pick(['true', 'false']))] : []),
    ...(random() < 0.02 ? [member(pick(['numRecords', 'minValues', 'nullCount']), pick(ODD_VALUES))] : []),
  ];
  const whole = space() + objectOf(random() < 0.3 ? parts.toReversed() : parts) + space();
  return random() < 0.1 ? damaged(whole) : whole;
}

function damaged(whole: string): string {
  const at = below(whole.length);
  const character = pick(['"', '{', '}', ',', ':', '\\', '0', '\0', '\u0001', ' ', 'e', '-']);
  return pick([
    whole.slice(0, at),
    whole.slice(0, at) + whole.slice(at + 1),
    whole.slice(0, at) + character + whole.slice(at),
    whole + pick(['}', ' {}', ',', '\0']),
  ]);
}

/** Statistics of files that follow one another: mostly of one form, with other values. */
function runOf(kinds: readonly Kind[]): string[] {
  const run: string[] = [];
  for (let count = 0; count < BLOCK_FILES; count += 1) {
    const kind = pick(kinds);
    const last = run.at(-1);
    run.push(last === undefined || !isJson(last) || random() < 0.2 ? statsOf(kind) : variantOf(last, kind));
  }
  return run;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function variantOf(stats: string, kind: Kind): string {
  const variant = stats.replaceAll(/"(?:[^"\\]|\\.)*"(\s*:)?|-?\d+(\.\d+)?/g, (value) => {
    if (value.endsWith(':') || random() < 0.5) return value;
    if (random() < 0.004)
      return pick([...ODD_VALUES, '', `${value}"`, `-${value}`, `${value}.`, `${value}0`]);
    return value.startsWith('"') || random() < 0.3 ? kind.json() : String(below(3));
  });
  return random() < 0.05 ? damaged(variant) : variant;
}

function addOf(stats: string): AddFile {
  return { path: 'f', partitionValues: {}, size: 1, modificationTime: 0, dataChange: true, stats };
}

/** As a checkpoint's reader would; statistics with characters that it refuses are left out. */
function packedBlock(files: readonly AddFile[]) {
  const joined = (texts: string[]): Uint8Array => new Uint8Array(Buffer.from(texts.join(ROW_SEPARATOR)));
  const row = ['1', '0', '1', '', '', '{}', '', '', ''].join('\u0001');
  const block = {
    count: files.length,
    keys: joined(files.map(({ path }) => path)),
    rows: joined(files.map(() => row)),
    stats: joined(files.map(({ stats }) => stats ?? '')),
  };
  return packedAdds([block]).blocks[0];
}

function numbersOf(bound: Comparable | undefined, column: TableColumn): NumberRange | undefined {
  return bound === undefined ? undefined : numberRange(bound, scaleOf(column));
}

describe(`bounds of many files (seed ${seed})`, () => {
  it('are the parser’s matter for a column whose name JSON has to escape', () => {
    const stats = Buffer.from('{"minValues":{"a":1,"b":5}}');
    assert.equal(new StatisticsScanner(['b']).scan(stats, 0), stats.length);
    assert.ok(new StatisticsScanner(['a":1,"b']).scan(stats, 0) < 0);
  });

  it('are those that the parser finds, of whatever statistics', () => {
    let [plain, all] = [0, 0];
    for (let round = 0; round < BLOCKS; round += 1) {
      const kind = pick(KINDS);
      const column = resolveColumn(kind.path, TABLE);
      assert.ok(column !== undefined);
      const files = runOf([kind]).map(addOf);
      const scanner = new StatisticsScanner(column.physicalNames);
      for (const { stats } of files) {
        const bytes = Buffer.from(`${stats}\u0002`);
        if (scanner.scan(bytes, 0) === bytes.length - 1) plain += 1;
        all += 1;
      }
      const objects: ColumnBounds = columnBounds(new ObjectBlock(files), column);
      for (const [at, { stats }] of files.entries()) {
        const facts = factsOf(stats, column);
        const flag = objects.flags[at] ?? 0;
        const what: string = `round ${round}, ${column.names.join('.')}: ${stats}`;
        assert.equal((flag & MAY_BE_NULL) !== 0, facts.mayBeNull, what);
        assert.equal((flag & MAY_BE_VALUE) !== 0, facts.mayBeValue, what);
        assert.equal((flag & HAS_MIN) !== 0, facts.min !== undefined, what);
        assert.equal((flag & HAS_MAX) !== 0, facts.max !== undefined, what);
        if (column.type === 'string') {
          const text = (place: number): Buffer =>
            Buffer.from(objects.text.slice(objects.textStarts[place], objects.textStarts[place + 1]));
          if (facts.min?.kind === 'text') assert.deepEqual(text(2 * at), facts.min.utf8, what);
          if (facts.max?.kind === 'text') assert.deepEqual(text(2 * at + 1), facts.max.utf8, what);
          continue;
        }
        const min = numbersOf(facts.min, column);
        const max = numbersOf(facts.max, column);
        // Zeros of either sign are equal, as they are in SQL.
        if (min !== undefined) assert.ok(objects.min[at] === min.low, what);
        if (max !== undefined) assert.ok(objects.max[at] === max.high, what);
        const isRounded = min?.low !== min?.high || max?.low !== max?.high;
        assert.equal((flag & IS_ROUNDED) !== 0, isRounded, what);
      }
      const clean = files.filter(({ stats }) => stats?.includes('\u0002') !== true);
      const block = packedBlock(clean);
      assert.ok(block !== undefined);
      assert.deepEqual(columnBounds(block, column), columnBounds(new ObjectBlock(clean), column));
    }
    assert.ok(plain > all / 4, `many are plain: ${plain} of ${all}`);
    assert.ok(plain < all, 'some are not');
  });

  it('rule out the files that the exact test does, and no other', () => {
    let [skipped, unsure] = [0, 0];
    for (let round = 0; round < BLOCKS; round += 1) {
      const kinds = [pick(KINDS), pick(KINDS)] as const;
      const files = runOf(kinds).map(addOf);
      const predicate = predicateOver(kinds, 0);
      const tests = filesTest(predicate, TABLE);
      for (const [at, answer] of tests.block(new ObjectBlock(files)).entries()) {
        const file = files[at] as AddFile;
        const kept = tests.file(file);
        if (!kept) skipped += 1;
        if (answer === 1) unsure += 1;
        const what = `round ${round}: ${JSON.stringify(predicate, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))} of ${file.stats}`;
        if (answer !== 1) assert.equal(answer === 2, kept, what);
      }
    }
    assert.ok(skipped > (BLOCKS * BLOCK_FILES) / 20, `${skipped} files were ruled out`);
    assert.ok(unsure > 0 && unsure < (BLOCKS * BLOCK_FILES) / 4, `${unsure} files took the exact test`);
  });

  it('stay exact at the edges', () => {
    const integer = (value: bigint): Literal => ({ type: 'integer', value });
    const cases: [
      path: string,
      stats: string,
      operator: ComparisonOperator,
      value: Literal,
      keeps: boolean,
    ][] = [
      // The doubles next to it are 9007199254740994 and 9007199254740996.
      ['n', '{"minValues":{"n":9007199254740995}}', '<=', integer(9007199254740995n), true],
      ['n', '{"minValues":{"n":9007199254740995}}', '<', integer(9007199254740995n), false],
      ['n', '{"maxValues":{"n":9007199254740995}}', '>=', integer(9007199254740995n), true],
      ['n', '{"maxValues":{"n":-9007199254740995}}', '>=', integer(-9007199254740995n), true],
      ['n', '{"minValues":{"n":9007199254740991}}', '=', integer(9007199254740990n), false],
      ['i', '{"minValues":{"i":5}}', '<', { type: 'decimal', value: '5.5' }, true],
      ['i', '{"minValues":{"i":6}}', '<', { type: 'decimal', value: '5.5' }, false],
      ['i', '{"maxValues":{"i":-6}}', '>', { type: 'decimal', value: '-5.5' }, false],
      ['i', '{"maxValues":{"i":-5}}', '>', { type: 'decimal', value: '-5.5' }, true],
      ['0', '{"minValues":[7]}', '<', integer(7n), false],
      [
        't',
        '{"maxValues":{"t":"9999-12-31T23:59:59.999999Z"}}',
        '>',
        { type: 'timestamp', value: '2020-01-01' },
        true,
      ],
    ];
    for (const [path, stats, operator, value, keeps] of cases) {
      const tests = filesTest({ kind: 'compare', column: [path], operator, value }, TABLE);
      const [answer] = tests.block(new ObjectBlock([addOf(stats)]));
      assert.equal(tests.file(addOf(stats)), keeps, `${stats} ${operator}`);
      assert.ok(answer === 1 || answer === (keeps ? 2 : 0), `${stats} ${operator}: ${answer}`);
    }
    for (const value of [
      9007199254740993n,
      9007199254740995n,
      -9007199254740995n,
      10n ** 30n,
      -(10n ** 400n),
    ]) {
      const { low, high } = numberRange({ kind: 'exact', digits: value, scale: 0 }, 0);
      assert.ok(low < high && (low === -Infinity || BigInt(low) < value), String(value));
      assert.ok(high === Infinity || BigInt(high) > value, String(value));
    }
  });

  it('come from partition values in the same way', () => {
    const table = { schema: struct({ p: 'string', q: 'date', v: 'long' }), partitionColumns: ['p', 'q'] };
    const values = [
      { p: 'a', q: '2020-01-01' },
      { p: 'a', q: null },
      { p: '', q: 'no date' },
      { p: 'é' },
      {},
    ];
    const files = values.map((partitionValues) => ({
      ...addOf(''),
      partitionValues: partitionValues as AddFile['partitionValues'],
    }));
    const predicates: Predicate[] = [
      { kind: 'compare', column: ['p'], operator: '=', value: { type: 'string', value: 'a' } },
      { kind: 'compare', column: ['Q'], operator: '>', value: { type: 'date', value: '2019-01-01' } },
      { kind: 'compare', column: ['q'], operator: '<=', value: { type: 'date', value: '2019-12-31' } },
      isNull('p'),
      not(isNull('q')),
    ];
    for (const predicate of predicates) {
      const tests = filesTest(predicate, table);
      const answers = [...tests.block(new ObjectBlock(files))];
      assert.deepEqual(
        answers,
        files.map((file) => (tests.file(file) ? 2 : 0)),
      );
    }
  });
});

function predicateOver(kinds: readonly Kind[], depth: number): Predicate {
  const inner = (): Predicate => predicateOver(kinds, depth + 1);
  const kind = pick(kinds);
  const operator = pick<ComparisonOperator>(['=', '<>', '<', '<=', '>', '>=']);
  switch (depth < 3 ? below(9) : 8) {
    case 0:
      return and(inner(), inner());
    case 1:
      return or(inner(), inner());
    case 2:
      return not(inner());
    case 3:
      return isNull(kind.path);
    case 4:
      return isIn(
        kind.path,
        Array.from({ length: below(4) }, () => kind.literal()),
      );
    default:
      return { kind: 'compare', column: kind.path, operator, value: kind.literal() };
  }
}
