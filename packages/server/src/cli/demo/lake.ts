/** What the demo makes on the server: tables, a stream, and the deliveries that bring records to the tables. */
import type { FirehoseClient } from '@aws-sdk/client-firehose';
import type { GlueClient } from '@aws-sdk/client-glue';
import type { KinesisClient } from '@aws-sdk/client-kinesis';

export const NAMES = {
  database: 'flights',
  departures: 'departures',
  airports: 'airports',
  stream: 'flights',
  delivery: 'flights-departures',
  airportsDelivery: 'flights-airports',
} as const;

const SHARDS = 4;
/** Rows are to be seen soon: that is what the demo shows. */
const BUFFERING = { IntervalInSeconds: 1, SizeInMBs: 64 } as const;
/** Asked for by the API; Sluice delivers with its own rights, into its own lake. */
const ROLE_ARN = 'arn:aws:iam::000000000000:role/sluice';
const BUCKET_ARN = 'arn:aws:s3:::sluice';

const DEPARTURES = [
  { Name: 'run', Type: 'string' },
  { Name: 'flight_id', Type: 'bigint' },
  { Name: 'departed_at', Type: 'timestamp' },
  { Name: 'origin', Type: 'string' },
  { Name: 'destination', Type: 'string' },
  { Name: 'arrival_delay_minutes', Type: 'int' },
  { Name: 'distance_miles', Type: 'int' },
];
const AIRPORTS = [
  ...['iata', 'name', 'city', 'state', 'country'].map((Name) => ({ Name, Type: 'string' })),
  ...['latitude', 'longitude'].map((Name) => ({ Name, Type: 'double' })),
];

export interface Clients {
  readonly glue: GlueClient;
  readonly kinesis: KinesisClient;
  readonly firehose: FirehoseClient;
}

/** Creates what is not there yet; on return all of it can be used. */
export async function prepareLake({ glue, kinesis, firehose }: Clients): Promise<void> {
  const { CreateDatabaseCommand, CreateTableCommand } = await import('@aws-sdk/client-glue');
  await unlessThere(
    glue.send(
      new CreateDatabaseCommand({
        DatabaseInput: { Name: NAMES.database, Description: 'US flights of 2001' },
      }),
    ),
  );
  for (const [Name, Columns] of [
    [NAMES.departures, DEPARTURES],
    [NAMES.airports, AIRPORTS],
  ] as const) {
    const TableInput = {
      Name,
      Parameters: { table_type: 'DELTA' },
      StorageDescriptor: { Columns: [...Columns] },
    };
    await unlessThere(glue.send(new CreateTableCommand({ DatabaseName: NAMES.database, TableInput })));
  }

  const { CreateStreamCommand, DescribeStreamSummaryCommand, waitUntilStreamExists } =
    await import('@aws-sdk/client-kinesis');
  await unlessThere(kinesis.send(new CreateStreamCommand({ StreamName: NAMES.stream, ShardCount: SHARDS })));
  await waitUntilStreamExists(
    { client: kinesis, maxWaitTime: 30, minDelay: 1 },
    { StreamName: NAMES.stream },
  );
  const { StreamDescriptionSummary: stream } = await kinesis.send(
    new DescribeStreamSummaryCommand({ StreamName: NAMES.stream }),
  );

  const { CreateDeliveryStreamCommand } = await import('@aws-sdk/client-firehose');
  await unlessThere(
    firehose.send(
      new CreateDeliveryStreamCommand({
        DeliveryStreamName: NAMES.delivery,
        DeliveryStreamType: 'KinesisStreamAsSource',
        KinesisStreamSourceConfiguration: { KinesisStreamARN: stream?.StreamARN, RoleARN: ROLE_ARN },
        ExtendedS3DestinationConfiguration: destination(NAMES.departures),
      }),
    ),
  );
  await unlessThere(
    firehose.send(
      new CreateDeliveryStreamCommand({
        DeliveryStreamName: NAMES.airportsDelivery,
        DeliveryStreamType: 'DirectPut',
        ExtendedS3DestinationConfiguration: destination(NAMES.airports),
      }),
    ),
  );
}

/** A destination whose data-format conversion names a table of the catalogue: rows go there. */
function destination(table: string) {
  return {
    RoleARN: ROLE_ARN,
    BucketARN: BUCKET_ARN,
    BufferingHints: BUFFERING,
    DataFormatConversionConfiguration: {
      Enabled: true,
      SchemaConfiguration: {
        DatabaseName: NAMES.database,
        TableName: table,
        RoleARN: ROLE_ARN,
        Region: 'us-east-1',
      },
      InputFormatConfiguration: { Deserializer: { OpenXJsonSerDe: {} } },
      OutputFormatConfiguration: { Serializer: { ParquetSerDe: {} } },
    },
  };
}

const ALREADY = new Set(['AlreadyExistsException', 'ResourceInUseException']);

async function unlessThere(made: Promise<unknown>): Promise<void> {
  try {
    await made;
  } catch (error) {
    if (!(error instanceof Error) || !ALREADY.has(error.name)) throw error;
  }
}
