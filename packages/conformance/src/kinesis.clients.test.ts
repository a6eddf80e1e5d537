/** Programs in other languages, written with the AWS SDKs that people use there, against Kinesis. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { cached, call, CLIENTS, environmentOf, toolsAbsent, watchFor } from './client-tools.ts';
import { freshName, openTarget } from './target.ts';

suite('Kinesis with the SDKs of other languages', () => {
  let target: Awaited<ReturnType<typeof openTarget>>;
  before(async () => (target = await openTarget()));
  after(() => target.stop());

  suite('Java', { skip: toolsAbsent(['java', '-version'], ['mvn', '-version']) }, () => {
    const program = join(CLIENTS, 'java');
    /** Whether it spoke CBOR. */
    const start = async (...settings: string[]): Promise<boolean> => {
      const directory = await cached('java', [join(program, 'pom.xml')], async (to) => {
        const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';
        await call('mvn', ['-q', '-B', plugin, `-DoutputDirectory=${to}`], { cwd: program });
      });
      const wire = await watchFor('application/x-amz-cbor-1.1', target);
      try {
        const source = join(program, 'KinesisSmoke.java');
        const output = await call('java', [...settings, '-cp', join(directory, '*'), source, wire.url], {
          env: environmentOf(target),
        });
        assert.match(output, /^ok$/m);
        return wire.seen();
      } finally {
        wire.close();
      }
    };
    test('SDK v2 over CBOR, HTTP/1.1 and HTTP/2, push included', async () => {
      assert.equal(await start(), true, 'the SDK speaks CBOR');
    });
    test('SDK v2 over JSON', async () => {
      assert.equal(await start('-Daws.cborEnabled=false'), false, 'the SDK speaks JSON');
    });
  });

  test('Go SDK v2', { skip: toolsAbsent(['go', 'version']) }, async () => {
    const program = join(CLIENTS, 'go');
    const sources = ['go.mod', 'go.sum', 'main.go'].map((file) => join(program, file));
    const directory = await cached('go', sources, async (to) => {
      await call('go', ['build', '-o', join(to, 'smoke'), '.'], { cwd: program });
    });
    const output = await call(join(directory, 'smoke'), [target.url], { env: environmentOf(target) });
    assert.match(output, /^ok$/m);
  });

  suite('Python', { skip: toolsAbsent(['python3', '-m', 'venv', '--help']) }, () => {
    const program = join(CLIENTS, 'python');
    const venv = () => {
      const requirements = join(program, 'requirements.txt');
      return cached('python', [requirements], async (to) => {
        await call('python3', ['-m', 'venv', to]);
        await call(join(to, 'bin/pip'), ['install', '-q', '-r', requirements]);
      });
    };
    test('boto3', async () => {
      const python = join(await venv(), 'bin/python');
      const output = await call(python, [join(program, 'kinesis_smoke.py'), target.url], {
        env: environmentOf(target),
      });
      assert.match(output, /^ok$/m);
    });
    test('the AWS CLI', async () => {
      const aws = join(await venv(), 'bin/aws');
      const kinesis = async (...args: string[]): Promise<Record<string, unknown>> => {
        const output = await call(
          aws,
          ['kinesis', ...args, '--output', 'json', '--endpoint-url', target.url],
          {
            env: environmentOf(target),
          },
        );
        return (output.trim() === '' ? {} : JSON.parse(output)) as Record<string, unknown>;
      };
      const name = freshName('cli');
      const stream = ['--stream-name', name];
      await kinesis('create-stream', ...stream, '--shard-count', '2');
      await kinesis('wait', 'stream-exists', ...stream);
      await kinesis(
        'put-record',
        ...stream,
        '--partition-key',
        'k',
        '--data',
        'hello',
        '--explicit-hash-key',
        '0',
      );
      const { ShardIterator: iterator } = await kinesis(
        'get-shard-iterator',
        ...stream,
        '--shard-id',
        'shardId-000000000000',
        '--shard-iterator-type',
        'TRIM_HORIZON',
      );
      const { Records: records } = await kinesis('get-records', '--shard-iterator', String(iterator));
      assert.equal((records as { Data: string }[])[0]?.Data, Buffer.from('hello').toString('base64'));
      await kinesis(
        'update-shard-count',
        ...stream,
        '--target-shard-count',
        '4',
        '--scaling-type',
        'UNIFORM_SCALING',
      );
      await kinesis('wait', 'stream-exists', ...stream);
      const { Shards: shards } = await kinesis('list-shards', ...stream, '--shard-filter', 'Type=AT_LATEST');
      assert.equal((shards as unknown[]).length, 4);
      await assert.rejects(
        kinesis('describe-stream', '--stream-name', freshName('absent')),
        /\(ResourceNotFoundException\) when calling the DescribeStream operation: Stream \S+ under account \d{12} not found\./,
      );
      await kinesis('delete-stream', ...stream);
    });
  });
});
