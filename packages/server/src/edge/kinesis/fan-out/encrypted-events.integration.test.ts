/** SubscribeToShard of encrypted streams: what records say of it, and keys that can't be used. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { PlatformError } from '../../../base/errors.ts';
import type { KeyErrorCode } from '../../../ports/key-service.ts';
import { createMemoryKeys } from '../../../modules/streams/testing/memory-keys.ts';
import { decodeCbor, encodeCbor } from '../../aws-cbor/index.ts';
import { list, string, structure } from '../../aws-json/index.ts';
import { openKinesis, SHARD, type Kinesis } from '../testing/open-kinesis.ts';
import { messagesOf, plainSubscribe, readOn, register, subscribe } from './testing/subscriber.ts';

const MASTER = { key: 'alias/aws/kinesis', named: 'alias/aws/kinesis' };
/** Every read is of a file, and decrypts it. */
const NOTHING_KEPT = { tailBytesMax: 0, readCacheBytesMax: 0 };

const EVENT = structure({ Records: list(structure({ EncryptionType: string() })) });

let kinesis: Kinesis | undefined;
afterEach(async () => {
  readOn();
  await kinesis?.close();
  kinesis = undefined;
});

for (const contentType of ['application/x-amz-json-1.1', 'application/x-amz-cbor-1.1'])
  test(`records say that they are encrypted, and only they, in ${contentType}`, async () => {
    kinesis = await openKinesis({ keys: createMemoryKeys() });
    await kinesis.create('s');
    const ConsumerARN = await register(kinesis, 's', 'app');
    await kinesis.put('s', 'clear');
    await kinesis.streams.startEncryption('s', MASTER);
    await kinesis.put('s', 'secret');
    await kinesis.put('s', 'secret too', 'schlüssel "1"');
    await kinesis.streams.stopEncryption('s');
    await kinesis.put('s', 'clear again');
    const types = [undefined, 'KMS', 'KMS', undefined];
    if (contentType.includes('json')) {
      const app = await subscribe(kinesis.client, ConsumerARN);
      const { Records } = (await app.next())!;
      assert.deepEqual(
        Records!.map((record) => record.EncryptionType),
        types,
      );
      const { Records: got } = await kinesis.get(await kinesis.iterator('s'));
      assert.deepEqual(Records, got);
      return;
    }
    const input = Buffer.from(
      encodeCbor(
        { ConsumerARN, ShardId: SHARD, StartingPosition: { Type: 'TRIM_HORIZON' } },
        { timestampMembers: new Set(), timestampsPerSecond: 1000 },
      ),
    );
    const { status, stream, close } = await plainSubscribe(kinesis.port, input, { contentType });
    assert.equal(status, 200);
    const messages = messagesOf(stream);
    await messages.next();
    const { value } = await messages.next();
    close();
    const event = decodeCbor(value!.body, EVENT, { timestampsPerSecond: 1000 }).value as {
      Records: { EncryptionType?: string }[];
    };
    assert.deepEqual(
      event.Records.map((record) => record.EncryptionType),
      types,
    );
  });

const REFUSALS: readonly (readonly [KeyErrorCode, string])[] = [
  ['key-not-found', 'KMSNotFoundException'],
  ['key-disabled', 'KMSDisabledException'],
  ['key-unusable', 'KMSInvalidStateException'],
];

for (const [code, exception] of REFUSALS)
  test(`a subscription whose key is refused with ${code} ends with ${exception}`, async () => {
    const keys = createMemoryKeys();
    kinesis = await openKinesis({
      keys: {
        describe: (name) => keys.describe(name),
        generate: (id, context) => keys.generate(id, context),
        unwrap: () => Promise.reject(new PlatformError({ code, message: 'not this key' })),
      },
      streamsLimits: NOTHING_KEPT,
    });
    await kinesis.create('s');
    const ConsumerARN = await register(kinesis, 's', 'app');
    await kinesis.streams.startEncryption('s', MASTER);
    await kinesis.put('s', 'secret');
    const app = await subscribe(kinesis.client, ConsumerARN);
    await assert.rejects(app.next(), (error: Error) => {
      assert.equal(error.name, exception);
      assert.match(error.message, /the stream "s" needs the master key .*: not this key/);
      return true;
    });
  });
