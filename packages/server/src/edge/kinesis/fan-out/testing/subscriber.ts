/** Clients of SubscribeToShard for tests: the SDK's, and plain requests for what it doesn't show. */
import assert from 'node:assert/strict';
import { request as request1 } from 'node:http';
import { connect } from 'node:http2';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import {
  type KinesisClient,
  RegisterStreamConsumerCommand,
  SubscribeToShardCommand,
  type StartingPosition,
  type SubscribeToShardEvent,
} from '@aws-sdk/client-kinesis';
import { SHARD, type Kinesis } from '../../testing/open-kinesis.ts';

const opened = new Set<Subscribed>();

/** Reads on whatever was subscribed to, to its end: a connection closes well only when all on it is read. */
export function readOn(): void {
  for (const subscribed of opened)
    void (async () => {
      while ((await subscribed.next().catch(() => undefined)) !== undefined);
    })();
  opened.clear();
}

export interface Subscribed {
  /** The next event; undefined when the stream has ended. */
  next(): Promise<SubscribeToShardEvent | undefined>;
  /** Texts of the records up to as many. */
  texts(count: number): Promise<string[]>;
}

export function arnOfStream(name: string): string {
  return `arn:aws:kinesis:eu-central-1:000000000000:stream/${name}`;
}

/** Gives the consumer's ARN. */
export async function register({ client }: Kinesis, stream: string, name: string): Promise<string> {
  const command = new RegisterStreamConsumerCommand({ StreamARN: arnOfStream(stream), ConsumerName: name });
  return (await client.send(command)).Consumer!.ConsumerARN!;
}

export async function subscribe(
  client: KinesisClient,
  ConsumerARN: string,
  start: StartingPosition | StartingPosition['Type'] = 'TRIM_HORIZON',
  ShardId = SHARD,
): Promise<Subscribed> {
  const StartingPosition = typeof start === 'string' ? { Type: start } : start;
  const command = new SubscribeToShardCommand({
    ConsumerARN,
    ShardId,
    StartingPosition,
  });
  const { EventStream } = await client.send(command);
  const events = EventStream![Symbol.asyncIterator]();
  const next = async (): Promise<SubscribeToShardEvent | undefined> => {
    const { done, value } = await events.next();
    return done === true ? undefined : value.SubscribeToShardEvent!;
  };
  const subscribed: Subscribed = {
    next,
    async texts(count) {
      const texts: string[] = [];
      while (texts.length < count) {
        const event = await next();
        assert.ok(event, `the stream ended after ${texts.length} of ${count} records`);
        texts.push(...event.Records!.map(({ Data }) => Buffer.from(Data!).toString()));
      }
      return texts;
    },
  };
  opened.add(subscribed);
  return subscribed;
}

export interface PlainAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Paused until it is read. */
  readonly stream: Readable;
  close(): void;
}

const HEADERS = {
  'x-amz-target': 'Kinesis_20131202.SubscribeToShard',
  authorization:
    'AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
};

export async function plainSubscribe(
  port: number,
  input: Readonly<Record<string, unknown>> | Buffer,
  { version = 2, contentType = 'application/x-amz-json-1.1' }: { version?: 1 | 2; contentType?: string } = {},
): Promise<PlainAnswer> {
  const body = Buffer.isBuffer(input) ? input : Buffer.from(JSON.stringify(input));
  const headers = { ...HEADERS, 'content-type': contentType, 'content-length': body.length };
  if (version === 1) {
    const call = request1({ port, host: '127.0.0.1', method: 'POST', headers });
    call.end(body);
    const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
      call.on('response', resolve);
      call.on('error', reject);
    });
    const { statusCode = 0 } = response;
    return { status: statusCode, headers: response.headers, stream: response, close: () => call.destroy() };
  }
  const session = connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':method': 'POST', ':path': '/', ...headers });
  stream.end(body);
  stream.on('error', () => {});
  const answered = await new Promise<Record<string, unknown>>((resolve) => stream.on('response', resolve));
  return {
    status: Number(answered[':status']),
    headers: answered,
    stream,
    close: () => session.destroy(),
  };
}

export interface Message {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Messages of an event stream as they come, with their checksums checked. */
export async function* messagesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Message, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4 && rest.length >= rest.readUInt32BE(0)) {
      const length = rest.readUInt32BE(0);
      yield readMessage(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  }
  assert.equal(rest.length, 0, 'a message was cut off');
}

export function readMessage(bytes: Buffer): Message {
  assert.equal(bytes.readUInt32BE(8), crc32(bytes.subarray(0, 8)));
  assert.equal(bytes.readUInt32BE(bytes.length - 4), crc32(bytes.subarray(0, -4)));
  const end = 12 + bytes.readUInt32BE(4);
  const headers: Record<string, string> = {};
  for (let at = 12; at < end;) {
    const nameEnd = at + 1 + bytes[at]!;
    assert.equal(bytes[nameEnd], 7);
    const valueEnd = nameEnd + 3 + bytes.readUInt16BE(nameEnd + 1);
    headers[bytes.toString('utf8', at + 1, nameEnd)] = bytes.toString('utf8', nameEnd + 3, valueEnd);
    at = valueEnd;
  }
  return { headers, body: bytes.subarray(end, -4) };
}

/** Lets the event loop go round until it holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
