import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GlueClient } from '@aws-sdk/client-glue';
import { KinesisClient, PutRecordCommand } from '@aws-sdk/client-kinesis';
import { createSigV4 } from './index.ts';
import { PRINCIPAL, startTestServer, testClock } from './testing/fixture.ts';

const ACCESS_KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};
const identity = {
  secretOf: (id: string) =>
    id === ACCESS_KEY.accessKeyId ? { ...ACCESS_KEY, principal: PRINCIPAL } : undefined,
};
const authenticate = (nowMs?: () => number) => createSigV4({ identity, clock: testClock(nowMs) });

/** The SDK's client for Kinesis speaks HTTP/2, those of other services HTTP/1.1. */
const http1Handler = () => new GlueClient({ region: 'eu-central-1' }).config.requestHandler;

const PUT = { StreamName: 'orders', PartitionKey: 'a', Data: Buffer.from('hello') };

for (const version of ['HTTP/2', 'HTTP/1.1'] as const) {
  const client = (endpoint: string, credentials = ACCESS_KEY) =>
    new KinesisClient({
      endpoint,
      region: 'eu-central-1',
      credentials,
      maxAttempts: 1,
      ...(version === 'HTTP/1.1' ? { requestHandler: http1Handler() } : {}),
    });

  test(`the SDK's signature is taken over ${version}`, async () => {
    const server = await startTestServer({ authenticate: authenticate() });
    const kinesis = client(server.url);
    try {
      const answer = await kinesis.send(new PutRecordCommand(PUT));
      assert.equal(answer.SequenceNumber, '1');
      assert.match(answer.$metadata.requestId ?? '', /^[0-9a-f-]{36}$/);
      assert.match(answer.$metadata.extendedRequestId ?? '', /^[A-Za-z0-9+/]{76}$/);
    } finally {
      kinesis.destroy();
      await server.close();
    }
  });

  test(`a wrong secret, an unknown key and a skewed clock are refused over ${version}`, async () => {
    let skewMs = 0;
    const server = await startTestServer({ authenticate: authenticate(() => Date.now() + skewMs) });
    const refusal = async (credentials: typeof ACCESS_KEY) => {
      const kinesis = client(server.url, credentials);
      try {
        await kinesis.send(new PutRecordCommand(PUT));
        return undefined;
      } catch (error) {
        return error as Error;
      } finally {
        kinesis.destroy();
      }
    };
    try {
      assert.equal(await refusal(ACCESS_KEY), undefined);
      const wrong = await refusal({ ...ACCESS_KEY, secretAccessKey: 'wrong' });
      assert.equal(wrong?.name, 'InvalidSignatureException');
      assert.match(wrong?.message ?? '', /^The request signature we calculated does not match/);
      const unknown = await refusal({ ...ACCESS_KEY, accessKeyId: 'AKIAUNKNOWN' });
      assert.equal(unknown?.name, 'UnrecognizedClientException');
      const session = await refusal({ ...ACCESS_KEY, sessionToken: 'token' } as typeof ACCESS_KEY);
      assert.equal(session?.name, 'UnrecognizedClientException');
      skewMs = 16 * 60_000;
      assert.match(
        (await refusal(ACCESS_KEY))?.message ?? '',
        /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)$/,
      );
      skewMs = -16 * 60_000;
      assert.match(
        (await refusal(ACCESS_KEY))?.message ?? '',
        /^Signature not yet current: \d{8}T\d{6}Z is still later than \d{8}T\d{6}Z \(\d{8}T\d{6}Z \+ 15 min\.\)$/,
      );
    } finally {
      await server.close();
    }
  });
}
