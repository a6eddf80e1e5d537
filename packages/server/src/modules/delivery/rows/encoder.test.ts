import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { field, type DataType, type StructField } from '@sluice/delta';
import type { BatchRequest } from '../../../ports/row-writer.ts';
import { requestFor, runOf } from '../testing/runs.ts';
import { BatchEncoder } from './encoder.ts';
import { RECORD_BYTES_MAX } from './payload.ts';

interface Encoded {
  readonly lines: readonly string[];
  readonly rejects: readonly Record<string, string | null>[];
  readonly encoder: BatchEncoder;
}

function encode(
  fields: readonly StructField[],
  data: readonly (string | Uint8Array)[],
  options: Partial<BatchRequest> = {},
): Encoded {
  const [rows, rejected]: [Buffer[], Buffer[]] = [[], []];
  const encoder = new BatchEncoder(requestFor(fields, options), {
    rows: (bytes) => rows.push(Buffer.from(bytes)),
    rejected: (bytes) => rejected.push(Buffer.from(bytes)),
  });
  encoder.add(runOf(data));
  encoder.flush();
  const lines = (parts: Buffer[]) => Buffer.concat(parts).toString().split('\n').slice(0, -1);
  return {
    lines: lines(rows),
    rejects: lines(rejected).map((line) => JSON.parse(line) as Record<string, string | null>),
    encoder,
  };
}

/** What one value becomes in a column of a type: its canonical text, or the code of its refusal. */
function cast(type: DataType, text: string, nullable = true): string {
  const { lines, rejects } = encode([field('a', type, { nullable })], [`{"a":${text}}`], {
    rewriteAll: true,
  });
  return lines[0]?.slice(5, -1) ?? `! ${rejects[0]!['error_code']}`;
}

const LONG_MAX = '9223372036854775807';

/** The table of rules in SPEC.md: type, JSON in the record, canonical text or refusal. */
const CASTS: readonly (readonly [DataType, string, string])[] = [
  ['string', '"x"', '"x"'],
  ['string', '12.50', '"12.50"'],
  ['string', 'true', '"true"'],
  ['string', '{"b": 1.0, "c":[null]}', '"{\\"b\\":1.0,\\"c\\":[null]}"'],
  ['string', '"\\ud83d\\ude00"', '"😀"'],
  ['string', '"\\ud83d"', '! not-utf8'],
  ['string', '"\\u0000"', '"\\u0000"'],
  ['long', '9007199254740993', '9007199254740993'],
  ['long', LONG_MAX, LONG_MAX],
  ['long', '-9223372036854775808', '-9223372036854775808'],
  ['long', '9223372036854775808', '! out-of-range'],
  ['long', '1.0', '1'],
  ['long', '1.5e1', '15'],
  ['long', '1e400', '! out-of-range'],
  ['long', '1e99999999', '! type-mismatch'],
  ['long', '1.5', '! out-of-range'],
  ['long', '"42"', '42'],
  ['long', '"+42"', '42'],
  ['long', '" 42"', '! type-mismatch'],
  ['long', '""', '! type-mismatch'],
  ['long', '"0x1f"', '! type-mismatch'],
  ['long', 'true', '! type-mismatch'],
  ['long', '-0', '0'],
  ['integer', '2147483647', '2147483647'],
  ['integer', '2147483648', '! out-of-range'],
  ['short', '-32768', '-32768'],
  ['short', '32768', '! out-of-range'],
  ['byte', '127', '127'],
  ['byte', '-129', '! out-of-range'],
  ['double', '0.1', '0.1'],
  ['double', '-0', '-0.0'],
  ['double', '1e400', '! out-of-range'],
  ['double', '"1.5"', '1.5'],
  ['double', '"NaN"', '"NaN"'],
  ['double', '"-Infinity"', '"-Infinity"'],
  ['double', '"abc"', '! type-mismatch'],
  ['float', '1e39', '! out-of-range'],
  ['float', '0.1', '0.1'],
  ['boolean', 'true', 'true'],
  ['boolean', '"FALSE"', 'false'],
  ['boolean', '1', '! type-mismatch'],
  ['date', '"2024-02-29"', '"2024-02-29"'],
  ['date', '"2023-02-29"', '! type-mismatch'],
  ['date', '"2024-02-29T00:00:00Z"', '"2024-02-29"'],
  ['date', '"2024-02-29T01:00:00Z"', '! type-mismatch'],
  ['date', '"0000-01-01"', '! type-mismatch'],
  ['date', '19000', '! type-mismatch'],
  ['timestamp', '"2024-01-02T03:04:05Z"', '"2024-01-02T03:04:05.000000Z"'],
  ['timestamp', '"2024-01-02 03:04:05.123456789"', '"2024-01-02T03:04:05.123456Z"'],
  ['timestamp', '"2024-01-02T03:04:05+02:30"', '"2024-01-02T00:34:05.000000Z"'],
  ['timestamp', '"2024-01-02T03:04"', '"2024-01-02T03:04:00.000000Z"'],
  ['timestamp', '"2024-01-02"', '"2024-01-02T00:00:00.000000Z"'],
  ['timestamp', '"2024-01-02T24:00:00Z"', '! type-mismatch'],
  ['timestamp', '1704164645', '"2024-01-02T03:04:05.000000Z"'],
  ['timestamp', '1704164645.25', '"2024-01-02T03:04:05.250000Z"'],
  ['timestamp', '1704164645123', '"2024-01-02T03:04:05.123000Z"'],
  ['timestamp', '1704164645123456', '"2024-01-02T03:04:05.123456Z"'],
  ['timestamp', '1704164645123456789', '! out-of-range'],
  ['timestamp', '"1704164645123"', '"2024-01-02T03:04:05.123000Z"'],
  ['timestamp', '-0.000001', '"1969-12-31T23:59:59.999999Z"'],
  ['timestamp', '"yesterday"', '! type-mismatch'],
  ['timestamp_ntz', '"2024-01-02T03:04:05+02:00"', '"2024-01-02T01:04:05.000000"'],
  ['decimal(10,2)', '1.5', '"1.50"'],
  ['decimal(10,2)', '-0.05', '"-0.05"'],
  ['decimal(10,2)', '1.505', '! out-of-range'],
  ['decimal(10,2)', '1.500', '"1.50"'],
  ['decimal(10,2)', '123456789.00', '! out-of-range'],
  ['decimal(38,2)', '123456789012345678901234567890123456.12', '"123456789012345678901234567890123456.12"'],
  ['decimal(38,10)', '"0.1000000001"', '"0.1000000001"'],
  ['decimal(5,0)', '1e3', '"1000"'],
  ['decimal(5,0)', '0e99', '"0"'],
  ['binary', '"AAEC"', '"AAEC"'],
  ['binary', '"_-8"', '"/+8="'],
  ['binary', '"A"', '! type-mismatch'],
  [{ type: 'array', elementType: 'long', containsNull: false }, '[1,"2"]', '[1,2]'],
  [{ type: 'array', elementType: 'long', containsNull: false }, '[null]', '! missing-not-null'],
  [{ type: 'array', elementType: 'long', containsNull: true }, '5', '! type-mismatch'],
  [
    { type: 'map', keyType: 'string', valueType: 'long', valueContainsNull: true },
    '{"x":1,"y":null}',
    '{"x":1,"y":null}',
  ],
  [{ type: 'map', keyType: 'integer', valueType: 'long', valueContainsNull: true }, '{"7":1}', '{"7":1}'],
  [
    { type: 'map', keyType: 'integer', valueType: 'long', valueContainsNull: true },
    '{"7":1,"07":2}',
    '! duplicate-key',
  ],
  [
    { type: 'map', keyType: 'string', valueType: 'long', valueContainsNull: true },
    '{"x":1,"x":1}',
    '! duplicate-key',
  ],
  [
    { type: 'struct', fields: [field('x', 'long'), field('Y', 'string')] },
    '{"X":"1","y":2,"z":3}',
    '{"x":1,"Y":"2"}',
  ],
  [{ type: 'struct', fields: [field('x', 'long', { nullable: false })] }, '{}', '! missing-not-null'],
];

test('casts by the table of rules', () => {
  for (const [type, text, expected] of CASTS)
    assert.equal(cast(type, text), expected, `${JSON.stringify(type)} ← ${text}`);
});

test('a missing or null member is NULL, or refuses the record where NULL is forbidden', () => {
  assert.equal(cast('long', 'null'), 'null');
  assert.equal(cast('long', 'null', false), '! missing-not-null');
  const { lines, rejects } = encode(
    [field('a', 'long'), field('b', 'long', { nullable: false })],
    ['{"b":1}', '{"a":1}'],
  );
  assert.deepEqual(lines, ['{"b":1}']);
  assert.equal(rejects[0]!['error_code'], 'missing-not-null');
});

const A = [field('a', 'long'), field('b', 'string')];

test('takes one object, lines and concatenations of objects, and gzip of these', () => {
  const texts = ['{"a":1}', '{"a":1}\n{"a":2}\r\n', '{"a":1}{"a":2} {"a":3}', '\n {\n"a": 1\n}\n'];
  const { lines, rejects } = encode(A, [...texts, gzipSync('{"a":4}\n{"a":5}')]);
  assert.deepEqual(rejects, []);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [1, 1, 2, 1, 2, 3, 1, 4, 5].map((a) => ({ a })),
  );
  for (const line of lines) assert.ok(!line.includes('\n'));
});

test('a record is refused whole when one of its objects is', () => {
  const { lines, encoder } = encode(A, ['{"a":1}{"a":"x"}', '{"a":2}', '{"a":3}\n{"a":4', '{"a":5}']);
  assert.deepEqual(lines, ['{"a":2}', '{"a":5}']);
  assert.deepEqual(
    [...encoder.rejectedOffsets],
    [
      [
        1,
        [
          [0, 0],
          [2, 2],
        ],
      ],
    ],
  );
  assert.equal(encoder.rowCount, 2);
});

test('refuses what is no JSON object with a code and the place', () => {
  const cases: readonly (readonly [string | Uint8Array, string])[] = [
    ['{"a":1', 'malformed-json'],
    ['{"a":01}', 'malformed-json'],
    ["{'a':1}", 'malformed-json'],
    ['{"a":1,}', 'malformed-json'],
    ['{"a":NaN}', 'malformed-json'],
    ['{"a":1} x', 'malformed-json'],
    ['{"b":"tab\tinside"}', 'malformed-json'],
    ['{"b":"\\x"}', 'malformed-json'],
    ['\ufeff{"a":1}', 'malformed-json'],
    ['[1]', 'not-an-object'],
    ['7', 'not-an-object'],
    ['', 'empty-record'],
    [' \n', 'empty-record'],
    [Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d), 'not-utf8'],
    [Buffer.concat([Buffer.from('{"b":"'), Uint8Array.of(0xc3, 0x28), Buffer.from('"}')]), 'not-utf8'],
    [Uint8Array.of(0x1f, 0x8b, 8, 0), 'bad-gzip'],
    [gzipSync(Buffer.alloc(RECORD_BYTES_MAX + 1, ' ')), 'too-large'],
    [`{"z":${'['.repeat(101)}${']'.repeat(101)}}`, 'too-deep'],
    ['{"a":1,"A":2}', 'duplicate-key'],
    ['{"a":1,"a":null}', 'duplicate-key'],
  ];
  for (const [data, code] of cases) {
    const { lines, rejects } = encode(A, [data]);
    assert.deepEqual(lines, [], `${String(data).slice(0, 40)} went through`);
    assert.equal(
      rejects[0]?.['error_code'],
      code,
      `${String(data).slice(0, 40)}: ${rejects[0]?.['error_message']}`,
    );
  }
  assert.match(
    encode(A, ['{"a":1 2}']).rejects[0]!['error_message']!,
    /expected "," or "}" at character 7, found "2"/,
  );
});

test('a rejected row says where the record came from and holds it whole', () => {
  const binary = Uint8Array.of(0xff, 0x00);
  const { rejects } = encode(A, ['{"a":"x"}', binary]);
  assert.deepEqual(rejects[0], {
    error_code: 'type-mismatch',
    error_message: '"a" is long and the record has a string: "x"',
    delivery: 'to-table',
    stream: 'clicks',
    shard_id: 'shardId-000000000000',
    sequence_number: '49000000000000000001000000000000000000',
    sub_sequence_number: null,
    partition_key: 'key',
    arrival_time: '2026-01-02T00:00:00.000Z',
    data: '{"a":"x"}',
    data_base64: null,
  });
  assert.equal(rejects[1]!['data'], null);
  assert.equal(rejects[1]!['data_base64'], Buffer.from(binary).toString('base64'));
});

test('what needs no change goes on byte for byte, whatever its spaces', () => {
  const record = '{ "b" : "ü\\n" , "a":\t-12, "unknown": {"x":[1,{"y":null}]} }';
  const { lines, encoder } = encode(A, [record]);
  assert.deepEqual(lines, [record]);
  assert.equal(encoder.fieldsIgnored, 1);
});

test('what the engine would read otherwise is rewritten', () => {
  const fields = [field('d', 'double'), field('m', 'decimal(38,20)')];
  const records = [
    '{"d":-0}',
    '{"d":1e2}',
    '{"d":"7"}',
    '{"d":1,"m":0.1}',
    '{"d":1\n}',
    '{"D":1}',
    '{"\\u0064":1}',
  ];
  const expected = [
    '{"d":-0.0}',
    '{"d":100}',
    '{"d":7}',
    '{"d":1,"m":"0.10000000000000000000"}',
    '{"d":1}',
    '{"d":1}',
    '{"d":1}',
  ];
  assert.deepEqual(encode(fields, records).lines, expected);
});

test('keys meet columns without regard to case', () => {
  assert.deepEqual(encode([field('userId', 'long')], ['{"USERID":1}', '{"userId":2}']).lines, [
    '{"userId":1}',
    '{"userId":2}',
  ]);
});

test('unknown members: counted, refused or made columns, as the table says', () => {
  const record = '{"a":1,"c":2}';
  assert.equal(encode(A, [record]).encoder.fieldsIgnored, 1);
  assert.equal(encode(A, [record], { unknownFields: 'reject' }).rejects[0]!['error_code'], 'unknown-field');
  const { lines, encoder, rejects } = encode(
    A,
    ['{"a":1,"New":2,"n":null,"e":[]}', '{"new":3}', '{"new":"x"}', '{"a":4}', '{"s":{"x":[1,2.5]}}'],
    { unknownFields: 'evolve' },
  );
  assert.deepEqual(lines, ['{"a":1,"new":2}', '{"new":3}', '{"a":4}', '{"a":null,"s":{"x":[1,2.5]}}']);
  assert.equal(rejects[0]!['error_code'], 'type-mismatch');
  assert.deepEqual(
    encoder.addedColumns.map(({ name, type, nullable }) => ({ name, type, nullable })),
    [
      { name: 'new', type: 'long', nullable: true },
      {
        name: 's',
        type: {
          type: 'struct',
          fields: [
            {
              name: 'x',
              type: { type: 'array', elementType: 'double', containsNull: true },
              nullable: true,
              metadata: {},
            },
          ],
        },
        nullable: true,
      },
    ],
  );
});

test('columns that a refused record would have added are not added, and their number is bounded', () => {
  const { encoder, rejects } = encode(A, ['{"c":1,"a":"x"}', '{"d":1}', '{"e":1}', '{"bad name":1}'], {
    unknownFields: 'evolve',
    columnsAddedMax: 1,
  });
  assert.deepEqual(
    encoder.addedColumns.map((column) => column.name),
    ['d'],
  );
  assert.deepEqual(
    rejects.map((reject) => reject['error_code']),
    ['type-mismatch', 'evolution-refused', 'evolution-refused'],
  );
});

test('records that an earlier attempt rejected are left out, and no others', () => {
  const decided = [
    {
      uid: 1,
      to: 2,
      rejected: [
        [0, 0],
        [2, 2],
      ] as const,
    },
  ];
  const { lines, rejects } = encode(A, ['{"a":1}', '{"a":"x"}', '{"a":3}', '{"a":4}'], { decided });
  assert.deepEqual(lines, ['{"a":4}']);
  assert.deepEqual(
    rejects.map((reject) => reject['data']),
    ['{"a":"x"}'],
  );
});
