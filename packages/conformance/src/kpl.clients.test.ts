/**
 * The Kinesis Producer Library, native part and all: what it aggregates comes whole to who reads the stream, and one by one
 * to a table and to the Kinesis Client Library.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  StartQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import { CreateDeliveryStreamCommand } from '@aws-sdk/client-firehose';
import { CreateDatabaseCommand, CreateTableCommand } from '@aws-sdk/client-glue';
import {
  CreateStreamCommand,
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  waitUntilStreamExists,
  type _Record,
} from '@aws-sdk/client-kinesis';
import { call, environmentOf, toolsAbsent } from './client-tools.ts';
import { javaAbsent, javaProgram, runProgram, startDynamoDb } from './java-programs.ts';
import { eventually } from './refusal.ts';
import { clientsOf, freshName, openTarget, type Clients } from './target.ts';
import { startTlsFront } from './tls-front.ts';

const RECORDS = 3_000;
/** Of an aggregated record. */
const MAGIC = 'f3899ac2';
const ROLE = 'arn:aws:iam::000000000000:role/sluice';
const END_MS_MAX = 20_000;
/** A first worker waits up to half a minute, by chance, before it makes leases. */
const KCL_MS_MAX = 90_000;

interface Put {
  readonly shardId: string;
  readonly sequenceNumber: string;
  readonly text: string;
}

const absent = toolsAbsent(['openssl', 'version']) || (await javaAbsent('kpl', 'kcl', 'dynamodb-local'));

suite('the Kinesis Producer Library', { skip: absent }, () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  let clients: Clients;
  let temporary: string;
  const database = freshName('kpl');
  const stream = freshName('kpl');
  let puts: Put[];
  before(async () => {
    target = await openTarget();
    clients = clientsOf(target);
    temporary = await mkdtemp(join(tmpdir(), 'sluice-kpl-'));
    await clients.kinesis.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 2 }));
    await waitUntilStreamExists({ client: clients.kinesis, maxWaitTime: 20 }, { StreamName: stream });
  });
  after(async () => {
    clients?.destroy();
    await target?.stop();
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  });

  test('puts all that it was given, aggregated', async () => {
    const classPath = await javaProgram('kpl', 'KplProducer');
    const front = await startTlsFront(target.url);
    try {
      const args = ['-cp', classPath, 'KplProducer', String(front.port), temporary, stream, String(RECORDS)];
      const output = await call('java', args, { env: environmentOf(target) });
      assert.match(output, /^ok$/m);
      puts = output
        .split('\n')
        .filter((line) => line.startsWith('put '))
        .map((line) => line.split(' '))
        .map(([, shardId, sequenceNumber, text]) => ({
          shardId: shardId!,
          sequenceNumber: sequenceNumber!,
          text: text!,
        }));
    } finally {
      front.close();
    }
    assert.equal(puts.length, RECORDS);
    const stored = await storedRecords();
    const aggregated = stored.filter(
      ({ Data }) => Buffer.from(Data!).subarray(0, 4).toString('hex') === MAGIC,
    );
    assert.ok(aggregated.length > 0 && stored.length < RECORDS / 10, `${stored.length} records are stored`);
    // It was told where each record went.
    assert.deepEqual(
      new Set(puts.map(({ sequenceNumber }) => sequenceNumber)),
      new Set(stored.map(({ SequenceNumber }) => SequenceNumber)),
    );
  });

  test('a delivery makes a row of each', async () => {
    await clients.glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: database } }));
    const Columns = [
      { Name: 'key', Type: 'string' },
      { Name: 'number', Type: 'bigint' },
    ];
    await clients.glue.send(
      new CreateTableCommand({
        DatabaseName: database,
        TableInput: { Name: 't', Parameters: { table_type: 'DELTA' }, StorageDescriptor: { Columns } },
      }),
    );
    const { StreamDescription } = await clients.kinesis.send(
      new DescribeStreamCommand({ StreamName: stream }),
    );
    await clients.firehose.send(
      new CreateDeliveryStreamCommand({
        DeliveryStreamName: stream,
        DeliveryStreamType: 'KinesisStreamAsSource',
        KinesisStreamSourceConfiguration: { KinesisStreamARN: StreamDescription!.StreamARN, RoleARN: ROLE },
        ExtendedS3DestinationConfiguration: {
          RoleARN: ROLE,
          BucketARN: 'arn:aws:s3:::lake',
          BufferingHints: { IntervalInSeconds: 0, SizeInMBs: 64 },
          DataFormatConversionConfiguration: {
            Enabled: true,
            SchemaConfiguration: { DatabaseName: database, TableName: 't', RoleARN: ROLE },
            InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
            OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
          },
        },
      }),
    );
    const row = await eventually(async () => {
      const found = await firstRow(
        'select count(*), count(distinct number), min(number), max(number) from t',
      );
      return Number(found[0]) < RECORDS ? undefined : found;
    }, 'all rows');
    assert.deepEqual(row, [RECORDS, RECORDS, 0, RECORDS - 1].map(String));
    const [wrong] = await firstRow(`select count(*) from t where key <> 'key-' || (number % 20)`);
    assert.equal(wrong, '0');
  });

  test('the Kinesis Client Library takes them apart', async () => {
    const classPath = await javaProgram('kcl', 'KclWorker');
    const dynamodb = await startDynamoDb();
    const application = freshName('kpl_app');
    const args = [target.url, dynamodb.url, stream, application, 'polling', 'one'];
    const worker = runProgram('java', ['-cp', classPath, 'KclWorker', ...args], environmentOf(target));
    try {
      const records = () => worker.lines.filter((line) => line.startsWith('record '));
      await eventually(
        async () => (records().length < RECORDS ? undefined : true),
        'all records',
        KCL_MS_MAX,
      ).catch((error: unknown) => assert.fail(`${String(error)}\n${worker.errors().slice(-8_000)}`));
      const got = records().map((line) => line.split(' '));
      assert.deepEqual(
        got.map(([, shard, number, , , text]) => `${shard} ${number} ${text}`).sort(),
        puts.map(({ shardId, sequenceNumber, text }) => `${shardId} ${sequenceNumber} ${text}`).sort(),
      );
      // In the stream's order; the library itself sends batches side by side, whatever their keys.
      const latest = new Map<string, bigint>();
      for (const [, shard, number, subNumber] of got) {
        const position = (BigInt(number!) << 32n) + BigInt(subNumber!);
        assert.ok(position > (latest.get(shard!) ?? -1n), `${shard} ${number} ${subNumber} came late`);
        latest.set(shard!, position);
      }
      assert.equal(await worker.end(END_MS_MAX), 0);
    } finally {
      await worker.kill();
      await dynamodb.stop();
    }
  });

  async function storedRecords(): Promise<_Record[]> {
    const records: _Record[] = [];
    const { kinesis } = clients;
    const { StreamDescription } = await kinesis.send(new DescribeStreamCommand({ StreamName: stream }));
    for (const { ShardId } of StreamDescription!.Shards!) {
      const { ShardIterator } = await kinesis.send(
        new GetShardIteratorCommand({ StreamName: stream, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
      );
      const { Records, MillisBehindLatest } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
      assert.equal(MillisBehindLatest, 0);
      records.push(...Records!);
    }
    return records;
  }

  async function firstRow(QueryString: string): Promise<(string | undefined)[]> {
    const { athena } = clients;
    const { QueryExecutionId } = await athena.send(
      new StartQueryExecutionCommand({ QueryString, QueryExecutionContext: { Database: database } }),
    );
    const state = await eventually(async () => {
      const { QueryExecution } = await athena.send(new GetQueryExecutionCommand({ QueryExecutionId }));
      const { State = 'RUNNING', StateChangeReason = '' } = QueryExecution?.Status ?? {};
      return State === 'QUEUED' || State === 'RUNNING' ? undefined : `${State} ${StateChangeReason}`;
    }, QueryString);
    assert.equal(state.trim(), 'SUCCEEDED');
    const { ResultSet } = await athena.send(new GetQueryResultsCommand({ QueryExecutionId }));
    return (ResultSet?.Rows?.[1]?.Data ?? []).map(({ VarCharValue }) => VarCharValue);
  }
});
