import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field, struct, type StructType } from '../schema/types.ts';
import { incompatibility, type TableShape } from './compatible-schema.ts';

function shape(schema: StructType, metadata: Partial<TableShape['metadata']> = {}): TableShape {
  return { schema, metadata: { partitionColumns: [], configuration: {}, ...metadata } };
}

const MAPPED = { configuration: { 'delta.columnMapping.mode': 'name' } };
const mapped = (name: string, physicalName: string) =>
  field(name, 'long', { metadata: { 'delta.columnMapping.physicalName': physicalName } });
const list = (elementType: StructType) => ({ type: 'array', elementType, containsNull: true }) as const;

describe('rows of an older schema are rows of a newer one', () => {
  it('when columns were added at any depth, made nullable or widened', () => {
    const older = struct([
      field('id', 'integer', { nullable: false }),
      field('list', list(struct({ a: 'long' }))),
    ]);
    const newer = struct([
      field('new', 'string'),
      field('id', 'long'),
      field('list', list(struct({ a: 'long', b: 'date' }))),
    ]);
    assert.equal(incompatibility(shape(older), shape(newer)), undefined);
  });

  it('when a column mapping was set, which keeps the names', () => {
    const older = shape(struct({ a: 'long' }));
    assert.equal(incompatibility(older, shape(struct([mapped('a', 'a')]), MAPPED)), undefined);
  });

  it('and not when a column went, was replaced, narrowed or made NOT NULL', () => {
    const cases: [TableShape, TableShape, RegExp][] = [
      [shape(struct({ a: 'long', b: 'long' })), shape(struct({ a: 'long' })), /"b" was dropped or renamed/],
      [
        shape(struct({ a: 'long' })),
        shape(struct({ a: 'integer' })),
        /"a" changed its type from long to integer/,
      ],
      [
        shape(struct({ s: list(struct({ x: 'long' })) })),
        shape(struct({ s: list(struct({ y: 'long' })) })),
        /"s\.x" was dropped/,
      ],
      [
        shape(struct({ a: 'long' })),
        shape(struct([field('a', 'long', { nullable: false })])),
        /"a" became NOT NULL/,
      ],
      [
        shape(struct([mapped('a', 'col-1')]), MAPPED),
        shape(struct([mapped('a', 'col-2')]), MAPPED),
        /"a" was dropped, and another was given its name/,
      ],
      [
        shape(struct({ a: 'long', p: 'long' })),
        shape(struct({ a: 'long', p: 'long' }), { partitionColumns: ['p'] }),
        /partition columns changed from \(\) to \(p\)/,
      ],
    ];
    for (const [older, newer, message] of cases) assert.match(incompatibility(older, newer) ?? '', message);
  });
});
