import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addedFields, columnsOf, schemaOf } from './columns.ts';
import { deltaType, hiveType } from './hive-types.ts';
import { locationPath, locationUri } from './locations.ts';
import { namePattern } from './name-pattern.ts';
import { directoryName, entityName } from './names.ts';
import { sortParameters } from './parameters.ts';

describe('types of Hive and Delta', () => {
  const SAME = [
    'tinyint',
    'smallint',
    'int',
    'bigint',
    'boolean',
    'float',
    'double',
    'string',
    'date',
    'timestamp',
    'timestamp_ntz',
    'binary',
    'decimal(38,10)',
    'decimal(1,0)',
    'array<string>',
    'map<string,bigint>',
    'struct<a:int,b:array<struct<c:map<string,decimal(5,2)>>>>',
    'struct<`odd name`:int,`a``b`:string>',
  ];
  for (const type of SAME)
    test(`${type} comes back`, () => assert.equal(hiveType(deltaType(type, 'c')), type));

  const SIMPLER: Readonly<Record<string, string>> = {
    INTEGER: 'int',
    ' Array < Int > ': 'array<int>',
    'varchar(10)': 'string',
    'char(3)': 'string',
    varchar: 'string',
    decimal: 'decimal(10,0)',
    'decimal( 5 )': 'decimal(5,0)',
    'numeric(4,2)': 'decimal(4,2)',
  };
  for (const [type, simple] of Object.entries(SIMPLER)) {
    test(`${type} is ${simple}`, () => assert.equal(hiveType(deltaType(type, 'c')), simple));
  }

  test('names of struct fields keep their case', () => {
    assert.deepEqual(deltaType('STRUCT<FirstName:STRING>', 'c'), {
      type: 'struct',
      fields: [{ name: 'FirstName', type: 'string', nullable: true, metadata: {} }],
    });
  });

  for (const type of ['uniontype<int,string>', 'interval', 'void', 'uuid', 'array<json>']) {
    test(`${type} is refused by name`, () => {
      assert.throws(() => deltaType(type, 'c'), {
        code: 'unsupported',
        message: /"(uniontype|interval|void|uuid|json)" of the column "c"/,
      });
    });
  }
  const malformed = [
    '',
    'array',
    'array<',
    'array<int',
    'array<int>>',
    'map<int>',
    'struct<>',
    'struct<a>',
    'struct<a:int,A:int>',
    'decimal(39,0)',
    'decimal(5,6)',
    'decimal(0,0)',
    'decimal(a)',
    'int int',
    `${'array<'.repeat(100)}int${'>'.repeat(100)}`,
  ];
  for (const type of malformed) {
    test(`"${type.slice(0, 30)}" is no type`, () =>
      assert.throws(() => deltaType(type, 'c'), { code: 'invalid' }));
  }
});

describe('columns', () => {
  const schema = schemaOf(
    [{ name: 'Id', type: 'bigint', comment: 'the key' }],
    [{ name: 'day', type: 'date' }],
  );

  test('come back with partition keys and comments', () => {
    assert.deepEqual(columnsOf(schema, ['day']), {
      columns: [{ name: 'Id', type: 'bigint', comment: 'the key' }],
      partitionKeys: [{ name: 'day', type: 'date' }],
    });
  });

  test('differ by more than case', () => {
    assert.throws(() => schemaOf([{ name: 'a', type: 'int' }], [{ name: 'A', type: 'int' }]), {
      code: 'invalid',
    });
  });

  test('can be added, not dropped, renamed or retyped', () => {
    const wanted = (...columns: [string, string][]) =>
      schemaOf(
        columns.map(([name, type]) => ({ name, type })),
        [],
      );
    assert.deepEqual(
      addedFields(schema, wanted(['id', 'bigint'], ['DAY', 'date'], ['new', 'string'])).map(
        (field) => field.name,
      ),
      ['new'],
    );
    assert.throws(() => addedFields(schema, wanted(['id', 'bigint'])), {
      code: 'unsupported',
      message: /"day"/,
    });
    assert.throws(() => addedFields(schema, wanted(['id', 'int'], ['day', 'date'])), {
      code: 'unsupported',
      message: /from bigint to int/,
    });
  });
});

describe('names', () => {
  test('are kept in lower case', () => assert.equal(entityName('table', 'Flights'), 'flights'));
  for (const name of ['', ' ', 'a\nb', 'x'.repeat(256), '\u0000']) {
    test(`${JSON.stringify(name.slice(0, 5))} is none`, () =>
      assert.throws(() => entityName('table', name), { code: 'invalid' }));
  }
  test('are directories that lead nowhere else', () => {
    assert.equal(directoryName('sales_2024-a.b'), 'sales_2024-a.b');
    for (const name of ['..', '.', '../x', 'a/b', 'a\\b', '~', '%2e%2e']) {
      assert.doesNotMatch(directoryName(name), /^\.|[/\\]/, name);
    }
  });
  test('match patterns with stars, however many', () => {
    const matching = (pattern: string) => ['flights', 'fares', 'sales'].filter(namePattern(pattern));
    assert.deepEqual(matching('f*'), ['flights', 'fares']);
    assert.deepEqual(matching('*ES'), ['fares', 'sales']);
    assert.deepEqual(matching('f.*s|sales'), ['flights', 'fares', 'sales']);
    assert.deepEqual(matching('fli*ts*'), ['flights']);
    assert.deepEqual(matching('flight'), []);
    assert.deepEqual(matching('fares*s'), []);
    assert.equal(namePattern('*a'.repeat(1_000))('a'.repeat(255)), false);
  });
});

describe('locations', () => {
  test('are directories inside the data directory', () => {
    assert.equal(locationPath('file:///data/lake/a%20b/', '/data/lake'), '/data/lake/a b');
    assert.equal(locationPath(locationUri('/data/lake/a%b'), '/data/lake'), '/data/lake/a%b');
  });
  for (const uri of [
    's3://bucket/x',
    'file:///etc',
    'file:///data/lake',
    'file:///data/lake/../x',
    'file:///data/lake/%2e%2e/x',
    'file:///data/lake2/x',
    'file://host/data/lake/x',
    'nonsense',
    '/data/lake/x',
  ]) {
    test(`${uri} is refused`, () => {
      assert.throws(() => locationPath(uri, '/data/lake'), { code: /^(invalid|unsupported)$/ });
    });
  }
});

describe('table parameters', () => {
  test('go to the log or stay', () => {
    const parameters = {
      table_type: 'delta',
      'delta.appendOnly': 'true',
      'sluice.unknown-fields': 'reject',
      owner: 'me',
    };
    assert.deepEqual(sortParameters('t', parameters), {
      delta: { 'delta.appendOnly': 'true' },
      kept: { table_type: 'delta', 'sluice.unknown-fields': 'reject', owner: 'me' },
    });
  });
  test('need the Delta type', () => {
    assert.throws(() => sortParameters('t', {}), { code: 'unsupported', hint: /table_type to DELTA/ });
    assert.throws(() => sortParameters('t', { table_type: 'ICEBERG' }), { code: 'unsupported' });
  });
  test('of Sluice are checked', () => {
    assert.throws(() => sortParameters('t', { table_type: 'DELTA', 'sluice.unknown-fields': 'drop' }), {
      code: 'invalid',
    });
    assert.throws(() => sortParameters('t', { table_type: 'DELTA', 'sluice.other': 'x' }), {
      code: 'invalid',
    });
  });
});
