import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadAgentConfig } from './config.ts';
import { targetOf } from './target.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-agent-config-'));
after(() => rmSync(directory, { recursive: true }));

function load(value: unknown) {
  const path = join(directory, 'agent.json');
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return loadAgentConfig(path);
}
const flow = { filePattern: '/var/log/app.log*', kinesisStream: 'logs' };
const processed = (option: object) => ({
  ...flow,
  dataProcessingOptions: [{ optionName: 'CSVTOJSON', customFieldNames: ['a', 'b'], ...option }],
});
const logged = (option: object) => ({
  ...flow,
  dataProcessingOptions: [{ optionName: 'LOGTOJSON', logFormat: 'SYSLOG', ...option }],
});

test('the file that the Kinesis Agent comes with is taken, but for its metrics', () => {
  const theirs = {
    'cloudwatch.emitMetrics': true,
    'kinesis.endpoint': '',
    'firehose.endpoint': '',
    flows: [
      { filePattern: '/tmp/app.log*', kinesisStream: 'yourkinesisstream', partitionKeyOption: 'RANDOM' },
      { filePattern: '/tmp/app.log*', deliveryStream: 'yourdeliverystream' },
    ],
  };
  assert.throws(() => load(theirs), { exitCode: 2, message: /cloudwatch\.emitMetrics/s });
  const { flows } = load({ ...theirs, 'cloudwatch.emitMetrics': false });
  assert.deepEqual(
    flows.map((each) => [each.kinesisStream, each.deliveryStream, each.initialPosition]),
    [
      ['yourkinesisstream', undefined, 'END_OF_FILE'],
      [undefined, 'yourdeliverystream', 'END_OF_FILE'],
    ],
  );
});

test('what is unknown, missing or wrong is refused with the file and the place', () => {
  const cases: readonly (readonly [unknown, RegExp])[] = [
    ['{', /agent\.json can't be read/],
    [{ flows: [] }, /flows/],
    [{ flows: [{ ...flow, fileFooterPattern: 'x' }] }, /fileFooterPattern.*flows\[0\]/s],
    [{ flows: [flow], 'log.level': 'DEBUG' }, /log\.level/],
    [{ flows: [{ filePattern: '/a' }] }, /one of kinesisStream and deliveryStream/],
    [{ flows: [{ ...flow, deliveryStream: 'd' }] }, /one of kinesisStream and deliveryStream/],
    [{ flows: [{ ...flow, multiLineStartPattern: '[' }] }, /multiLineStartPattern/],
    [{ flows: [{ ...flow, initialPosition: 'START' }] }, /initialPosition/],
    [{ flows: [{ ...flow, dataProcessingOptions: [{ optionName: 'GZIP' }] }] }, /dataProcessingOptions\[0\]/],
    [{ flows: [{ ...flow, dataProcessingOptions: [{ optionName: 'CSVTOJSON' }] }] }, /customFieldNames/],
    [{ flows: [processed({ delimiter: '\\s+' })] }, /stands for a single text/],
    [{ flows: [processed({ delimiter: '[;,]' })] }, /stands for a single text/],
    [{ flows: [logged({ matchPattern: '(.*)' })] }, /required with matchPattern/],
    [{ flows: [logged({ matchPattern: '(a)(b)', customFieldNames: ['a'] })] }, /1 names for the 2 fields/],
    [{ flows: [logged({ customFieldNames: ['a'] })] }, /1 names for the 5 fields of SYSLOG/],
    [{ flows: [flow, flow] }, /two flows read/],
  ];
  for (const [value, message] of cases) assert.throws(() => load(value), { exitCode: 2, message });
});

test('patterns and the checkpoint file are relative to the configuration', () => {
  const { flows, checkpointFile } = load({
    flows: [{ ...flow, filePattern: 'logs/' }],
    checkpointFile: 'at.json',
  });
  assert.equal(flows[0]!.filePattern, `${join(directory, 'logs')}/`);
  assert.equal(checkpointFile, join(directory, 'at.json'));
});

test('where it sends to: the command line, the file, the environment, AWS', () => {
  const config = load({ flows: [flow], 'kinesis.endpoint': 'kinesis.eu-west-1.amazonaws.com' });
  const flags = { endpoint: 'http://127.0.0.1:1' };
  assert.equal(targetOf('kinesis', config, flags, {}).shown, 'http://127.0.0.1:1');
  const aws = targetOf('kinesis', config, {}, {});
  assert.deepEqual(aws.settings, {
    endpoint: 'https://kinesis.eu-west-1.amazonaws.com',
    region: 'eu-west-1',
  });
  const bare = load({ flows: [flow] });
  const environment = {
    AWS_ENDPOINT_URL: 'http://127.0.0.1:2',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 's',
  };
  const near = targetOf('kinesis', bare, {}, environment);
  assert.deepEqual(near.settings.credentials, { accessKeyId: 'a', secretAccessKey: 's' });
  assert.equal(near.shown, 'http://127.0.0.1:2');
  const region = load({ flows: [flow], 'kinesis.region': 'us-west-2' });
  assert.equal(targetOf('kinesis', region, {}, {}).shown, 'AWS in us-west-2');
});
