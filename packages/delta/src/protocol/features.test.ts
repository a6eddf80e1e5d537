import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MetadataAction, ProtocolAction } from '../log/actions.ts';
import { field, struct, type StructField } from '../schema/types.ts';
import { assertReadable, assertWritable, type TableShape, upgradedProtocol } from './features.ts';

function table(
  protocol: ProtocolAction,
  rest: { configuration?: Record<string, string>; fields?: StructField[] } = {},
): TableShape {
  const metadata: MetadataAction = {
    id: 'id',
    format: { provider: 'parquet' },
    schemaString: '',
    partitionColumns: [],
    configuration: rest.configuration ?? {},
  };
  return { protocol, metadata, schema: struct(rest.fields ?? [field('id', 'long')]) };
}

const version7 = (...writerFeatures: string[]): ProtocolAction => ({
  minReaderVersion: 1,
  minWriterVersion: 7,
  writerFeatures,
});
const version3 = (...readerFeatures: string[]): ProtocolAction => ({
  minReaderVersion: 3,
  minWriterVersion: 7,
  readerFeatures,
  writerFeatures: readerFeatures,
});

describe('reading', () => {
  it('is refused by the names of the features that are missing', () => {
    for (const feature of [
      'deletionVectors',
      'columnMapping',
      'v2Checkpoint',
      'typeWidening',
      'variantType',
      'catalogManaged',
      'fromTheFuture',
      'toString',
    ]) {
      assert.throws(() => assertReadable(table(version3('timestampNtz', feature))), {
        code: 'unsupported-feature',
        message: new RegExp(`table feature ${feature}$`),
      });
    }
    assert.throws(() => assertReadable(table(version3('deletionVectors', 'v2Checkpoint'))), {
      message: /features deletionVectors, v2Checkpoint/,
    });
    assert.throws(() => assertReadable(table({ minReaderVersion: 4, minWriterVersion: 7 })), {
      message: /reader version 4/,
    });
  });

  it('is allowed where nothing is used that is missing', () => {
    assertReadable(table(version3('timestampNtz', 'vacuumProtocolCheck')));
    assertReadable(table({ minReaderVersion: 2, minWriterVersion: 5 }));
    assertReadable(table(version7('rowTracking', 'clustering', 'inCommitTimestamp')));
    assert.throws(
      () =>
        assertReadable(
          table(
            { minReaderVersion: 2, minWriterVersion: 5 },
            { configuration: { 'delta.columnMapping.mode': 'id' } },
          ),
        ),
      { message: /columnMapping/ },
    );
  });
});

describe('writing', () => {
  const legacy = (minWriterVersion: number): ProtocolAction => ({ minReaderVersion: 1, minWriterVersion });
  const marked = (key: string): StructField[] => [field('id', 'long', { metadata: { [key]: 'x' } })];

  it('is refused for features that are in use', () => {
    const cases: [TableShape, string][] = [
      [table(legacy(2), { fields: marked('delta.invariants') }), 'invariants'],
      [table(legacy(3), { configuration: { 'delta.constraints.c': 'id > 0' } }), 'checkConstraints'],
      [table(legacy(4), { fields: marked('delta.generationExpression') }), 'generatedColumns'],
      [table(legacy(6), { fields: marked('delta.identity.start') }), 'identityColumns'],
      [table(version7('allowColumnDefaults'), { fields: marked('CURRENT_DEFAULT') }), 'allowColumnDefaults'],
      [
        table(version7('inCommitTimestamp'), { configuration: { 'delta.enableInCommitTimestamps': 'true' } }),
        'inCommitTimestamp',
      ],
      [table(version7('rowTracking')), 'rowTracking'],
      [table(version7('clustering')), 'clustering'],
      [table(version7('fromTheFuture')), 'fromTheFuture'],
    ];
    for (const [shape, feature] of cases) {
      assert.throws(
        () => assertWritable(shape),
        { code: 'unsupported-feature', message: new RegExp(feature) },
        feature,
      );
    }
    assert.throws(() => assertWritable(table(legacy(8))), { message: /writer version 8/ });
  });

  it('is allowed for features that are listed only, or that an append honours', () => {
    for (let version = 1; version <= 6; version += 1) assertWritable(table(legacy(version)));
    assertWritable(
      table(
        version7(
          'appendOnly',
          'invariants',
          'checkConstraints',
          'generatedColumns',
          'identityColumns',
          'changeDataFeed',
          'inCommitTimestamp',
          'domainMetadata',
          'vacuumProtocolCheck',
        ),
      ),
    );
    assertWritable(table(legacy(4), { configuration: { 'delta.enableChangeDataFeed': 'true' } }));
  });
});

describe('an upgrade for zoneless timestamps', () => {
  it('keeps what the old versions implied', () => {
    const schema = struct({ t: 'timestamp_ntz' });
    const upgraded = upgradedProtocol({ minReaderVersion: 1, minWriterVersion: 3 }, schema);
    assert.deepEqual(upgraded.writerFeatures, [
      'appendOnly',
      'invariants',
      'checkConstraints',
      'timestampNtz',
    ]);
    assert.equal(upgradedProtocol(upgraded, schema), upgraded);
    const before = { minReaderVersion: 1, minWriterVersion: 2 };
    assert.equal(upgradedProtocol(before, struct({ t: 'timestamp' })), before);
  });
});
