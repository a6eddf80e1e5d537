import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field, struct, type StructField } from '../schema/types.ts';
import { assignMapping, fieldId, mappingMode, physicalName, physicalSchema } from './index.ts';

const features = (readerFeatures: string[], writerFeatures = readerFeatures) => ({
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures,
  writerFeatures,
});
const mapped = (name: string, type: StructField['type'], id: number, physical: string): StructField =>
  field(name, type, {
    metadata: { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': physical },
  });

describe('the mode of the mapping', () => {
  const mode = (protocol: Parameters<typeof mappingMode>[0]['protocol'], value?: string): string =>
    mappingMode({
      protocol,
      metadata: { configuration: value === undefined ? {} : { 'delta.columnMapping.mode': value } },
    });

  it('counts only where the protocol has the feature', () => {
    assert.equal(mode({ minReaderVersion: 2, minWriterVersion: 5 }, 'name'), 'name');
    assert.equal(mode(features(['columnMapping']), 'ID'), 'id');
    assert.equal(mode(features([], ['columnMapping']), 'name'), 'name');
    assert.equal(mode(features(['columnMapping'])), 'none');
    assert.equal(mode({ minReaderVersion: 1, minWriterVersion: 2 }, 'name'), 'none');
    assert.equal(mode(features(['deletionVectors']), 'name'), 'none');
  });

  it('refuses a mode that nobody knows', () => {
    assert.throws(() => mode(features(['columnMapping']), 'position'), { code: 'corrupt-log' });
  });
});

describe('physical names', () => {
  it('are those of the metadata, at every depth', () => {
    const inner = struct([mapped('x', 'long', 2, 'p2')]);
    const schema = struct([
      mapped('a', inner, 1, 'p1'),
      mapped(
        'b',
        {
          type: 'map',
          keyType: inner,
          valueType: { type: 'array', elementType: inner, containsNull: true },
          valueContainsNull: true,
        },
        3,
        'p3',
      ),
    ]);
    const physical = JSON.stringify(physicalSchema(schema, 'name'), (key, value: unknown) =>
      key === 'metadata' ? undefined : value,
    );
    assert.deepEqual(physical.match(/"name":"[^"]*"/g), [
      '"name":"p1"',
      '"name":"p2"',
      '"name":"p3"',
      '"name":"p2"',
      '"name":"p2"',
    ]);
    assert.equal(physicalSchema(schema, 'none'), schema);
  });

  it('must be there', () => {
    assert.throws(() => physicalName(field('a', 'long'), 'name'), { code: 'corrupt-log', message: /"a"/ });
    assert.throws(() => fieldId(field('a', 'long')), { code: 'corrupt-log', message: /"a"/ });
    assert.equal(physicalName(field('a', 'long'), 'none'), 'a');
  });
});

describe('assigning a mapping', () => {
  const uuids = (): (() => string) => {
    let at = 0;
    return () => `u${(at += 1)}`;
  };

  it('gives new fields ids above all before, and keeps what there is', () => {
    const schema = struct([
      mapped('kept', struct([mapped('inner', 'long', 9, 'p9')]), 4, 'p4'),
      field('list', { type: 'array', elementType: struct({ y: 'long' }), containsNull: true }),
      field('z', 'string', { metadata: { comment: 'mine' } }),
    ]);
    const { schema: assigned, maxColumnId } = assignMapping(schema, {
      physicalNames: 'generated',
      maxColumnId: 6,
      uuid: uuids(),
    });
    assert.equal(maxColumnId, 12);
    assert.deepEqual(assigned.fields[0], schema.fields[0]);
    const text = JSON.stringify(assigned.fields.slice(1));
    assert.deepEqual(text.match(/Mapping\.id":\d+/g)?.toSorted(), [
      'Mapping.id":10',
      'Mapping.id":11',
      'Mapping.id":12',
    ]);
    assert.deepEqual(text.match(/col-u\d/g)?.toSorted(), ['col-u1', 'col-u2', 'col-u3']);
    assert.match(text, /"comment":"mine"/);
    assert.deepEqual(assignMapping(assigned, { physicalNames: 'generated', maxColumnId, uuid: uuids() }), {
      schema: assigned,
      maxColumnId,
    });
  });

  it('keeps the names of a table that had none', () => {
    const { schema, maxColumnId } = assignMapping(struct({ a: 'long', b: struct({ c: 'long' }) }), {
      physicalNames: 'as-named',
      maxColumnId: 0,
      uuid: uuids(),
    });
    assert.equal(maxColumnId, 3);
    const names = JSON.stringify(schema).match(/physicalName":"\w+/g);
    assert.deepEqual(names?.toSorted(), ['physicalName":"a', 'physicalName":"b', 'physicalName":"c']);
    assert.equal(physicalName(schema.fields[1] as StructField, 'name'), 'b');
  });
});
