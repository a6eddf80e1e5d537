import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProcessor } from './processing.ts';
import type { Processing } from './config.ts';

const COMPACT = { jsonFormat: 'COMPACT' as const };

function processed(text: string, ...options: Processing[]): string {
  const { data, failed } = createProcessor(options)!(Buffer.from(text));
  return failed ? `! ${data.toString()}` : data.toString();
}
const parsed = (text: string, ...options: Processing[]): unknown => JSON.parse(processed(text, ...options));

test('several lines become one', () => {
  assert.equal(processed('a\n  b \n\tc\n', { optionName: 'SINGLELINE' }), 'abc\n');
});

test('columns become members; quoted ones may hold the delimiter, absent ones are null', () => {
  const option = {
    optionName: 'CSVTOJSON' as const,
    customFieldNames: ['a', 'b', 'c'],
    delimiter: ',',
    ...COMPACT,
  };
  assert.equal(processed('1,"x, ""y""",\n', option), '{"a":"1","b":"x, \\"y\\"","c":""}\n');
  assert.deepEqual(parsed('1\n', option), { a: '1', b: null, c: null });
  assert.deepEqual(parsed('1\t2', { ...option, delimiter: '\\t' }), { a: '1', b: '2', c: null });
  assert.deepEqual(parsed('1|2', { ...option, delimiter: '\\|' }), { a: '1', b: '2', c: null });
  assert.equal(processed('"1,2\n', option), '! "1,2\n');
});

test('log lines become members by their layout', () => {
  const log = (logFormat: Extract<Processing, { optionName: 'LOGTOJSON' }>['logFormat']) => ({
    optionName: 'LOGTOJSON' as const,
    logFormat,
    ...COMPACT,
  });
  const common = '64.242.88.10 - frank [07/Mar/2004:16:10:02 -0800] "GET /a?b=\\"c\\" HTTP/1.1" 200 6291';
  const fields = {
    host: '64.242.88.10',
    ident: null,
    authuser: 'frank',
    datetime: '07/Mar/2004:16:10:02 -0800',
    request: 'GET /a?b=\\"c\\" HTTP/1.1',
    response: '200',
    bytes: '6291',
  };
  assert.deepEqual(parsed(`${common}\n`, log('COMMONAPACHELOG')), fields);
  assert.deepEqual(parsed(`${common} "http://x/" "curl/8"\n`, log('COMBINEDAPACHELOG')), {
    ...fields,
    referer: 'http://x/',
    agent: 'curl/8',
  });
  assert.deepEqual(parsed('Mar  7 16:10:02 host sshd[123]: Accepted key\n', log('SYSLOG')), {
    timestamp: 'Mar  7 16:10:02',
    hostname: 'host',
    program: 'sshd',
    processid: '123',
    message: 'Accepted key',
  });
  assert.deepEqual(parsed('2026-01-02T03:04:05.6+01:00 host cron: run\n', log('RFC3339SYSLOG')), {
    timestamp: '2026-01-02T03:04:05.6+01:00',
    hostname: 'host',
    program: 'cron',
    processid: null,
    message: 'run',
  });
  assert.deepEqual(
    parsed(
      '[Fri Sep 09 10:42:29 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187] no file\n',
      log('APACHEERRORLOG'),
    ),
    {
      timestamp: 'Fri Sep 09 10:42:29 2011',
      module: 'core',
      severity: 'error',
      processid: '35708',
      threadid: '4328636416',
      client: '72.15.99.187',
      message: 'no file',
    },
  );
  assert.equal(processed('something else\n', log('SYSLOG')), '! something else\n');
  const own = { ...log('SYSLOG'), matchPattern: '^(\\w+)=(\\w+)$', customFieldNames: ['key', 'value'] };
  assert.deepEqual(parsed('a=b\n', own), { key: 'a', value: 'b' });
  const part = { ...own, matchPattern: '(\\w+)=(\\w+)' };
  assert.equal(processed('a=b!\n', part), '! a=b!\n', 'all of the record has to meet the pattern');
});

test('metadata goes around the record, and options follow one another', () => {
  const metadata = { optionName: 'ADDMETADATA' as const, metadata: { host: 'h' }, ...COMPACT };
  assert.equal(
    processed('a\n b\n', { optionName: 'SINGLELINE' }, metadata),
    '{"metadata":{"host":"h"},"data":"ab"}\n',
  );
});
