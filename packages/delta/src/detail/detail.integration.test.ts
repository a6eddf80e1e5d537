import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { RowSet, writeDeletionVectors } from '../deletion-vectors/index.ts';
import { COMMIT_STEP_MS, FIRST_COMMIT_MS, HandMadeTable } from '../reading/testing/hand-made-table.ts';
import { field, struct } from '../schema/types.ts';
import { isLocal } from '../store/object-store.ts';
import { detail } from './detail.ts';

const tables: HandMadeTable[] = [];
after(() => Promise.all(tables.map((table) => table.close())));

describe('the detail of a table', () => {
  it('tells what an empty table is', async () => {
    const table = await HandMadeTable.create({ schema: struct({ id: 'long' }) });
    tables.push(table);
    const { store } = table.context.io;
    assert.ok(isLocal(store));
    assert.deepEqual(await detail(table.context), {
      format: 'delta',
      id: 'hand-made',
      name: undefined,
      description: undefined,
      location: pathToFileURL(store.localPath('t')).href,
      version: 0,
      createdMs: FIRST_COMMIT_MS,
      modifiedMs: FIRST_COMMIT_MS,
      partitionColumns: [],
      clusteringColumns: [],
      fileCount: 0,
      sizeBytes: 0,
      properties: {},
      minReaderVersion: 1,
      minWriterVersion: 4,
      tableFeatures: ['appendOnly', 'changeDataFeed', 'checkConstraints', 'generatedColumns', 'invariants'],
      statistics: {
        rows: 0,
        deletedRows: 0,
        filesWithDeletionVector: 0,
        filesWithoutStatistics: 0,
        smallestFileBytes: undefined,
        medianFileBytes: undefined,
        largestFileBytes: undefined,
        smallFiles: 0,
        targetFileBytes: 256 * 1024 * 1024,
        partitions: 0,
      },
    });
  });

  it('tells what its files are like, and the names of clustering columns', async () => {
    const features = ['deletionVectors', 'columnMapping'];
    const mapped = (name: string, id: number) =>
      field(name, 'long', {
        metadata: { 'delta.columnMapping.id': id, 'delta.columnMapping.physicalName': `col-${id}` },
      });
    const within = field('place', struct([mapped('zip', 3)]), {
      metadata: { 'delta.columnMapping.id': 2, 'delta.columnMapping.physicalName': 'col-2' },
    });
    const schema = struct([mapped('id', 1), within]);
    const table = await HandMadeTable.create({
      schema,
      configuration: {
        'delta.columnMapping.mode': 'name',
        'delta.columnMapping.maxColumnId': '3',
        'delta.targetFileSize': '100000',
      },
      protocol: {
        minReaderVersion: 3,
        minWriterVersion: 7,
        readerFeatures: features,
        writerFeatures: [...features, 'clustering', 'domainMetadata'],
      },
    });
    tables.push(table);
    const file = await table.write([{ 'col-1': 1 }, { 'col-1': 2 }, { 'col-1': 3 }], {
      schema: struct({ 'col-1': 'long' }),
    });
    const [deletionVector] = await writeDeletionVectors(
      table.context.io,
      [RowSet.fromPositions([0, 2])],
      () => crypto.randomUUID(),
    );
    assert.ok(deletionVector);
    const { stats: _, ...bare } = file;
    await table.commit([
      { add: { ...file, deletionVector } },
      { add: { ...file, path: 'other', size: 50_000 } },
      {
        domainMetadata: {
          domain: 'delta.clustering',
          configuration: JSON.stringify({ clusteringColumns: [['col-2', 'col-3'], ['col-1']] }),
          removed: false,
        },
      },
    ]);
    const { clusteringColumns, statistics, modifiedMs, tableFeatures } = await detail(table.context);
    assert.deepEqual(clusteringColumns, ['place.zip', 'id']);
    assert.deepEqual(tableFeatures, ['clustering', 'columnMapping', 'deletionVectors', 'domainMetadata']);
    assert.equal(modifiedMs, FIRST_COMMIT_MS + COMMIT_STEP_MS);
    assert.deepEqual(statistics, {
      rows: 4,
      deletedRows: 2,
      filesWithDeletionVector: 1,
      filesWithoutStatistics: 0,
      smallestFileBytes: file.size,
      medianFileBytes: 50_000,
      largestFileBytes: 50_000,
      smallFiles: 1,
      targetFileBytes: 100_000,
      partitions: 1,
    });
    await table.commit([{ add: { ...bare, path: 'unknown', size: 1 } }]);
    const { rows, filesWithoutStatistics } = (await detail(table.context)).statistics;
    assert.deepEqual([rows, filesWithoutStatistics], [undefined, 1]);
  });
});
