import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  DescribeStreamCommand,
  DescribeStreamSummaryCommand,
  PutRecordCommand,
  PutRecordsCommand,
  StartStreamEncryptionCommand,
  StopStreamEncryptionCommand,
} from '@aws-sdk/client-kinesis';
import { createMemoryKeys } from '../../modules/streams/testing/memory-keys.ts';
import { openKinesis, type Kinesis } from './testing/open-kinesis.ts';

const keys = createMemoryKeys();
let kinesis: Kinesis;
before(async () => (kinesis = await openKinesis({ keys })));
after(() => kinesis.close());

const refused = (work: Promise<unknown>, name: string, message: RegExp) =>
  assert.rejects(work, { name, message });
const start = (name: string, KeyId: string) =>
  kinesis.client.send(new StartStreamEncryptionCommand({ StreamName: name, EncryptionType: 'KMS', KeyId }));
const stop = (name: string, KeyId: string) =>
  kinesis.client.send(new StopStreamEncryptionCommand({ StreamName: name, EncryptionType: 'KMS', KeyId }));

async function described(name: string) {
  const { StreamDescription: whole } = await kinesis.client.send(
    new DescribeStreamCommand({ StreamName: name }),
  );
  const { StreamDescriptionSummary: summary } = await kinesis.client.send(
    new DescribeStreamSummaryCommand({ StreamName: name }),
  );
  assert.deepEqual([whole!.EncryptionType, whole!.KeyId], [summary!.EncryptionType, summary!.KeyId]);
  return [whole!.EncryptionType, whole!.KeyId];
}

test('an encrypted stream says so where AWS does, and one that is stopped no more', async () => {
  await kinesis.create('e');
  assert.deepEqual(await described('e'), ['NONE', undefined]);
  const put = () =>
    kinesis.client.send(
      new PutRecordCommand({ StreamName: 'e', PartitionKey: 'k', Data: Buffer.from('one') }),
    );
  const putMany = () =>
    kinesis.client.send(
      new PutRecordsCommand({ StreamName: 'e', Records: [{ PartitionKey: 'k', Data: Buffer.from('two') }] }),
    );
  const types = async () => [(await put()).EncryptionType, (await putMany()).EncryptionType];
  assert.deepEqual(await types(), [undefined, undefined]);
  await start('e', 'alias/aws/kinesis');
  assert.deepEqual(await described('e'), ['KMS', 'alias/aws/kinesis']);
  assert.deepEqual(await types(), ['KMS', 'KMS']);
  await stop('e', 'alias/aws/kinesis');
  assert.deepEqual(await described('e'), ['NONE', undefined]);
  assert.deepEqual(await types(), [undefined, undefined]);
  const { Records: records } = await kinesis.get(await kinesis.iterator('e'));
  assert.deepEqual(
    records!.map(({ Data: data, EncryptionType: type }) => [Buffer.from(data!).toString(), type]),
    [undefined, 'KMS', undefined].flatMap((type) => [
      ['one', type],
      ['two', type],
    ]),
  );
});

test('a key is named by its alias, its id or the ARN of either', async () => {
  await kinesis.create('forms');
  const { id } = await keys.describe('alias/mine');
  const arn = 'arn:aws:kms:eu-central-1:000000000000';
  for (const name of ['alias/mine', id, `${arn}:key/${id}`, `${arn}:alias/mine`]) {
    await start('forms', name);
    assert.deepEqual(await described('forms'), ['KMS', name]);
    assert.equal(kinesis.streams.describe('forms').settings.encryption?.masterKeyId, id);
    await kinesis.put('forms', name);
  }
  assert.equal((await kinesis.read('forms')).length, 4);
});

test('what is not there or not allowed is refused in the words of AWS', async () => {
  await kinesis.create('errors');
  const id = '11111111-2222-4333-8444-555555555555';
  await refused(start('errors', id), 'KMSNotFoundException', new RegExp(id));
  await refused(
    start('errors', `arn:aws:kms:eu-central-1:999999999999:key/${id}`),
    'KMSNotFoundException',
    /another account/,
  );
  await refused(start('errors', 'alias/aws/s3'), 'KMSNotFoundException', /reserved/);
  await refused(start('errors', 'arn:aws:s3:::bucket'), 'InvalidArgumentException', /not the ARN of a key/);
  await refused(start('none', 'alias/aws/kinesis'), 'ResourceNotFoundException', /Stream none under account/);
  await refused(stop('none', 'alias/aws/kinesis'), 'ResourceNotFoundException', /Stream none under account/);
  await refused(
    kinesis.client.send(
      new StartStreamEncryptionCommand({
        StreamName: 'errors',
        EncryptionType: 'NONE',
        KeyId: 'alias/aws/kinesis',
      }),
    ),
    'InvalidArgumentException',
    /EncryptionType must be KMS/,
  );
  assert.deepEqual(await described('errors'), ['NONE', undefined]);
});
