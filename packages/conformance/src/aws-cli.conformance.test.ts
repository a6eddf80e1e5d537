import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from './refusal.ts';
import { freshName, openTarget, REGION } from './target.ts';

const run = promisify(execFile);

/** Why the AWS CLI can't be tested here; false when it can. */
function cliAbsent(): string | false {
  try {
    execFileSync('aws', ['--version'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'the AWS CLI does not run on this machine';
  }
}

suite('the AWS CLI', { skip: cliAbsent() }, () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  before(async () => (target = await openTarget()));
  after(() => target.stop());
  const aws = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { stdout } = await run('aws', [...args, '--output', 'json'], {
      env: {
        ...process.env,
        AWS_ENDPOINT_URL: target.url,
        AWS_ACCESS_KEY_ID: target.accessKeyId,
        AWS_SECRET_ACCESS_KEY: target.secretAccessKey,
        AWS_REGION: REGION,
        AWS_DEFAULT_REGION: REGION,
        AWS_PAGER: '',
        AWS_MAX_ATTEMPTS: '1',
      },
    });
    return stdout.trim() === '' ? {} : (JSON.parse(stdout) as Record<string, unknown>);
  };
  const refused = (call: Promise<unknown>, message: RegExp) =>
    assert.rejects(call, (error) => message.test((error as { stderr?: string }).stderr ?? ''));

  test('kinesis: create, put, read', async () => {
    const name = freshName('cli');
    await aws('kinesis', 'create-stream', '--stream-name', name, '--shard-count', '1');
    await aws('kinesis', 'wait', 'stream-exists', '--stream-name', name);
    const data = Buffer.from('hello').toString('base64');
    const put = ['--stream-name', name, '--partition-key', 'k'];
    // Version 1 encodes what it is given, version 2 takes base64.
    await aws('kinesis', 'put-record', ...put, '--data', data);
    const { ShardIterator } = await aws(
      'kinesis',
      'get-shard-iterator',
      '--stream-name',
      name,
      '--shard-id',
      'shardId-000000000000',
      '--shard-iterator-type',
      'TRIM_HORIZON',
    );
    const { Records } = await aws('kinesis', 'get-records', '--shard-iterator', String(ShardIterator));
    const [record] = Records as { Data: string }[];
    assert.ok([data, Buffer.from(data).toString('base64')].includes(record!.Data));
    await refused(
      aws('kinesis', 'describe-stream', '--stream-name', freshName('absent')),
      /An error occurred \(ResourceNotFoundException\) when calling the DescribeStream operation/,
    );
  });

  test('glue, firehose, athena: from a put to an answer', async () => {
    const database = freshName('cli');
    const role = 'arn:aws:iam::000000000000:role/sluice';
    await aws('glue', 'create-database', '--database-input', JSON.stringify({ Name: database }));
    await aws(
      'glue',
      'create-table',
      '--database-name',
      database,
      '--table-input',
      JSON.stringify({
        Name: 't',
        Parameters: { table_type: 'DELTA' },
        StorageDescriptor: { Columns: [{ Name: 'a', Type: 'bigint' }] },
      }),
    );
    const delivery = freshName('cli').slice(0, 64);
    await aws(
      'firehose',
      'create-delivery-stream',
      '--delivery-stream-name',
      delivery,
      '--extended-s3-destination-configuration',
      JSON.stringify({
        RoleARN: role,
        BucketARN: 'arn:aws:s3:::lake',
        BufferingHints: { IntervalInSeconds: 0, SizeInMBs: 64 },
        DataFormatConversionConfiguration: {
          Enabled: true,
          SchemaConfiguration: { DatabaseName: database, TableName: 't', RoleARN: role },
          InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
          OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
        },
      }),
    );
    const major = /aws-cli\/(\d)/.exec((await run('aws', ['--version'])).stdout)?.[1];
    const text = '{"a":42}';
    const data = major === '1' ? text : Buffer.from(text).toString('base64');
    await aws(
      'firehose',
      'put-record',
      '--delivery-stream-name',
      delivery,
      '--record',
      JSON.stringify({ Data: data }),
    );
    const answer = await eventually(async () => {
      const { QueryExecutionId } = await aws(
        'athena',
        'start-query-execution',
        '--query-string',
        'select a from t',
        '--query-execution-context',
        `Database=${database}`,
      );
      const id = String(QueryExecutionId);
      await eventually(async () => {
        const { QueryExecution } = await aws('athena', 'get-query-execution', '--query-execution-id', id);
        const { State } = (QueryExecution as { Status: { State: string } }).Status;
        assert.notEqual(State, 'FAILED');
        return State === 'SUCCEEDED' ? true : undefined;
      }, 'the query succeeds');
      const { ResultSet } = await aws('athena', 'get-query-results', '--query-execution-id', id);
      const { Rows } = ResultSet as { Rows: { Data: { VarCharValue: string }[] }[] };
      return Rows.length > 1 ? Rows.map(({ Data }) => Data[0]?.VarCharValue) : undefined;
    }, 'the row is in the table');
    assert.deepEqual(answer, ['a', '42']);
  });
});
