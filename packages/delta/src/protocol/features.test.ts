import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { MetadataAction, ProtocolAction } from '../log/actions.ts';
import { field, struct, type StructField } from '../schema/types.ts';
import {
  assertReadable,
  assertRemovable,
  assertWritable,
  type TableShape,
  upgradedProtocol,
} from './features.ts';

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
    for (const feature of ['catalogManaged', 'fromTheFuture', 'toString']) {
      assert.throws(() => assertReadable(table(version3('timestampNtz', feature))), {
        code: 'unsupported-feature',
        message: new RegExp(`table feature ${feature}$`),
      });
    }
    assert.throws(() => assertReadable(table(version3('fromTheFuture', 'catalogManaged'))), {
      message: /features fromTheFuture, catalogManaged/,
    });
    assert.throws(() => assertReadable(table({ minReaderVersion: 4, minWriterVersion: 7 })), {
      message: /reader version 4/,
    });
  });

  it('is allowed with every feature that is honoured, and where nothing is used that is missing', () => {
    assertReadable(
      table(
        version3(
          'timestampNtz',
          'vacuumProtocolCheck',
          'columnMapping',
          'deletionVectors',
          'v2Checkpoint',
          'typeWidening',
          'variantType',
        ),
      ),
    );
    assertReadable(table({ minReaderVersion: 2, minWriterVersion: 5 }));
    assertReadable(table(version7('rowTracking', 'clustering', 'inCommitTimestamp')));
  });
});

describe('writing', () => {
  const legacy = (minWriterVersion: number): ProtocolAction => ({ minReaderVersion: 1, minWriterVersion });

  it('is refused for features that this library does not honour', () => {
    const cases: [TableShape, string][] = [
      [table(version7('rowTracking')), 'rowTracking'],
      [table(version7('checkpointProtection')), 'checkpointProtection'],
      [table(version7('materializePartitionColumns')), 'materializePartitionColumns'],
      [table(version3('catalogManaged')), 'catalogManaged'],
      [table(version7('fromTheFuture')), 'fromTheFuture'],
      [
        table(version7('icebergCompatV2'), { configuration: { 'delta.enableIcebergCompatV2': 'true' } }),
        'icebergCompatV2',
      ],
      [table(version3('variantType'), { fields: [field('v', 'variant')] }), 'variantType'],
    ];
    for (const [shape, feature] of cases) {
      assert.throws(
        () => assertWritable(shape),
        { code: 'unsupported-feature', message: new RegExp(feature) },
        feature,
      );
    }
    assert.throws(() => assertWritable(table(legacy(8))), { message: /writer version 8/ });
    assert.throws(
      () => assertWritable(table(legacy(5), { configuration: { 'delta.columnMapping.mode': 'name' } })),
      { code: 'corrupt-log', message: /columnMapping/ },
    );
  });

  it('is allowed for features that are honoured, or listed only', () => {
    for (let version = 1; version <= 6; version += 1) assertWritable(table(legacy(version)));
    assertWritable(
      table(
        version7(
          'appendOnly',
          'invariants',
          'checkConstraints',
          'generatedColumns',
          'identityColumns',
          'allowColumnDefaults',
          'changeDataFeed',
          'inCommitTimestamp',
          'domainMetadata',
          'clustering',
          'vacuumProtocolCheck',
          'icebergCompatV2',
        ),
      ),
    );
    assertWritable(table(version3('deletionVectors', 'v2Checkpoint', 'typeWidening', 'variantType')));
  });
});

describe('removing rows', () => {
  it('is refused where rows may only be added', () => {
    const configuration = { 'delta.appendOnly': 'true' };
    assert.throws(() => assertRemovable(table(version7('appendOnly'), { configuration })), {
      code: 'constraint',
    });
    assertRemovable(table(version7('appendOnly')));
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
