/** The whole path through the public APIs: Glue, Kinesis, Firehose and Athena. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  BatchGetQueryExecutionCommand,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  ListQueryExecutionsCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import {
  CreateDeliveryStreamCommand,
  DeleteDeliveryStreamCommand,
  DescribeDeliveryStreamCommand,
  ListDeliveryStreamsCommand,
  ListTagsForDeliveryStreamCommand,
  PutRecordBatchCommand,
  PutRecordCommand as PutDirectCommand,
  UpdateDestinationCommand,
  type ExtendedS3DestinationConfiguration,
} from '@aws-sdk/client-firehose';
import {
  CreateDatabaseCommand,
  CreateTableCommand,
  DeleteDatabaseCommand,
  DeleteTableCommand,
  GetCrawlersCommand,
  GetDatabaseCommand,
  GetDatabasesCommand,
  GetTableCommand,
  GetTablesCommand,
  UpdateTableCommand,
} from '@aws-sdk/client-glue';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { rowsOfFiles } from './delta-files.ts';
import { eventually, refusedWith } from './refusal.ts';
import { clientsOf, freshName, openTarget, type Clients } from './target.ts';

const COLUMNS = [
  { Name: 'id', Type: 'bigint' },
  { Name: 'name', Type: 'string' },
  { Name: 'price', Type: 'decimal(10,2)' },
];
/** 10^12 rows: hours, if nobody stops it. */
const LONG_QUERY = `with d(x) as (values ${Array.from({ length: 10 }, (_, at) => `(${at})`).join(', ')}) select count(*) from ${Array.from({ length: 12 }, (_, at) => `d as d${at}`).join(', ')} where (d0.x * 7 + d11.x * 13 + d5.x) % 17 = 3`;
const ROLE = 'arn:aws:iam::000000000000:role/sluice';

suite('from events to answers', () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  let clients: Clients;
  const database = freshName('db');
  before(async () => {
    target = await openTarget();
    clients = clientsOf(target);
    await clients.glue.send(
      new CreateDatabaseCommand({ DatabaseInput: { Name: database, Description: 'conformance' } }),
    );
  });
  after(async () => {
    clients.destroy();
    await target.stop();
  });

  const createTable = async (Name = freshName('t')): Promise<string> => {
    await clients.glue.send(
      new CreateTableCommand({
        DatabaseName: database,
        TableInput: { Name, Parameters: { table_type: 'DELTA' }, StorageDescriptor: { Columns: COLUMNS } },
      }),
    );
    return Name;
  };
  const destination = (TableName: string): ExtendedS3DestinationConfiguration => ({
    RoleARN: ROLE,
    BucketARN: 'arn:aws:s3:::lake',
    BufferingHints: { IntervalInSeconds: 0, SizeInMBs: 64 },
    DataFormatConversionConfiguration: {
      Enabled: true,
      SchemaConfiguration: { DatabaseName: database, TableName, RoleARN: ROLE },
      InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
      OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
    },
  });
  const run = async (QueryString: string) => {
    const { QueryExecutionId } = await clients.athena.send(
      new StartQueryExecutionCommand({ QueryString, QueryExecutionContext: { Database: database } }),
    );
    return eventually(async () => {
      const { QueryExecution } = await clients.athena.send(
        new GetQueryExecutionCommand({ QueryExecutionId }),
      );
      const state = QueryExecution?.Status?.State;
      return state === 'QUEUED' || state === 'RUNNING'
        ? undefined
        : { ...QueryExecution, QueryExecutionId: QueryExecutionId! };
    }, QueryString);
  };
  const rowsOf = async (QueryString: string): Promise<(string | undefined)[][]> => {
    const execution = await run(QueryString);
    assert.equal(execution.Status?.State, 'SUCCEEDED', execution.Status?.StateChangeReason ?? '');
    const { ResultSet } = await clients.athena.send(
      new GetQueryResultsCommand({ QueryExecutionId: execution.QueryExecutionId }),
    );
    return (ResultSet?.Rows ?? []).map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue));
  };
  const rowsAppear = async (table: string, expected: string[][]) => {
    const found = await eventually(async () => {
      const [, ...rows] = await rowsOf(`select id, name, price from ${table} order by id`);
      return rows.length < expected.length ? undefined : rows;
    }, `${expected.length} rows in ${table}`);
    assert.deepEqual(found, expected);
  };

  test('databases: created, described, listed, refused twice, deleted when empty', async () => {
    const { glue } = clients;
    const Name = freshName('other');
    await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name, Parameters: { a: 'b' } } }));
    const { Database } = await glue.send(new GetDatabaseCommand({ Name }));
    assert.equal(Database?.Name, Name);
    assert.deepEqual(Database.Parameters, { a: 'b' });
    assert.ok(Math.abs(Database.CreateTime!.getTime() - Date.now()) < 60_000);
    await refusedWith(
      glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name } })),
      'AlreadyExistsException',
    );
    const names: (string | undefined)[] = [];
    let NextToken: string | undefined;
    do {
      const page = await glue.send(new GetDatabasesCommand({ MaxResults: 1, NextToken }));
      names.push(...(page.DatabaseList ?? []).map((item) => item.Name));
      ({ NextToken } = page);
    } while (NextToken !== undefined);
    assert.ok(names.includes(Name) && names.includes(database));
    assert.equal(new Set(names).size, names.length);
    await glue.send(new DeleteDatabaseCommand({ Name }));
    await refusedWith(glue.send(new GetDatabaseCommand({ Name })), 'EntityNotFoundException');
    await refusedWith(
      glue.send(new GetDatabaseCommand({ Name: database, CatalogId: '999999999999' })),
      'EntityNotFoundException',
    );
    await refusedWith(
      glue.send(new GetCrawlersCommand({})),
      'InvalidInputException',
      /GetCrawlers is not supported/,
    );
  });

  test('tables: columns come from the log, change by adding, are found by expression', async () => {
    const { glue } = clients;
    const Name = await createTable(freshName('shape'));
    await createTable(freshName('shape'));
    const { Table } = await glue.send(new GetTableCommand({ DatabaseName: database, Name }));
    assert.deepEqual(
      Table?.StorageDescriptor?.Columns?.map((column) => [column.Name, column.Type]),
      COLUMNS.map((column) => [column.Name, column.Type]),
    );
    assert.equal(Table.Parameters?.['table_type']?.toUpperCase(), 'DELTA');
    assert.match(Table.StorageDescriptor.Location ?? '', /^file:\/\//);
    await refusedWith(createTable(Name), 'AlreadyExistsException');

    const update = (Columns: { Name: string; Type: string }[]) =>
      glue.send(
        new UpdateTableCommand({
          DatabaseName: database,
          TableInput: { Name, Parameters: { table_type: 'DELTA' }, StorageDescriptor: { Columns } },
        }),
      );
    await update([...COLUMNS, { Name: 'extra', Type: 'int' }]);
    const changed = await glue.send(new GetTableCommand({ DatabaseName: database, Name }));
    assert.equal(changed.Table?.StorageDescriptor?.Columns?.at(-1)?.Name, 'extra');
    await refusedWith(update([{ Name: 'id', Type: 'string' }]), 'InvalidInputException');

    const first = await glue.send(
      new GetTablesCommand({ DatabaseName: database, Expression: 'shape.*', MaxResults: 1 }),
    );
    const second = await glue.send(
      new GetTablesCommand({
        DatabaseName: database,
        Expression: 'shape.*',
        MaxResults: 1,
        NextToken: first.NextToken,
      }),
    );
    assert.equal(first.TableList?.length, 1);
    assert.equal(second.TableList?.length, 1);
    assert.notEqual(first.TableList[0]?.Name, second.TableList[0]?.Name);
    const none = await glue.send(new GetTablesCommand({ DatabaseName: database, Expression: 'nothing_.*' }));
    assert.deepEqual(none.TableList, []);
    await glue.send(new DeleteTableCommand({ DatabaseName: database, Name }));
    await refusedWith(
      glue.send(new GetTableCommand({ DatabaseName: database, Name })),
      'EntityNotFoundException',
    );
    await refusedWith(glue.send(new DeleteDatabaseCommand({ Name: database })), 'InvalidInputException');
    await refusedWith(
      glue.send(
        new CreateTableCommand({
          DatabaseName: database,
          TableInput: { Name, StorageDescriptor: { Columns: COLUMNS } },
        }),
      ),
      'InvalidInputException',
    );
  });

  test('a stream is delivered into its table', async () => {
    const { kinesis, firehose } = clients;
    const table = await createTable();
    const StreamName = freshName('stream');
    await kinesis.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
    const { StreamDescriptionSummary } = await kinesis.send(new DescribeStreamSummaryCommand({ StreamName }));
    const DeliveryStreamName = freshName('delivery').slice(0, 64);
    const created = await firehose.send(
      new CreateDeliveryStreamCommand({
        DeliveryStreamName,
        DeliveryStreamType: 'KinesisStreamAsSource',
        KinesisStreamSourceConfiguration: {
          KinesisStreamARN: StreamDescriptionSummary?.StreamARN,
          RoleARN: ROLE,
        },
        ExtendedS3DestinationConfiguration: destination(table),
      }),
    );
    assert.match(
      created.DeliveryStreamARN ?? '',
      new RegExp(`^arn:aws:firehose:[a-z0-9-]+:\\d{12}:deliverystream/${DeliveryStreamName}$`),
    );
    const rows = Array.from({ length: 50 }, (_, id) => ({ id, name: `n${id}`, price: id / 4 }));
    const { FailedRecordCount } = await kinesis.send(
      new PutRecordsCommand({
        StreamName,
        Records: rows.map((row) => ({
          PartitionKey: row.name,
          Data: Buffer.from(`${JSON.stringify(row)}\n`),
        })),
      }),
    );
    assert.equal(FailedRecordCount, 0);
    await rowsAppear(
      table,
      rows.map(({ id, name, price }) => [String(id), name, price.toFixed(2)]),
    );
    const { Table } = await clients.glue.send(new GetTableCommand({ DatabaseName: database, Name: table }));
    const found = await rowsOfFiles(Table!.StorageDescriptor!.Location!);
    assert.deepEqual(
      found?.map(({ id, name }) => [Number(id), name]).sort(([a], [b]) => Number(a) - Number(b)) ?? [],
      found === undefined ? [] : rows.map(({ id, name }) => [id, name]),
      'another reader of Parquet finds the same in the files of the log',
    );
    await refusedWith(
      firehose.send(new PutDirectCommand({ DeliveryStreamName, Record: { Data: Buffer.from('{}') } })),
      'InvalidArgumentException',
    );
    const { DeliveryStreamDescription } = await firehose.send(
      new DescribeDeliveryStreamCommand({ DeliveryStreamName }),
    );
    assert.equal(DeliveryStreamDescription?.Source?.KinesisStreamSourceDescription?.RoleARN, ROLE);
    await firehose.send(new DeleteDeliveryStreamCommand({ DeliveryStreamName }));
    await refusedWith(
      firehose.send(new DescribeDeliveryStreamCommand({ DeliveryStreamName })),
      'ResourceNotFoundException',
    );
  });

  test('direct puts are delivered; a delivery is described, listed, changed', async () => {
    const { firehose } = clients;
    const table = await createTable();
    const DeliveryStreamName = freshName('direct').slice(0, 64);
    const create = () =>
      firehose.send(
        new CreateDeliveryStreamCommand({
          DeliveryStreamName,
          ExtendedS3DestinationConfiguration: destination(table),
        }),
      );
    await create();
    await refusedWith(create(), 'ResourceInUseException');
    const put = await firehose.send(
      new PutDirectCommand({
        DeliveryStreamName,
        Record: { Data: Buffer.from('{"id":1,"name":"a","price":1}') },
      }),
    );
    assert.ok(put.RecordId);
    const batch = await firehose.send(
      new PutRecordBatchCommand({
        DeliveryStreamName,
        Records: [2, 3].map((id) => ({ Data: Buffer.from(`{"id":${id},"name":"b","price":2.5}`) })),
      }),
    );
    assert.equal(batch.FailedPutCount, 0);
    assert.equal(new Set(batch.RequestResponses?.map(({ RecordId }) => RecordId)).size, 2);
    await rowsAppear(table, [
      ['1', 'a', '1.00'],
      ['2', 'b', '2.50'],
      ['3', 'b', '2.50'],
    ]);

    const describe = async () =>
      (await firehose.send(new DescribeDeliveryStreamCommand({ DeliveryStreamName })))
        .DeliveryStreamDescription!;
    const described = await describe();
    assert.equal(described.DeliveryStreamStatus, 'ACTIVE');
    assert.equal(described.DeliveryStreamType, 'DirectPut');
    const found = described.Destinations?.[0]?.ExtendedS3DestinationDescription;
    assert.equal(found?.BucketARN, 'arn:aws:s3:::lake');
    assert.deepEqual(found.BufferingHints, { IntervalInSeconds: 0, SizeInMBs: 64 });
    assert.equal(found.DataFormatConversionConfiguration?.SchemaConfiguration?.TableName, table);

    const update = (CurrentDeliveryStreamVersionId: string) =>
      firehose.send(
        new UpdateDestinationCommand({
          DeliveryStreamName,
          CurrentDeliveryStreamVersionId,
          DestinationId: described.Destinations![0]!.DestinationId,
          ExtendedS3DestinationUpdate: { BufferingHints: { IntervalInSeconds: 1 } },
        }),
      );
    await update(described.VersionId!);
    const changed = await describe();
    assert.notEqual(changed.VersionId, described.VersionId);
    assert.deepEqual(changed.Destinations?.[0]?.ExtendedS3DestinationDescription?.BufferingHints, {
      IntervalInSeconds: 1,
      SizeInMBs: 64,
    });
    await refusedWith(update(described.VersionId!), 'ConcurrentModificationException');

    const listed = await firehose.send(
      new ListDeliveryStreamsCommand({ DeliveryStreamType: 'DirectPut', Limit: 100 }),
    );
    assert.ok(listed.DeliveryStreamNames?.includes(DeliveryStreamName));
    await refusedWith(
      firehose.send(new ListTagsForDeliveryStreamCommand({ DeliveryStreamName })),
      'InvalidArgumentException',
      /not supported/,
    );
  });

  test('a delivery that asks for more than there is, is refused', async () => {
    const { firehose } = clients;
    const table = await createTable();
    const refused = (changes: object, message: RegExp) =>
      refusedWith(
        firehose.send(
          new CreateDeliveryStreamCommand({
            DeliveryStreamName: freshName('no').slice(0, 64),
            ExtendedS3DestinationConfiguration: { ...destination(table), ...changes },
          }),
        ),
        'InvalidArgumentException',
        message,
      );
    await refused({ Prefix: 'a/' }, /Prefix of CreateDeliveryStream is not supported/);
    await refused({ CompressionFormat: 'GZIP' }, /must be UNCOMPRESSED/);
    await refused({ ProcessingConfiguration: { Enabled: true } }, /ProcessingConfiguration/);
    await refused({ S3BackupMode: 'Enabled' }, /S3BackupMode/);
    await refused({ CloudWatchLoggingOptions: { Enabled: true } }, /CloudWatch/);
    await refused({ DataFormatConversionConfiguration: undefined }, /without format conversion/);
    await refusedWith(
      firehose.send(
        new CreateDeliveryStreamCommand({
          DeliveryStreamName: freshName('no').slice(0, 64),
          ExtendedS3DestinationConfiguration: destination('absent'),
        }),
      ),
      'InvalidArgumentException',
    );
  });

  test('queries: typed columns, pages with the header once, NULL, statistics', async () => {
    const { athena } = clients;
    const execution = await run(
      'select cast(i as bigint) as big, cast(i as varchar) as "text", cast(i as decimal(10,2)) as dec, case when i = 1 then null else true end as flag from (values (1), (2), (3), (4), (5)) as t(i) order by 1',
    );
    assert.equal(execution.Status?.State, 'SUCCEEDED', execution.Status?.StateChangeReason ?? '');
    assert.equal(execution.StatementType, 'DML');
    assert.equal(execution.WorkGroup, 'primary');
    assert.ok(execution.Statistics?.TotalExecutionTimeInMillis !== undefined);
    assert.ok(execution.Status.CompletionDateTime! >= execution.Status.SubmissionDateTime!);
    const rows: (string | undefined)[][] = [];
    let NextToken: string | undefined;
    let pages = 0;
    do {
      const page = await athena.send(
        new GetQueryResultsCommand({
          QueryExecutionId: execution.QueryExecutionId,
          MaxResults: 2,
          NextToken,
        }),
      );
      assert.ok(page.ResultSet!.Rows!.length <= 2);
      rows.push(
        ...page.ResultSet!.Rows!.map(({ Data = [] }) => Data.map(({ VarCharValue }) => VarCharValue)),
      );
      const columns = page.ResultSet!.ResultSetMetadata!.ColumnInfo!;
      assert.deepEqual(
        columns.map(({ Name, Type }) => [Name, Type]),
        [
          ['big', 'bigint'],
          ['text', 'varchar'],
          ['dec', 'decimal'],
          ['flag', 'boolean'],
        ],
      );
      assert.deepEqual([columns[2]!.Precision, columns[2]!.Scale], [10, 2]);
      ({ NextToken } = page);
      pages++;
    } while (NextToken !== undefined);
    assert.ok(pages >= 3);
    assert.deepEqual(rows, [
      ['big', 'text', 'dec', 'flag'],
      ['1', '1', '1.00', undefined],
      ...[2, 3, 4, 5].map((i) => [`${i}`, `${i}`, `${i}.00`, 'true']),
    ]);
  });

  test('a page of the header alone is followed by the rows', async () => {
    const { athena } = clients;
    const { QueryExecutionId } = await run('select 7 as seven');
    const header = await athena.send(new GetQueryResultsCommand({ QueryExecutionId, MaxResults: 1 }));
    assert.deepEqual(
      header.ResultSet?.Rows?.map(({ Data }) => Data?.[0]?.VarCharValue),
      ['seven'],
    );
    const rest = await athena.send(
      new GetQueryResultsCommand({ QueryExecutionId, MaxResults: 1, NextToken: header.NextToken }),
    );
    assert.deepEqual(
      rest.ResultSet?.Rows?.map(({ Data }) => Data?.[0]?.VarCharValue),
      ['7'],
    );
  });

  test('executions: failed, stopped, listed, fetched together, repeated by token', async () => {
    const { athena } = clients;
    const failed = await run('select * from no_such_table');
    assert.equal(failed.Status?.State, 'FAILED');
    assert.match(failed.Status.StateChangeReason ?? '', /no_such_table/);
    await refusedWith(
      athena.send(new GetQueryResultsCommand({ QueryExecutionId: failed.QueryExecutionId })),
      'InvalidRequestException',
      /^Query did not finish successfully\. Final query state: FAILED/,
    );
    const ClientRequestToken = freshName('token').padEnd(32, '0');
    const start = () =>
      athena.send(new StartQueryExecutionCommand({ QueryString: 'select 1', ClientRequestToken }));
    const first = await start();
    assert.equal((await start()).QueryExecutionId, first.QueryExecutionId);

    const long = await athena.send(
      new StartQueryExecutionCommand({
        QueryString: LONG_QUERY,
      }),
    );
    const reaches = (wanted: string) =>
      eventually(async () => {
        const { QueryExecution } = await athena.send(
          new GetQueryExecutionCommand({ QueryExecutionId: long.QueryExecutionId }),
        );
        return QueryExecution?.Status?.State === wanted ? true : undefined;
      }, `the long query is ${wanted}`);
    await reaches('RUNNING');
    await athena.send(new StopQueryExecutionCommand({ QueryExecutionId: long.QueryExecutionId }));
    await reaches('CANCELLED');

    const listed = await athena.send(new ListQueryExecutionsCommand({ MaxResults: 2 }));
    assert.equal(listed.QueryExecutionIds?.length, 2);
    const more = await athena.send(
      new ListQueryExecutionsCommand({ MaxResults: 2, NextToken: listed.NextToken }),
    );
    assert.ok(!more.QueryExecutionIds?.includes(listed.QueryExecutionIds[0]!));
    const together = await athena.send(
      new BatchGetQueryExecutionCommand({ QueryExecutionIds: [first.QueryExecutionId!, 'absent'] }),
    );
    assert.deepEqual(
      together.QueryExecutions?.map(({ QueryExecutionId }) => QueryExecutionId),
      [first.QueryExecutionId],
    );
    assert.deepEqual(
      together.UnprocessedQueryExecutionIds?.map(({ QueryExecutionId }) => QueryExecutionId),
      ['absent'],
    );
    await refusedWith(
      athena.send(new GetQueryExecutionCommand({ QueryExecutionId: 'absent' })),
      'InvalidRequestException',
    );
    await refusedWith(
      athena.send(new StartQueryExecutionCommand({ QueryString: 'select 1', WorkGroup: 'other' })),
      'InvalidRequestException',
      /WorkGroup other is not found/,
    );
    await refusedWith(
      athena.send(
        new StartQueryExecutionCommand({
          QueryString: 'select 1',
          ResultConfiguration: { OutputLocation: 's3://a/' },
        }),
      ),
      'InvalidRequestException',
      /OutputLocation/,
    );
  });
});
