/** A program with the AWS SDK for Java 1.x, which many still have. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { call, environmentOf, watchFor } from './client-tools.ts';
import { javaAbsent, javaProgram } from './java-programs.ts';
import { startSluice, type StartedSluice } from './start-sluice.ts';

const absent = await javaAbsent('java-v1');

suite('Kinesis with the AWS SDK for Java 1.x', { skip: absent }, () => {
  let target: StartedSluice;
  /** Holds shards to the quotas of AWS. */
  let limited: StartedSluice;
  let classPath: string;
  before(async () => {
    classPath = await javaProgram('java-v1', 'KinesisV1Smoke');
    target = await startSluice();
    limited = await startSluice({ arguments: ['--dev'], environment: { SLUICE_LIMITS: 'aws' } });
  });
  after(async () => {
    await target?.stop();
    await limited?.stop();
  });

  /** Whether it spoke CBOR. */
  const run = async (...settings: string[]): Promise<boolean> => {
    const wire = await watchFor('application/x-amz-cbor-1.1', target);
    try {
      const args = [...settings, '-cp', classPath, 'KinesisV1Smoke', wire.url, limited.url];
      assert.match(await call('java', args, { env: environmentOf(target) }), /^ok$/m);
      return wire.seen();
    } finally {
      wire.close();
    }
  };
  test('over CBOR: puts and reads, refusals, retries, a wrong clock, resharding', async () => {
    assert.equal(await run(), true, 'the SDK speaks CBOR');
  });
  test('over JSON', async () => {
    assert.equal(await run('-Dcom.amazonaws.sdk.disableCbor=true'), false, 'the SDK speaks JSON');
  });
});
