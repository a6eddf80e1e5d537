import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { DuckDbEngine } from '../duckdb/index.ts';
import { DeltaTable, LocalStore, quoteText, schemaToJson, struct } from '../index.ts';
import { compare } from '../skip/predicate.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-large-checkpoint-'));
after(() => rmSync(directory, { recursive: true, force: true }));

/** More than one statement reads. */
const FILES = 420_000;
const ROW_GROUP_ROWS = 32_768;

it('reads a checkpoint in parts: all of its files, in their order', async () => {
  const log = join(directory, 'table', '_delta_log');
  mkdirSync(log, { recursive: true });
  const engine = await DuckDbEngine.create();
  try {
    const metadata = `{'id': 'large', 'format': {'provider': 'parquet'}, 'schemaString': ${quoteText(schemaToJson(struct({ n: 'long' })))}, 'partitionColumns': []}`;
    const add = `{'path': 'f' || i, 'size': i, 'modificationTime': 0, 'dataChange': true, 'stats': '{"numRecords":2,"minValues":{"n":' || i || '},"maxValues":{"n":' || i || '}}'}`;
    await engine.session((session) =>
      session.run(`COPY (
        SELECT {'minReaderVersion': 1, 'minWriterVersion': 2} AS protocol, NULL AS "metaData", NULL AS add
        UNION ALL SELECT NULL, ${metadata}, NULL
        UNION ALL SELECT NULL, NULL, ${add} FROM range(${FILES}) AS t(i)
      ) TO ${quoteText(join(log, '00000000000000000003.checkpoint.parquet'))}
        (FORMAT parquet, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}, PRESERVE_ORDER true)`),
    );
    const table = await DeltaTable.open({ store: new LocalStore(directory), engine, root: 'table' });
    const snapshot = await table.snapshot();
    assert.equal(snapshot.fileCount, FILES);
    assert.equal(snapshot.rowCount, 2 * FILES);
    assert.equal(snapshot.sizeBytes, (FILES * (FILES - 1)) / 2);
    let number = 0;
    for (const { path } of snapshot.files()) {
      if (path !== `f${number}`) assert.fail(`the file ${number} is ${path}`);
      number += 1;
    }
    for (const wanted of [0, 32_766, 229_373, 229_374, FILES - 1]) {
      const predicate = compare('n', '=', { type: 'integer', value: BigInt(wanted) });
      const { files } = await snapshot.scan({ predicate });
      assert.deepEqual(
        files.map(({ path }) => path),
        [`f${wanted}`],
      );
    }
  } finally {
    await engine.close();
  }
});
