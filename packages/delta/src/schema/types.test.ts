import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeltaError } from '../errors.ts';
import { deltaTypeFromDuckDb, duckDbType } from './duckdb-types.ts';
import { withColumns } from './evolution.ts';
import { schemaFromJson, schemaToJson } from './json.ts';
import { partitionConstant } from './partition-value.ts';
import { canonicalTimestamp, timestampMicros, timestampText } from './timestamp-text.ts';
import { type DataType, field, sameType, struct } from './types.ts';
import { assertValidSchema } from './validate.ts';

describe('a field', () => {
  it('has nothing beyond what it is given', () => {
    assert.deepEqual(field('a', 'long'), { name: 'a', type: 'long', nullable: true, metadata: {} });
  });

  it('has its options under the names of the protocol', () => {
    const options = {
      nullable: false,
      comment: 'c',
      default: '1',
      generatedAs: 'b + 1',
      metadata: { x: 'y' },
    };
    const { nullable, metadata } = field('a', 'long', options);
    assert.equal(nullable, false);
    assert.deepEqual(metadata, {
      comment: 'c',
      CURRENT_DEFAULT: '1',
      'delta.generationExpression': 'b + 1',
      x: 'y',
    });
    assert.deepEqual(field('id', 'long', { identity: { start: 5 } }).metadata, {
      'delta.identity.start': 5,
      'delta.identity.step': 1,
      'delta.identity.allowExplicitInsert': false,
    });
  });
});

const EVERY_TYPE = struct({
  string: 'string',
  long: 'long',
  integer: 'integer',
  short: 'short',
  byte: 'byte',
  float: 'float',
  double: 'double',
  boolean: 'boolean',
  binary: 'binary',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_ntz: 'timestamp_ntz',
  decimal: 'decimal(38,10)',
  struct: struct({ 'a "quoted" name': 'long', inner: struct({ x: 'string' }) }),
  array: { type: 'array', elementType: struct({ y: 'decimal(5,2)' }), containsNull: true },
  map: {
    type: 'map',
    keyType: 'string',
    valueType: { type: 'array', elementType: 'date', containsNull: true },
    valueContainsNull: true,
  },
});

describe('schema as JSON', () => {
  it('survives the round trip', () => {
    assert.deepEqual(schemaFromJson(schemaToJson(EVERY_TYPE)), EVERY_TYPE);
    const strict = struct([field('id', 'long', { nullable: false, metadata: { comment: 'key' } })]);
    assert.deepEqual(schemaFromJson(schemaToJson(strict)), strict);
  });

  it('names the column of a type that it does not know', () => {
    const json = `{"type":"struct","fields":[{"name":"v","type":"interval","nullable":true,"metadata":{}}]}`;
    assert.throws(() => schemaFromJson(json), { code: 'unsupported-type', message: /"interval" of "v"/ });
    for (const broken of ['', '[]', '"long"', '{"type":"struct"}', '{"type":"struct","fields":[{}]}']) {
      assert.throws(
        () => schemaFromJson(broken),
        (error) => isDeltaError(error, 'corrupt-log'),
        broken,
      );
    }
  });
});

describe('DuckDB types', () => {
  it('map there and back', () => {
    for (const { type } of EVERY_TYPE.fields) {
      assert.ok(sameType(deltaTypeFromDuckDb(duckDbType(type)), type), duckDbType(type));
    }
    assert.ok(sameType(deltaTypeFromDuckDb(duckDbType(EVERY_TYPE)), EVERY_TYPE));
  });

  it('refuse what Delta would lose', () => {
    const lossy = [
      'HUGEINT',
      'UBIGINT',
      'UINTEGER',
      'TIME',
      'UUID',
      'TIMESTAMP_NS',
      'INTERVAL',
      'INTEGER[3]',
    ];
    for (const text of [...lossy, "ENUM('a')", 'STRUCT(a UUID)', 'nonsense', 'BIGINT extra', '']) {
      assert.throws(
        () => deltaTypeFromDuckDb(text),
        (error) => isDeltaError(error, 'unsupported-type'),
        text,
      );
    }
  });
});

describe('a schema to write', () => {
  const refused = (fields: readonly ReturnType<typeof field>[], partitionColumns: string[] = []) =>
    assert.throws(
      () => assertValidSchema(struct(fields), partitionColumns),
      (error) => isDeltaError(error, 'invalid-schema') || isDeltaError(error, 'unsupported-type'),
    );

  it('is refused for names and types that Delta does not have', () => {
    assertValidSchema(struct([field('a', 'long'), field('é-日本', 'string')]), ['a']);
    refused([]);
    refused([field('', 'long')]);
    refused([field('id', 'long'), field('ID', 'long')]);
    refused([field('s', struct({ a: 'long', A: 'long' }))]);
    refused([field('a b', 'long')]);
    refused([field('d', 'decimal(39,0)')]);
    refused([field('d', 'decimal(5,6)')]);
    refused([field('d', 'hugeint' as DataType)]);
    refused([field('a', 'long')], ['a']);
    refused([field('a', 'long'), field('b', 'long')], ['c']);
    refused([field('a', 'long'), field('b', 'binary')], ['b']);
    refused([field('a', 'long'), field('b', 'long')], ['b', 'b']);
  });

  it('grows by nullable columns only', () => {
    const schema = struct({ id: 'long' });
    assert.equal(withColumns(schema, [field('id', 'long')]), schema);
    assert.deepEqual(withColumns(schema, [field('n', 'string')]), struct({ id: 'long', n: 'string' }));
    for (const column of [
      field('ID', 'long'),
      field('id', 'string'),
      field('n', 'long', { nullable: false }),
    ]) {
      assert.throws(
        () => withColumns(schema, [column]),
        (error) => isDeltaError(error, 'invalid-schema'),
      );
    }
  });
});

describe('timestamps as text', () => {
  it('mean one instant in every form', () => {
    for (const text of [
      '2024-02-29T12:34:56.789Z',
      '2024-02-29 12:34:56.789',
      '2024-02-29 12:34:56.789000',
      '2024-02-29T14:34:56.789+02:00',
      '2024-02-29 04:34:56.789-08',
    ]) {
      assert.equal(canonicalTimestamp(text), '2024-02-29 12:34:56.789000', text);
    }
    assert.equal(canonicalTimestamp('1969-12-31 23:59:59.999999'), '1969-12-31 23:59:59.999999');
    assert.equal(canonicalTimestamp('2024-01-01'), '2024-01-01 00:00:00.000000');
    assert.equal(timestampText(timestampMicros('12024-01-01 00:00:00') ?? 0n), '12024-01-01 00:00:00.000000');
    for (const text of ['', 'now', '2024-13-01 00:00:00', '2024-01-01 00:00:00; DROP']) {
      assert.equal(canonicalTimestamp(text), undefined, text);
    }
  });
});

describe('partition values as SQL constants', () => {
  it('are quoted, typed and free of settings', () => {
    assert.equal(partitionConstant("it's", 'string'), "CAST('it''s' AS VARCHAR)");
    assert.equal(partitionConstant('', 'string'), 'CAST(NULL AS VARCHAR)');
    assert.equal(partitionConstant(null, 'date'), 'CAST(NULL AS DATE)');
    assert.equal(
      partitionConstant('2020-01-01 10:00:00', 'timestamp'),
      "CAST('2020-01-01 10:00:00.000000+00' AS TIMESTAMP WITH TIME ZONE)",
    );
    for (const [text, type] of [
      ['x', 'long'],
      ['1.5', 'integer'],
      ['maybe', 'boolean'],
      ['soon', 'date'],
      ['1e', 'double'],
    ] as const) {
      assert.throws(
        () => partitionConstant(text, type),
        (error) => isDeltaError(error, 'corrupt-log'),
      );
    }
  });
});
