import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DOCUMENTED_PROPERTIES } from './documented.ts';
import { resolveProperties } from './requested-properties.ts';
import * as table from './table-properties.ts';
import { columnPaths, intervalMs, sizeBytes } from './text-values.ts';

describe('a request for properties', () => {
  it('is sorted into what the table keeps and what the protocol does', () => {
    assert.deepEqual(
      resolveProperties({
        'DELTA.appendonly': 'true',
        'delta.feature.deletionVectors': 'supported',
        'delta.minReaderVersion': '2',
        'delta.minWriterVersion': '5',
        'delta.ignoreProtocolDefaults': 'true',
        'my.Own': 'x',
      }),
      {
        configuration: { 'delta.appendOnly': 'true', 'my.Own': 'x' },
        features: ['deletionVectors'],
        minReaderVersion: 2,
        minWriterVersion: 5,
      },
    );
  });

  it('is refused, with the reason, for everything that would be ignored', () => {
    const refused: [Record<string, string>, RegExp][] = [
      [{ 'delta.enableRowTracking': 'true' }, /row tracking/],
      [{ 'delta.enableIcebergCompatV2': 'true' }, /Iceberg/],
      [{ 'delta.universalFormat.enabledFormats': 'iceberg' }, /Iceberg/],
      [{ 'delta.fromTheFuture': '1' }, /documents none/],
      [{ 'delta.toString': '1' }, /documents none/],
      [{ 'delta.constraints.c': 'id > 0' }, /can't be set/],
      [{ 'delta.columnMapping.maxColumnId': '9' }, /counts the ids/],
      [{ 'delta.checkpointInterval': '0' }, /from 1/],
      [{ 'delta.isolationLevel': 'SnapshotIsolation' }, /Serializable or WriteSerializable/],
      [{ 'delta.logRetentionDuration': 'interval 1 month' }, /without months/],
      [{ 'delta.feature.rowTracking': 'no' }, /expected supported/],
      [{ 'delta.minWriterVersion': '8' }, /1 to 7/],
      [{ 'delta.coordinatedCommits.commitCoordinator-preview': 'x' }, /without a coordinator/],
      [{ 'delta.appendOnly': 'true', 'DELTA.APPENDONLY': 'false' }, /twice/],
    ];
    for (const [properties, message] of refused) {
      assert.throws(() => resolveProperties(properties), { code: 'invalid-property', message });
    }
    for (const [name, property] of Object.entries(DOCUMENTED_PROPERTIES)) {
      if (property.kind === 'honoured') continue;
      if (property.kind === 'protocol') continue;
      assert.throws(() => resolveProperties({ [name]: 'true' }), { code: 'invalid-property' }, name);
    }
  });
});

describe('the properties of a table', () => {
  it('have their defaults, and count as absent where they are wrong', () => {
    const configurations: Record<string, string>[] = [
      {},
      {
        'delta.checkpointInterval': 'x',
        'delta.targetFileSize': '0',
        'delta.dataSkippingStatsColumns': 'a,,b',
        'delta.randomizeFilePrefixes': 'maybe',
        'delta.columnMapping.mode': 'other',
      },
    ];
    for (const configuration of configurations) {
      assert.equal(table.checkpointInterval(configuration), 10);
      assert.equal(table.targetFileSizeBytes(configuration), undefined);
      assert.equal(table.dataSkippingStatsColumns(configuration), undefined);
      assert.equal(table.randomFilePrefixLength(configuration), undefined);
      assert.equal(table.columnMappingMode(configuration), 'none');
      assert.equal(table.isolationLevel(configuration), 'Serializable');
      assert.equal(table.logRetentionMs(configuration), 30 * 86_400_000);
      assert.equal(table.enableExpiredLogCleanup(configuration), true);
      assert.equal(table.checkpointPolicy(configuration), 'classic');
      assert.equal(table.enableDeletionVectors(configuration), false);
    }
  });

  it('are read as Delta writes them', () => {
    const configuration = {
      'delta.targetFileSize': '128mb',
      'delta.dataSkippingStatsColumns': 'id, `a.b`.c',
      'delta.randomizeFilePrefixes': 'TRUE',
      'delta.logRetentionDuration': 'interval 2 days 3 hours',
      'delta.checkpointPolicy': 'v2',
      'delta.columnMapping.mode': 'Name',
    };
    assert.equal(table.columnMappingMode(configuration), 'name');
    assert.equal(table.targetFileSizeBytes(configuration), 128 * 2 ** 20);
    assert.deepEqual(table.dataSkippingStatsColumns(configuration), [['id'], ['a.b', 'c']]);
    assert.equal(table.randomFilePrefixLength(configuration), 2);
    assert.equal(table.logRetentionMs(configuration), 51 * 3_600_000);
    assert.equal(table.checkpointPolicy(configuration), 'v2');
  });

  it('are texts of a few forms', () => {
    assert.deepEqual(
      ['1 week', 'INTERVAL 5 SECONDS', '1500 microseconds', 'interval', '1 year', '-1 days', '1'].map(
        intervalMs,
      ),
      [604_800_000, 5000, 1, undefined, undefined, undefined, undefined],
    );
    assert.deepEqual(['104857600', '1g', '2 KB', '0', '1.5m', 'mb', '1tib'].map(sizeBytes), [
      104_857_600,
      2 ** 30,
      2048,
      undefined,
      undefined,
      undefined,
      2 ** 40,
    ]);
    assert.deepEqual(columnPaths('a,`b``c`.d , e.f'), [['a'], ['b`c', 'd'], ['e', 'f']]);
    for (const text of ['', 'a,', 'a b', '.a', 'a.', '`a']) assert.equal(columnPaths(text), undefined, text);
  });
});
