/**
 * A load generator in a process of its own: prepared HTTP/1.1 requests over raw sockets, one in flight a connection,
 * since an SDK would be what is measured. Takes a `Load` as JSON; prints a `LoadResult`.
 */
import { connect } from 'node:net';

export interface Load {
  readonly port: number;
  readonly operation: string;
  /** Bodies that the connections send by turns. */
  readonly bodies: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly failed: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const WARM_UP_SECONDS = 0.5;
const HEADER_END = Buffer.from('\r\n\r\n');

if (import.meta.main) console.log(JSON.stringify(await generate(JSON.parse(await input()) as Load)));

async function input(): Promise<string> {
  let text = '';
  for await (const chunk of process.stdin) text += String(chunk);
  return text;
}

async function generate(load: Load): Promise<LoadResult> {
  const requests = load.bodies.map((body) => requestOf(load.operation, body));
  const startMs = performance.now() + WARM_UP_SECONDS * 1_000;
  const endMs = startMs + load.seconds * 1_000;
  const latencies: number[] = [];
  let failed = 0;
  const done = Array.from({ length: load.connections }, (_, connection) =>
    drive(
      {
        port: load.port,
        endMs,
        next: (turn) => requests[(connection + turn * load.connections) % requests.length]!,
      },
      (ok, ms) => {
        if (!ok) failed++;
        if (performance.now() >= startMs) latencies.push(ms);
      },
    ),
  );
  await Promise.all(done);
  latencies.sort((a, b) => a - b);
  const quantile = (part: number) => latencies[Math.floor(latencies.length * part)] ?? 0;
  return {
    requests: latencies.length,
    failed,
    seconds: load.seconds,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
  };
}

function requestOf(operation: string, body: string): Buffer {
  const bytes = Buffer.from(body);
  const head = [
    'POST / HTTP/1.1',
    'Host: 127.0.0.1',
    'Content-Type: application/x-amz-json-1.1',
    `X-Amz-Target: Kinesis_20131202.${operation}`,
    'Authorization: AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=0',
    'X-Amz-Date: 20260101T000000Z',
    `Content-Length: ${bytes.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]);
}

function drive(
  work: { port: number; endMs: number; next: (turn: number) => Buffer },
  answered: (ok: boolean, ms: number) => void,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ port: work.port, host: '127.0.0.1', noDelay: true });
  let turn = 0;
  let sentMs = 0;
  let head: Buffer = Buffer.alloc(0);
  let bodyLeft = -1;
  let ok = true;
  const send = (): void => {
    sentMs = performance.now();
    head = Buffer.alloc(0);
    bodyLeft = -1;
    socket.write(work.next(turn++));
  };
  const take = (chunk: Buffer): void => {
    let rest = chunk;
    if (bodyLeft < 0) {
      head = head.length === 0 ? chunk : Buffer.concat([head, chunk]);
      const end = head.indexOf(HEADER_END);
      if (end === -1) return;
      const text = head.toString('latin1', 0, end);
      ok = text.startsWith('HTTP/1.1 200');
      const length = /content-length: *(\d+)/i.exec(text);
      if (length === null) return void socket.destroy(new Error(`an answer without a length:\n${text}`));
      bodyLeft = Number(length[1]);
      rest = head.subarray(end + HEADER_END.length);
    }
    bodyLeft -= rest.length;
    if (bodyLeft > 0) return;
    answered(ok, performance.now() - sentMs);
    if (performance.now() < work.endMs) send();
    else socket.end(() => resolve());
  };
  socket.on('connect', send);
  socket.on('data', take);
  socket.on('error', reject);
  return promise;
}
