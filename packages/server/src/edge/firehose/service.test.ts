import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLES } from '../../../../conformance/src/samples.ts';
import { PlatformError } from '../../base/errors.ts';
import type {
  CreateDelivery,
  Delivery,
  DeliveryChange,
  DeliveryDescription,
} from '../../modules/delivery/index.ts';
import { AwsError, type RequestContext } from '../aws-json/index.ts';
import { JSON_1_1 } from '../aws-json/json-wire.ts';
import { createFirehoseService } from './index.ts';

const CONTEXT: RequestContext = {
  principal: { accountId: '000000000000', name: 'root' },
  region: 'eu-west-1',
  requestId: 'request',
  signal: new AbortController().signal,
  wire: JSON_1_1,
};
const SAMPLE = SAMPLES.firehose.operations;

/** Remembers what it is told; delivers nothing. */
function remembering() {
  const made = new Map<string, DeliveryDescription>();
  const puts: (string | Uint8Array)[][] = [];
  const door: Delivery = {
    async create(input: CreateDelivery) {
      const described: DeliveryDescription = {
        ...input,
        id: '1',
        versionId: '1',
        createdMs: 1_500,
        updatedMs: 2_500,
        state: 'ACTIVE',
      };
      made.set(input.name, described);
      return described;
    },
    async describe(name) {
      const found = made.get(name);
      if (found === undefined)
        throw new PlatformError({ code: 'delivery-not-found', message: `no ${name}`, hint: 'Look' });
      return found;
    },
    list: async ({ limit }) => ({ names: [...made.keys()].slice(0, limit), more: made.size > limit }),
    delete: async (name) => void made.delete(name),
    async update(name, change: DeliveryChange) {
      const present = made.get(name)!;
      const next = {
        ...present,
        destination: { ...present.destination, ...change.destination },
        versionId: '2',
      };
      made.set(name, next);
      return next;
    },
    async put(_name, data) {
      puts.push([...data]);
      return data.map((_, at) => `id-${at}`);
    },
    progress: async () => [],
  };
  const service = createFirehoseService({ delivery: door });
  const call = async (name: string, input: object) =>
    (await service.operations[name]!.handle(input as never, CONTEXT)) as Record<string, never>;
  return { call, puts, service, made };
}

test('a delivery is described as it was created, and an update changes what it names alone', async () => {
  const { call, made } = remembering();
  const { DeliveryStreamARN } = await call('CreateDeliveryStream', SAMPLE.CreateDeliveryStream!);
  assert.equal(
    DeliveryStreamARN,
    'arn:aws:firehose:eu-west-1:000000000000:deliverystream/conformance-absent',
  );
  const [created] = [...made.values()];
  assert.deepEqual(created?.source, { kind: 'stream', stream: 'conformance-absent' });
  assert.deepEqual(
    [
      created?.destination.database,
      created?.destination.table,
      created?.destination.bufferingIntervalSeconds,
    ],
    ['conformance_absent', 'absent', 5],
  );
  const name = { DeliveryStreamName: 'conformance-absent' };
  const before = (await call('DescribeDeliveryStream', name))
    .DeliveryStreamDescription as unknown as Described;
  assert.equal(before.CreateTimestamp, 1.5);
  assert.equal(before.Source.KinesisStreamSourceDescription.RoleARN, 'arn:aws:iam::000000000000:role/sluice');
  const extended = before.Destinations[0]!.ExtendedS3DestinationDescription;
  const given = SAMPLE.CreateDeliveryStream!['ExtendedS3DestinationConfiguration'] as Record<string, unknown>;
  for (const [member, value] of Object.entries(given)) assert.deepEqual(extended[member], value, member);

  await call('UpdateDestination', {
    ...name,
    CurrentDeliveryStreamVersionId: '1',
    DestinationId: 'destinationId-000000000001',
    ExtendedS3DestinationUpdate: { BufferingHints: { SizeInMBs: 1 } },
  });
  const after = (await call('DescribeDeliveryStream', name))
    .DeliveryStreamDescription as unknown as Described;
  const changed = after.Destinations[0]!.ExtendedS3DestinationDescription;
  assert.deepEqual(changed['BufferingHints'], { SizeInMBs: 1, IntervalInSeconds: 5 });
  assert.deepEqual({ ...changed, BufferingHints: 0 }, { ...extended, BufferingHints: 0 });
  assert.deepEqual(after.Source, before.Source);
});

interface Described {
  readonly CreateTimestamp: number;
  readonly Source: { readonly KinesisStreamSourceDescription: { readonly RoleARN: string } };
  readonly Destinations: { readonly ExtendedS3DestinationDescription: Record<string, unknown> }[];
}

const conversion = (
  SAMPLE.CreateDeliveryStream!['ExtendedS3DestinationConfiguration'] as Record<string, object>
)['DataFormatConversionConfiguration'] as Record<string, object>;
const openX = (options: object) => ({
  DataFormatConversionConfiguration: {
    ...conversion,
    InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: options } },
  },
});
const schema = (options: object) => ({
  DataFormatConversionConfiguration: {
    ...conversion,
    SchemaConfiguration: { ...conversion['SchemaConfiguration'], ...options },
  },
});
const REFUSED: [object, RegExp][] = [
  [{ CompressionFormat: 'GZIP' }, /CompressionFormat must be UNCOMPRESSED/],
  [{ CloudWatchLoggingOptions: { Enabled: true } }, /CloudWatchLoggingOptions/],
  [{ ProcessingConfiguration: { Enabled: true } }, /ProcessingConfiguration/],
  [{ S3BackupMode: 'Enabled' }, /S3BackupMode/],
  [{ DynamicPartitioningConfiguration: { Enabled: true } }, /DynamicPartitioning/],
  [{ DataFormatConversionConfiguration: undefined }, /without format conversion .* name a catalogue table/],
  [{ DataFormatConversionConfiguration: { ...conversion, Enabled: false } }, /without format conversion/],
  [schema({ DatabaseName: undefined }), /needs DatabaseName and TableName/],
  [schema({ CatalogId: '999999999999' }), /CatalogId 999999999999/],
  [schema({ VersionId: '3' }), /VersionId 3/],
  [openX({ ConvertDotsInJsonKeysToUnderscores: true }), /ConvertDots/],
  [openX({ CaseInsensitive: false }), /CaseInsensitive/],
  [openX({ ColumnToJsonKeyMappings: { a: 'b' } }), /ColumnToJsonKeyMappings/],
];
for (const [changes, message] of REFUSED) {
  test(`refused, with nothing made: ${JSON.stringify(changes)}`, async () => {
    const { call, made } = remembering();
    const ExtendedS3DestinationConfiguration = {
      ...(SAMPLE.CreateDeliveryStream!['ExtendedS3DestinationConfiguration'] as object),
      ...changes,
    };
    await assert.rejects(
      call('CreateDeliveryStream', { ...SAMPLE.CreateDeliveryStream, ExtendedS3DestinationConfiguration }),
      (error) =>
        error instanceof AwsError && error.type === 'InvalidArgumentException' && message.test(error.message),
    );
    assert.equal(made.size, 0);
  });
}

test('a batch is put whole, and refused whole over 4 MiB', async () => {
  const { call, puts } = remembering();
  const data = Buffer.alloc(1_000_000).toString('base64');
  const answer = await call('PutRecordBatch', {
    DeliveryStreamName: 'd',
    Records: [{ Data: data }, { Data: 'YQ==' }],
  });
  assert.deepEqual(answer, {
    FailedPutCount: 0,
    Encrypted: false,
    RequestResponses: [{ RecordId: 'id-0' }, { RecordId: 'id-1' }],
  });
  assert.deepEqual(puts, [[data, 'YQ==']]);
  await assert.rejects(
    call('PutRecordBatch', {
      DeliveryStreamName: 'd',
      Records: Array.from({ length: 5 }, () => ({ Data: data })),
    }),
    /exceeds 4 MB/,
  );
});

test("errors of the module carry the service's types, with the hint", async () => {
  const { call, service } = remembering();
  const error: unknown = await call('DescribeDeliveryStream', { DeliveryStreamName: 'x' }).catch(
    (found: unknown) => found,
  );
  const mapped = service.mapError(error);
  assert.deepEqual(
    [mapped?.type, mapped?.status, mapped?.message],
    ['ResourceNotFoundException', 400, 'no x. Look'],
  );
  assert.equal(service.mapError(new Error('other')), undefined);
  assert.equal(service.mapError(new PlatformError({ code: 'overloaded', message: 'm' }))?.status, 503);
});

test('listing by type looks at every delivery', async () => {
  const { call } = remembering();
  await call('CreateDeliveryStream', SAMPLE.CreateDeliveryStream!);
  const {
    DeliveryStreamType: _,
    KinesisStreamSourceConfiguration: __,
    ...direct
  } = SAMPLE.CreateDeliveryStream!;
  await call('CreateDeliveryStream', { ...direct, DeliveryStreamName: 'direct' });
  assert.deepEqual(await call('ListDeliveryStreams', { DeliveryStreamType: 'DirectPut' }), {
    DeliveryStreamNames: ['direct'],
    HasMoreDeliveryStreams: false,
  });
});
