/** The Firehose API over the delivery module (Amazon Data Firehose, API of 2015-08-04). */
import type {
  CreateDelivery,
  Delivery,
  DeliveryDescription,
  DeliveryErrorCode,
} from '../../modules/delivery/index.ts';
import {
  AwsError,
  boolean,
  errorTable,
  list,
  required,
  structure,
  type AwsService,
  type Operation,
  type RequestContext,
} from '../aws-json/index.ts';
import {
  changedDestination,
  describeDestination,
  DESTINATION_ID,
  toDestination,
  type ExtendedS3,
} from './destination.ts';
import {
  destinationDifferent,
  destinationId,
  destinationRefused,
  extendedS3Configuration,
  extendedS3Update,
  kinesisSource,
  pageSize,
  record,
  streamName,
  streamType,
  tags,
  versionId,
} from './members.ts';
import { UNSUPPORTED } from './unsupported.ts';

export interface FirehoseOptions {
  readonly delivery: Delivery;
}

export function createFirehoseService({ delivery }: FirehoseOptions): AwsService {
  return {
    name: 'firehose',
    targetPrefix: 'Firehose_20150804',
    timestampMembers: new Set(['CreateTimestamp', 'LastUpdateTimestamp', 'DeliveryStartTimestamp']),
    validationError: 'ValidationException',
    unsupportedError: 'InvalidArgumentException',
    extendedRequestId: true,
    operations: {
      ...lifecycleOperations(delivery),
      ...readingOperations(delivery),
      ...puttingOperations(delivery),
    },
    unsupported: UNSUPPORTED,
    mapError: errorTable(ERRORS),
  };
}

const ERRORS = {
  'delivery-not-found': { type: 'ResourceNotFoundException' },
  'delivery-exists': { type: 'ResourceInUseException' },
  invalid: { type: 'InvalidArgumentException' },
  'not-direct-put': { type: 'InvalidArgumentException' },
  'version-mismatch': { type: 'ConcurrentModificationException' },
  'source-not-found': { type: 'InvalidArgumentException' },
  'table-not-found': { type: 'InvalidArgumentException' },
  'in-use': { type: 'ResourceInUseException' },
  unsupported: { type: 'InvalidArgumentException' },
  overloaded: { type: 'ServiceUnavailableException', status: 503 },
  'storage-full': { type: 'ServiceUnavailableException', status: 503 },
} satisfies Record<DeliveryErrorCode, object>;

interface Named {
  readonly DeliveryStreamName: string;
}
interface KinesisSource {
  readonly KinesisStreamARN: string;
  readonly RoleARN: string;
}
interface Create extends Named {
  readonly DeliveryStreamType?: string;
  readonly KinesisStreamSourceConfiguration?: KinesisSource;
  readonly ExtendedS3DestinationConfiguration?: ExtendedS3;
  readonly Tags?: readonly { readonly Key: string; readonly Value?: string }[];
}
interface Update extends Named {
  readonly CurrentDeliveryStreamVersionId: string;
  readonly DestinationId: string;
  readonly ExtendedS3DestinationUpdate?: ExtendedS3;
}
interface PutData {
  readonly Data: string;
}

const invalid = (message: string): AwsError => new AwsError('InvalidArgumentException', message);
const OTHER_SOURCE = 'the sources are DirectPut and KinesisStreamAsSource';

function lifecycleOperations(delivery: Delivery): Record<string, Operation> {
  return {
    CreateDeliveryStream: {
      input: structure({
        DeliveryStreamName: required(streamName),
        DeliveryStreamType: streamType,
        KinesisStreamSourceConfiguration: kinesisSource,
        ExtendedS3DestinationConfiguration: extendedS3Configuration,
        Tags: tags,
      }),
      refused: {
        DirectPutSourceConfiguration:
          'a direct put takes what the disk takes; there is no throughput to ask for',
        DeliveryStreamEncryptionConfigurationInput:
          'direct puts are not encrypted at rest in this version: put into an encrypted Kinesis stream and deliver from it',
        MSKSourceConfiguration: OTHER_SOURCE,
        DatabaseSourceConfiguration: OTHER_SOURCE,
        ...destinationRefused('Configuration'),
      },
      different: {
        DeliveryStreamType: `${OTHER_SOURCE}; others are refused`,
        'KinesisStreamSourceConfiguration.KinesisStreamARN':
          'a stream of this server, in any region; delivery begins with the oldest record that it still holds, where AWS begins with the newest',
        'KinesisStreamSourceConfiguration.RoleARN': 'kept and returned; there is no role to take on',
        ...destinationDifferent('Configuration'),
      },
      async handle(input: Create, { principal, region }: RequestContext) {
        const made = await delivery.create(toCreate(input, principal.accountId));
        return { DeliveryStreamARN: deliveryArn(made.name, { principal, region }) };
      },
    },
    UpdateDestination: {
      input: structure({
        DeliveryStreamName: required(streamName),
        CurrentDeliveryStreamVersionId: required(versionId),
        DestinationId: required(destinationId),
        ExtendedS3DestinationUpdate: extendedS3Update,
      }),
      refused: destinationRefused('Update'),
      different: destinationDifferent('Update'),
      async handle(input: Update, { principal }: RequestContext) {
        const present = await delivery.describe(input.DeliveryStreamName);
        if (input.DestinationId !== DESTINATION_ID) {
          throw invalid(
            `Destination Id ${input.DestinationId} not found: the one destination is ${DESTINATION_ID}.`,
          );
        }
        if (input.ExtendedS3DestinationUpdate === undefined) {
          throw invalid('Exactly one destination update must be given: ExtendedS3DestinationUpdate.');
        }
        await delivery.update(input.DeliveryStreamName, {
          expectedVersionId: input.CurrentDeliveryStreamVersionId,
          destination: changedDestination(
            present.destination,
            input.ExtendedS3DestinationUpdate,
            principal.accountId,
          ),
        });
        return {};
      },
    },
    DeleteDeliveryStream: {
      input: structure({ DeliveryStreamName: required(streamName), AllowForceDelete: boolean() }),
      different: { AllowForceDelete: 'without effect: acknowledged records are always delivered first' },
      async handle({ DeliveryStreamName }: Named) {
        await delivery.delete(DeliveryStreamName);
        return {};
      },
    },
  };
}

const NAMES_DEFAULT = 10;
/** Names that one listing by type looks through at most. */
const NAMES_SCANNED_PAGE = 1_000;

function readingOperations(delivery: Delivery): Record<string, Operation> {
  return {
    DescribeDeliveryStream: {
      input: structure({
        DeliveryStreamName: required(streamName),
        Limit: pageSize,
        ExclusiveStartDestinationId: destinationId,
      }),
      async handle(input: Named & { ExclusiveStartDestinationId?: string }, context: RequestContext) {
        const described = await delivery.describe(input.DeliveryStreamName);
        return {
          DeliveryStreamDescription: describe(described, context, {
            withDestination: (input.ExclusiveStartDestinationId ?? '') < DESTINATION_ID,
          }),
        };
      },
    },
    ListDeliveryStreams: {
      input: structure({
        Limit: pageSize,
        DeliveryStreamType: streamType,
        ExclusiveStartDeliveryStreamName: streamName,
      }),
      async handle(input: {
        Limit?: number;
        DeliveryStreamType?: string;
        ExclusiveStartDeliveryStreamName?: string;
      }) {
        const limit = input.Limit ?? NAMES_DEFAULT;
        const start = input.ExclusiveStartDeliveryStreamName;
        const page =
          input.DeliveryStreamType === undefined
            ? await delivery.list({ ...(start === undefined ? {} : { startAfter: start }), limit })
            : await listOfType(delivery, { type: input.DeliveryStreamType, start, limit });
        return { DeliveryStreamNames: page.names, HasMoreDeliveryStreams: page.more };
      },
    },
  };
}

async function listOfType(
  delivery: Delivery,
  { type, start, limit }: { type: string; start: string | undefined; limit: number },
): Promise<{ names: readonly string[]; more: boolean }> {
  const names: string[] = [];
  let startAfter = start;
  let more = true;
  while (more) {
    const page = await delivery.list({
      ...(startAfter === undefined ? {} : { startAfter }),
      limit: NAMES_SCANNED_PAGE,
    });
    for (const name of page.names) {
      if (typeOf(await delivery.describe(name)) !== type) continue;
      if (names.length === limit) return { names, more: true };
      names.push(name);
    }
    startAfter = page.names.at(-1);
    more = page.more && startAfter !== undefined;
  }
  return { names, more: false };
}

/** Of one request, decoded. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

function puttingOperations(delivery: Delivery): Record<string, Operation> {
  return {
    PutRecord: {
      input: structure({ DeliveryStreamName: required(streamName), Record: required(record) }),
      async handle(input: Named & { Record: PutData }) {
        const [id] = await delivery.put(input.DeliveryStreamName, [input.Record.Data]);
        return { RecordId: id, Encrypted: false };
      },
    },
    PutRecordBatch: {
      input: structure({
        DeliveryStreamName: required(streamName),
        Records: required(list(record, { lengthMin: 1, lengthMax: 500 })),
      }),
      async handle(input: Named & { Records: readonly PutData[] }) {
        const data = input.Records.map(({ Data }) => Data);
        const sizeBytes = data.reduce((sum, text) => sum + Buffer.byteLength(text, 'base64'), 0);
        if (sizeBytes > BATCH_BYTES_MAX) {
          throw invalid(`Records size exceeds 4 MB limit: they have ${sizeBytes} bytes`);
        }
        const ids = await delivery.put(input.DeliveryStreamName, data);
        return {
          FailedPutCount: 0,
          Encrypted: false,
          RequestResponses: ids.map((RecordId) => ({ RecordId })),
        };
      },
    },
  };
}

function toCreate(input: Create, accountId: string): CreateDelivery {
  const extended = input.ExtendedS3DestinationConfiguration;
  if (extended === undefined) {
    throw invalid(
      'Exactly one destination configuration is supported for a Firehose: give ExtendedS3DestinationConfiguration with DataFormatConversionConfiguration.',
    );
  }
  const destination = toDestination(extended, accountId);
  const source = toSource(input, accountId);
  const passthrough =
    input.KinesisStreamSourceConfiguration === undefined
      ? destination.passthrough
      : { ...destination.passthrough, source: input.KinesisStreamSourceConfiguration };
  return {
    name: input.DeliveryStreamName,
    source,
    destination: { ...destination, passthrough },
    ...(input.Tags === undefined ? {} : { tags: toTags(input.Tags) }),
  };
}

function toSource(input: Create, accountId: string): CreateDelivery['source'] {
  const { DeliveryStreamType: type = 'DirectPut', KinesisStreamSourceConfiguration: kinesis } = input;
  if (type === 'DirectPut') {
    if (kinesis === undefined) return { kind: 'direct' };
    throw invalid(
      'KinesisStreamSourceConfiguration can only be given with DeliveryStreamType KinesisStreamAsSource.',
    );
  }
  if (type !== 'KinesisStreamAsSource') {
    throw invalid(`DeliveryStreamType ${type} is not supported by this version of Sluice: ${OTHER_SOURCE}`);
  }
  if (kinesis === undefined) {
    throw invalid(
      'KinesisStreamSourceConfiguration is required with DeliveryStreamType KinesisStreamAsSource.',
    );
  }
  const [, account, stream] = /:(\d{12}):stream\/(.+)$/.exec(kinesis.KinesisStreamARN)!;
  if (account !== accountId) {
    throw invalid(
      `The stream ${kinesis.KinesisStreamARN} is of another account: this server has ${accountId}.`,
    );
  }
  return { kind: 'stream', stream: stream! };
}

function toTags(given: readonly { readonly Key: string; readonly Value?: string }[]): Record<string, string> {
  const found = Object.fromEntries(given.map(({ Key, Value = '' }) => [Key, Value]));
  if (Object.keys(found).length < given.length) throw invalid('The tags contain a key twice.');
  return found;
}

const deliveryArn = (
  name: string,
  { principal, region }: Pick<RequestContext, 'principal' | 'region'>,
): string => `arn:aws:firehose:${region}:${principal.accountId}:deliverystream/${name}`;

const typeOf = ({ source }: CreateDelivery): string =>
  source.kind === 'direct' ? 'DirectPut' : 'KinesisStreamAsSource';

function describe(
  described: DeliveryDescription,
  context: RequestContext,
  { withDestination }: { readonly withDestination: boolean },
): object {
  const source = described.destination.passthrough['source'];
  return {
    DeliveryStreamName: described.name,
    DeliveryStreamARN: deliveryArn(described.name, context),
    DeliveryStreamStatus: 'ACTIVE',
    FailureDescription:
      described.failure === undefined ? undefined : { Type: 'UNKNOWN_ERROR', Details: described.failure },
    DeliveryStreamEncryptionConfiguration: { Status: 'DISABLED' },
    DeliveryStreamType: typeOf(described),
    VersionId: described.versionId,
    CreateTimestamp: described.createdMs / 1_000,
    LastUpdateTimestamp: described.updatedMs / 1_000,
    Source:
      source === undefined
        ? undefined
        : {
            KinesisStreamSourceDescription: {
              ...source,
              DeliveryStartTimestamp: described.createdMs / 1_000,
            },
          },
    Destinations: withDestination ? [describeDestination(described)] : [],
    HasMoreDestinations: false,
  };
}
