import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { mergeSchemas } from './evolution.ts';
import { type DataType, field, struct } from './types.ts';
import { canWiden, canWidenByItself } from './widening.ts';

const listOf = (elementType: DataType): DataType => ({ type: 'array', elementType, containsNull: true });

describe('schemas of rows that are written', () => {
  it('add what the table lacks, at any depth, without the rules of the source', () => {
    const table = struct({ id: 'long', s: struct({ a: 'long' }), l: listOf(struct({ x: 'long' })) });
    const source = struct([
      field('ID', 'long', { nullable: false }),
      field('s', struct({ b: 'string' })),
      field('l', listOf(struct({ X: 'long', y: 'date' }))),
      field('new', struct([field('n', 'long', { nullable: false, metadata: { 'delta.invariants': 'x' } })]), {
        nullable: false,
        metadata: { comment: 'c', CURRENT_DEFAULT: '1' },
      }),
    ]);
    assert.deepEqual(
      mergeSchemas(table, source),
      struct([
        field('id', 'long'),
        field('s', struct({ a: 'long', b: 'string' })),
        field('l', listOf(struct({ x: 'long', y: 'date' }))),
        field('new', struct({ n: 'long' }), { metadata: { comment: 'c' } }),
      ]),
    );
  });

  it('change nothing where there is nothing to add', () => {
    const table = struct({ id: 'long', s: struct({ a: 'integer' }) });
    assert.equal(mergeSchemas(table, struct({ S: struct({ A: 'long' }) })), table);
  });

  it('widen numbers where the table allows it, and say what they were', () => {
    const table = struct({ i: 'integer', l: listOf('short'), d: 'decimal(5,2)', n: 'integer' });
    const source = struct({ i: 'long', l: listOf('integer'), d: 'decimal(10,4)', n: 'double' });
    const merged = mergeSchemas(table, source, { isWidening: true });
    assert.deepEqual(
      merged.fields.map(({ type, metadata }) => [type, metadata['delta.typeChanges']]),
      [
        ['long', [{ toType: 'long', fromType: 'integer' }]],
        [listOf('integer'), [{ toType: 'integer', fromType: 'short', fieldPath: 'element' }]],
        ['decimal(10,4)', [{ toType: 'decimal(10,4)', fromType: 'decimal(5,2)' }]],
        ['integer', undefined],
      ],
    );
  });

  it('are refused where one is no struct', () => {
    assert.throws(() => mergeSchemas(struct({ a: 'long' }), struct({ a: struct({ b: 'long' }) })), {
      code: 'invalid-schema',
      message: /"a"/,
    });
  });
});

describe('a wider type', () => {
  it('holds every value of the other', () => {
    const wider: [DataType, DataType, boolean][] = [
      ['byte', 'long', true],
      ['integer', 'double', true],
      ['long', 'double', false],
      ['float', 'double', true],
      ['date', 'timestamp_ntz', true],
      ['date', 'timestamp', false],
      ['integer', 'decimal(10,0)', true],
      ['integer', 'decimal(11,2)', false],
      ['long', 'decimal(20,0)', true],
      ['decimal(5,2)', 'decimal(6,3)', true],
      ['decimal(5,2)', 'decimal(6,4)', false],
      ['decimal(5,2)', 'decimal(5,2)', false],
      ['long', 'integer', false],
      ['string', 'long', false],
    ];
    for (const [from, to, expected] of wider)
      assert.equal(canWiden(from, to), expected, JSON.stringify([from, to]));
    assert.deepEqual(
      [
        canWidenByItself('integer', 'long'),
        canWidenByItself('integer', 'double'),
        canWidenByItself('integer', 'decimal(10,0)'),
      ],
      [true, false, false],
    );
  });
});
