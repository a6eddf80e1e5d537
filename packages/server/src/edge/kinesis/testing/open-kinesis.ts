/** The Kinesis edge over real files and loopback, with a simulated clock, and the SDK's client of it: for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordCommand,
  type GetRecordsCommandOutput,
  type GetShardIteratorCommandInput,
  type ListShardsCommandInput,
  type Shard,
} from '@aws-sdk/client-kinesis';
import { createNodeDisk } from '../../../adapters/node-disk/index.ts';
import { SeededRandom, SimClock } from '../../../adapters/sim/index.ts';
import { openSqliteMetaStore } from '../../../adapters/sqlite/index.ts';
import { createSystemClock } from '../../../adapters/system/index.ts';
import { createStreams, type Streams, type StreamsLimits } from '../../../modules/streams/index.ts';
import type { KeyService } from '../../../ports/key-service.ts';
import { quietLogger, quietMetrics } from '../../../modules/streams/testing/quiet.ts';
import { createDevAuthenticate, createHttpServer } from '../../http/index.ts';
import type { AwsLimits } from '../aws-limits.ts';
import { createKinesisService } from '../index.ts';

export interface Kinesis {
  readonly client: KinesisClient;
  readonly clock: SimClock;
  readonly streams: Streams;
  create(name: string, shards?: number): Promise<void>;
  put(name: string, text: string, key?: string): Promise<{ shard: string; number: string }>;
  iterator(name: string, start?: Partial<GetShardIteratorCommandInput>): Promise<string>;
  get(iterator: string): Promise<GetRecordsCommandOutput>;
  /** Texts from a start to the tail of a shard. */
  read(name: string, start?: Partial<GetShardIteratorCommandInput>): Promise<string[]>;
  shards(input: ListShardsCommandInput): Promise<Shard[]>;
  readonly port: number;
  /** The server alone, while the streams stay open. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export const SHARD = 'shardId-000000000000';

export async function openKinesis(
  options: { limits?: AwsLimits; streamsLimits?: Partial<StreamsLimits>; keys?: KeyService } = {},
): Promise<Kinesis> {
  const { limits = 'off' } = options;
  const clock = new SimClock(Date.now());
  const directory = await mkdtemp(join(tmpdir(), 'sluice-kinesis-'));
  const meta = await openSqliteMetaStore(':memory:');
  const parts = { logger: quietLogger, metrics: quietMetrics };
  const streams = await createStreams({
    disk: createNodeDisk(),
    directory,
    meta,
    clock,
    random: new SeededRandom(1),
    capacity: limits,
    ...(options.streamsLimits !== undefined && { limits: options.streamsLimits }),
    ...(options.keys !== undefined && { keys: options.keys }),
    ...parts,
  });
  const server = await createHttpServer({
    host: '127.0.0.1',
    port: 0,
    services: [createKinesisService({ streams, clock, limits })],
    routes: [],
    authenticate: createDevAuthenticate({ accountId: '000000000000', name: 'tester' }),
    clock: createSystemClock(),
    ...parts,
  });
  const client = new KinesisClient({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'a', secretAccessKey: 'b' },
    maxAttempts: 1,
  });
  return {
    ...callsOf(client),
    client,
    clock,
    streams,
    port: server.port,
    stop: () => server.close(),
    async close() {
      client.destroy();
      await server.close();
      await streams.close();
      await meta.close();
      await rm(directory, { recursive: true });
    },
  };
}

function callsOf(
  client: KinesisClient,
): Omit<Kinesis, 'client' | 'clock' | 'streams' | 'port' | 'stop' | 'close'> {
  const iterator = async (
    name: string,
    start: Partial<GetShardIteratorCommandInput> = {},
  ): Promise<string> => {
    const input = { StreamName: name, ShardId: SHARD, ShardIteratorType: 'TRIM_HORIZON' as const, ...start };
    return (await client.send(new GetShardIteratorCommand(input))).ShardIterator!;
  };
  const get = (token: string): Promise<GetRecordsCommandOutput> =>
    client.send(new GetRecordsCommand({ ShardIterator: token }));
  return {
    async create(name, shards = 1) {
      await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
    },
    async put(name, text, key = 'k') {
      const input = { StreamName: name, PartitionKey: key, Data: Buffer.from(text) };
      const { ShardId, SequenceNumber } = await client.send(new PutRecordCommand(input));
      return { shard: ShardId!, number: SequenceNumber! };
    },
    iterator,
    get,
    async read(name, start) {
      const texts: string[] = [];
      for (let token: string | undefined = await iterator(name, start); token !== undefined;) {
        const page: GetRecordsCommandOutput = await get(token);
        texts.push(...page.Records!.map((record) => Buffer.from(record.Data!).toString()));
        if (page.Records!.length === 0 && page.MillisBehindLatest === 0) break;
        token = page.NextShardIterator;
      }
      return texts;
    },
    shards: async (input) => (await client.send(new ListShardsCommand(input))).Shards!,
  };
}
