/**
 * Subscribers in a process of their own, which count what they get: over HTTP/2 as the SDKs, a connection each, or over
 * HTTP/1.1. Takes a `Subscribers` as JSON; prints a `SubscribersResult`.
 */
import { request } from 'node:http';
import { connect, constants } from 'node:http2';

export interface Subscribers {
  readonly port: number;
  readonly arns: readonly string[];
  readonly shardId: string;
  readonly position: 'TRIM_HORIZON' | 'LATEST';
  readonly version: 1 | 2;
  /** Undefined reads until the shard ends. */
  readonly seconds?: number;
}

export interface SubscribersResult {
  /** Of all subscribers together, from the first byte on. */
  readonly bytes: number;
  readonly leastBytes: number;
  readonly mostBytes: number;
  readonly seconds: number;
}

const WINDOW_BYTES = 4 * 2 ** 20;

export function subscribeHeaders(): Record<string, string> {
  return {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': 'Kinesis_20131202.SubscribeToShard',
    authorization:
      'AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
  };
}

/** Calls `onData` with what comes until the stream ends, and `ready` at the first byte; gives how to leave. */
export function openSubscription(
  of: Pick<Subscribers, 'port' | 'shardId' | 'position' | 'version'> & { readonly arn: string },
  on: { data(chunk: Buffer): void; end(): void; failed(error: Error): void },
): () => void {
  const body = JSON.stringify({
    ConsumerARN: of.arn,
    ShardId: of.shardId,
    StartingPosition: { Type: of.position },
  });
  if (of.version === 1) {
    const call = request({
      port: of.port,
      host: '127.0.0.1',
      method: 'POST',
      headers: subscribeHeaders(),
      agent: false,
    });
    call.on('response', (response) => {
      if (response.statusCode !== 200) on.failed(new Error(`status ${response.statusCode}`));
      response.on('data', on.data).on('end', on.end);
    });
    call.on('error', on.failed).end(body);
    return () => call.destroy();
  }
  const session = connect(`http://127.0.0.1:${of.port}`, { settings: { initialWindowSize: WINDOW_BYTES } });
  session.on('connect', () => session.setLocalWindowSize(WINDOW_BYTES));
  session.on('error', on.failed);
  const stream = session.request({ ':method': 'POST', ':path': '/', ...subscribeHeaders() });
  stream.on('response', ({ [constants.HTTP2_HEADER_STATUS]: status }) => {
    if (Number(status) !== 200) on.failed(new Error(`status ${String(status)}`));
  });
  stream.on('data', on.data).on('end', () => {
    session.close();
    on.end();
  });
  stream.end(body);
  return () => session.destroy();
}

if (import.meta.main) {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  console.log(JSON.stringify(await count(JSON.parse(text) as Subscribers)));
}

async function count(work: Subscribers): Promise<SubscribersResult> {
  const bytes = work.arns.map(() => 0);
  let startMs = 0;
  const leaving: (() => void)[] = [];
  const streams = work.arns.map((arn, index) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    leaving.push(
      openSubscription(
        { ...work, arn },
        {
          data(chunk) {
            if (startMs === 0) startMs = performance.now();
            bytes[index]! += chunk.length;
          },
          end: resolve,
          failed: reject,
        },
      ),
    );
    return promise;
  });
  if (work.seconds === undefined) await Promise.all(streams);
  else await new Promise((resolve) => setTimeout(resolve, work.seconds! * 1_000));
  const seconds = (performance.now() - startMs) / 1_000;
  for (const leave of leaving) leave();
  return {
    bytes: bytes.reduce((sum, one) => sum + one, 0),
    leastBytes: Math.min(...bytes),
    mostBytes: Math.max(...bytes),
    seconds,
  };
}
