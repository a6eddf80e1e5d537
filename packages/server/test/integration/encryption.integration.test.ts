/** An encrypted stream of a real server: over a kill, without its passphrase and without its file of keys. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  PutRecordCommand,
  StartStreamEncryptionCommand,
} from '@aws-sdk/client-kinesis';
import { startSluice } from '../sluice-process.ts';

const PASSPHRASE = 'SLUICE_MASTER_KEY_PASSPHRASE';
const SECRET = 'the-ships-sail-at-dawn';

function clientOf(url: string) {
  const client = new KinesisClient({
    endpoint: url,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
  return {
    client,
    put: (StreamName: string) =>
      client.send(new PutRecordCommand({ StreamName, PartitionKey: 'k', Data: Buffer.from(SECRET) })),
    async read(StreamName: string) {
      const { ShardIterator } = await client.send(
        new GetShardIteratorCommand({
          StreamName,
          ShardId: 'shardId-000000000000',
          ShardIteratorType: 'TRIM_HORIZON',
        }),
      );
      const { Records: records } = await client.send(new GetRecordsCommand({ ShardIterator }));
      return records!.map(({ Data: data }) => Buffer.from(data!).toString());
    },
  };
}

async function serving(data: string, passphrase: string | undefined) {
  if (passphrase === undefined) delete process.env[PASSPHRASE];
  else process.env[PASSPHRASE] = passphrase;
  const server = await startSluice(data, '--dev');
  return { server, ...clientOf(server.url) };
}

test('an encrypted stream is in the clear for its readers only, and a missing key is its own trouble', async () => {
  const data = mkdtempSync(join(tmpdir(), 'sluice-encryption-'));
  try {
    let kinesis = await serving(data, undefined);
    for (const StreamName of ['secret', 'other'])
      await kinesis.client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
    const KeyId = 'alias/aws/kinesis';
    await kinesis.client.send(
      new StartStreamEncryptionCommand({ StreamName: 'secret', EncryptionType: 'KMS', KeyId }),
    );
    await kinesis.put('secret');
    await kinesis.server.kill();
    const keyFile = join(data, 'master-keys.json');
    assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' }))
      if (statSync(join(data, name)).isFile())
        assert.equal(readFileSync(join(data, name)).includes(SECRET), false, name);

    kinesis = await serving(data, 'open sesame');
    assert.deepEqual(await kinesis.read('secret'), [SECRET]);
    assert.match(readFileSync(keyFile, 'utf8'), /"kind": "scrypt"/);
    await kinesis.server.stop();

    for (const [passphrase, hide, name, message] of [
      [undefined, false, 'KMSInvalidStateException', /"secret".*none was given/],
      ['open barley', false, 'KMSInvalidStateException', /"secret".*passphrase/],
      ['open sesame', true, 'KMSNotFoundException', /"secret".*there is no master key/],
    ] as const) {
      if (hide) renameSync(keyFile, `${keyFile}.away`);
      kinesis = await serving(data, passphrase);
      await assert.rejects(kinesis.read('secret'), { name, message });
      await assert.rejects(kinesis.put('secret'), { name, message });
      await kinesis.put('other');
      await kinesis.server.stop();
      if (hide) renameSync(`${keyFile}.away`, keyFile);
    }
    kinesis = await serving(data, 'open sesame');
    assert.deepEqual(await kinesis.read('secret'), [SECRET]);
    assert.deepEqual(await kinesis.read('other'), [SECRET, SECRET, SECRET]);
    await kinesis.server.stop();
  } finally {
    delete process.env[PASSPHRASE];
    rmSync(data, { recursive: true });
  }
});
