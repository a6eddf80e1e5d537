/** Data directories that released versions wrote are opened, with all that is in them, and go on being used. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { awsCall } from '../../bench/support/aws-call.ts';
import { FORMAT_VERSION } from '../../src/app/data-directory.ts';
import { RECORDS } from '../fixtures/data-directory-content.ts';
import { startSluice } from '../sluice-process.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures', import.meta.url));
const archives = globSync('data-format-*.tar.gz', { cwd: FIXTURES }).sort();
const QUERY_MS_MAX = 30_000;

async function query(url: string, QueryString: string): Promise<string[][]> {
  const { QueryExecutionId } = await awsCall(url, 'athena', 'StartQueryExecution', { QueryString });
  const deadline = Date.now() + QUERY_MS_MAX;
  for (;;) {
    const { QueryExecution } = await awsCall<{
      QueryExecution: { Status: { State: string; StateChangeReason?: string } };
    }>(url, 'athena', 'GetQueryExecution', { QueryExecutionId });
    const { State, StateChangeReason } = QueryExecution.Status;
    if (State === 'SUCCEEDED') break;
    assert.ok(State !== 'FAILED' && Date.now() < deadline, StateChangeReason ?? 'the query took too long');
    await pause(50);
  }
  const { ResultSet } = await awsCall<{ ResultSet: { Rows: { Data: { VarCharValue: string }[] }[] } }>(
    url,
    'athena',
    'GetQueryResults',
    { QueryExecutionId },
  );
  return ResultSet.Rows.slice(1).map((row) => row.Data.map((value) => value.VarCharValue));
}

async function streamed(url: string): Promise<{ id: string; n: number }[]> {
  const { Shards } = await awsCall<{ Shards: { ShardId: string }[] }>(url, 'kinesis', 'ListShards', {
    StreamName: 'events',
  });
  const found = [];
  for (const { ShardId } of Shards) {
    const { ShardIterator } = await awsCall(url, 'kinesis', 'GetShardIterator', {
      StreamName: 'events',
      ShardId,
      ShardIteratorType: 'TRIM_HORIZON',
    });
    const { Records } = await awsCall<{ Records: { Data: string }[] }>(url, 'kinesis', 'GetRecords', {
      ShardIterator,
    });
    for (const { Data } of Records)
      found.push(JSON.parse(Buffer.from(Data, 'base64').toString()) as { id: string; n: number });
  }
  return found;
}

describe('a data directory of a released format', () => {
  test('is there for every format', () => {
    assert.deepEqual(
      archives,
      Array.from({ length: FORMAT_VERSION }, (_, i) => `data-format-${i + 1}.tar.gz`),
    );
  });

  for (const archive of archives) {
    test(`opens and goes on: ${basename(archive)}`, async (t) => {
      const data = mkdtempSync(join(tmpdir(), 'sluice-format-'));
      t.after(() => rmSync(data, { recursive: true }));
      execFileSync('tar', ['-xzf', join(FIXTURES, archive), '-C', data]);
      const server = await startSluice(data, '--dev');
      t.after(() => server.stop());
      assert.deepEqual(JSON.parse(readFileSync(join(data, 'format.json'), 'utf8')), {
        format: FORMAT_VERSION,
      });

      const expected = RECORDS.map(({ id, n }) => [id, String(n)]);
      assert.deepEqual(await query(server.url, 'select id, n from kept.events order by n'), expected);
      const { QueryExecutionIds } = await awsCall<{ QueryExecutionIds: string[] }>(
        server.url,
        'athena',
        'ListQueryExecutions',
        {},
      );
      assert.equal(QueryExecutionIds.length, 2, 'the former execution is known beside the one just run');

      const record = { id: 'after', n: 100 };
      const Data = Buffer.from(JSON.stringify(record)).toString('base64');
      await awsCall(server.url, 'kinesis', 'PutRecord', {
        StreamName: 'events',
        PartitionKey: 'after',
        Data,
      });
      const deadline = Date.now() + QUERY_MS_MAX;
      while (
        (await query(server.url, 'select count(*) from kept.events'))[0]![0] !== String(RECORDS.length + 1)
      ) {
        assert.ok(Date.now() < deadline, 'the delivery goes on behind its position, once');
      }
      const ids = (await streamed(server.url)).map(({ id }) => id);
      // Records of the fixture leave the stream when their day of retention has passed; the new one must be there.
      assert.equal(ids.filter((id) => id === 'after').length, 1);
    });
  }
});
