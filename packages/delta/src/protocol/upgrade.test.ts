import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { field, struct } from '../schema/types.ts';
import { featuresOf, protocolFor, upgradedProtocol } from './upgrade.ts';

const PLAIN = struct({ id: 'long' });

describe('a new table', () => {
  it('has the lowest protocol that allows what it uses', () => {
    assert.deepEqual(protocolFor(PLAIN), { minReaderVersion: 1, minWriterVersion: 2 });
    assert.deepEqual(protocolFor(PLAIN, { 'delta.enableChangeDataFeed': 'true' }), {
      minReaderVersion: 1,
      minWriterVersion: 4,
    });
    assert.deepEqual(protocolFor(PLAIN, { 'delta.columnMapping.mode': 'name' }), {
      minReaderVersion: 2,
      minWriterVersion: 5,
    });
    assert.deepEqual(protocolFor(PLAIN, { 'delta.columnMapping.mode': 'name' }, ['clustering']), {
      minReaderVersion: 2,
      minWriterVersion: 7,
      writerFeatures: ['appendOnly', 'invariants', 'columnMapping', 'clustering', 'domainMetadata'],
    });
    const identity = field('id', 'long', { metadata: { 'delta.identity.start': 1 } });
    assert.equal(protocolFor(struct([identity])).minWriterVersion, 6);
    assert.deepEqual(protocolFor(PLAIN, { 'delta.enableDeletionVectors': 'true' }), {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['deletionVectors'],
      writerFeatures: ['appendOnly', 'invariants', 'deletionVectors'],
    });
  });

  it('has the features and versions that were asked for', () => {
    assert.deepEqual(protocolFor(PLAIN, { 'delta.minReaderVersion': '2', 'delta.minWriterVersion': '5' }), {
      minReaderVersion: 2,
      minWriterVersion: 5,
    });
    assert.deepEqual(protocolFor(PLAIN, { 'delta.feature.V2CHECKPOINT': 'supported' }).readerFeatures, [
      'v2Checkpoint',
    ]);
    assert.deepEqual(protocolFor(PLAIN, { 'delta.minReaderVersion': '3' }), {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: [],
      writerFeatures: ['appendOnly', 'invariants'],
    });
    for (const feature of [
      'rowTracking',
      'catalogManaged',
      'icebergCompatV2',
      'checkpointProtection',
      'nope',
    ]) {
      assert.throws(() => protocolFor(PLAIN, { [`delta.feature.${feature}`]: 'supported' }), {
        code: 'invalid-property',
        message: new RegExp(feature),
      });
    }
  });
});

describe('an upgrade', () => {
  it('keeps what the old versions implied, and nothing that they did not', () => {
    const upgraded = upgradedProtocol({ minReaderVersion: 1, minWriterVersion: 6 }, PLAIN, {
      properties: { 'delta.enableTypeWidening': 'true' },
    });
    // Without reader version 2 a table has no column mapping, whatever its writer version.
    assert.deepEqual(upgraded, {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['typeWidening'],
      writerFeatures: [
        'appendOnly',
        'invariants',
        'checkConstraints',
        'changeDataFeed',
        'generatedColumns',
        'identityColumns',
        'typeWidening',
      ],
    });
    const mapped = upgradedProtocol(
      { minReaderVersion: 2, minWriterVersion: 5 },
      struct({ t: 'timestamp_ntz' }),
    );
    assert.deepEqual(mapped.readerFeatures, ['columnMapping', 'timestampNtz']);
  });

  it('changes nothing that is there', () => {
    for (const protocol of [
      { minReaderVersion: 1, minWriterVersion: 4 },
      { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['changeDataFeed', 'appendOnly'] },
    ]) {
      const same = upgradedProtocol(protocol, PLAIN, {
        properties: { 'delta.enableChangeDataFeed': 'true' },
      });
      assert.equal(same, protocol);
    }
  });

  it('lists a legacy feature where features are listed', () => {
    const protocol = { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['appendOnly'] };
    const upgraded = upgradedProtocol(protocol, PLAIN, { features: ['checkConstraints'] });
    assert.deepEqual(upgraded, { ...protocol, writerFeatures: ['appendOnly', 'checkConstraints'] });
    assert.deepEqual([...featuresOf(upgraded)], ['appendOnly', 'checkConstraints']);
  });
});
