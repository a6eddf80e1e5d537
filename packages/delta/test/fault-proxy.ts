/** A proxy between a client and a real S3 service that breaks requests as a plan says. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * - `refuse` ends the connection before the service hears of the request, `lose-reply` afterwards;
 * - `throttle` and `conflict` answer in the service's place with 503 SlowDown and 409 ConditionalRequestConflict;
 * - `tear` ends the connection in the middle of the answer's body, `damage` changes a byte of it;
 * - `stall` never answers.
 */
export type ProxyFault = 'refuse' | 'lose-reply' | 'throttle' | 'conflict' | 'tear' | 'damage' | 'stall';

export interface ProxiedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly isConditional: boolean;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** What reached the proxy, oldest first. */
  readonly requests: ProxiedRequest[];
  /** Asked once for each request, when it begins. */
  plan: (request: ProxiedRequest) => ProxyFault | undefined;
  stop(): Promise<void>;
}

export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const server = createServer((incoming, outgoing) => {
    const asked: ProxiedRequest = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      isConditional: incoming.headers['if-none-match'] !== undefined,
    };
    proxy.requests.push(asked);
    forward(target, { incoming, outgoing, fault: proxy.plan(asked) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${port}`,
    requests: [],
    plan: () => undefined,
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return proxy;
}

interface Exchange {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly fault: ProxyFault | undefined;
}

const ANSWERS: Partial<Record<ProxyFault, { status: number; code: string }>> = {
  throttle: { status: 503, code: 'SlowDown' },
  conflict: { status: 409, code: 'ConditionalRequestConflict' },
};

function forward(target: string, { incoming, outgoing, fault }: Exchange): void {
  // A client that gives up is part of the plan.
  incoming.on('error', () => undefined);
  outgoing.on('error', () => undefined);
  if (fault === 'stall') return void incoming.resume();
  if (fault === 'refuse') return void incoming.socket.destroy();
  const answer = fault === undefined ? undefined : ANSWERS[fault];
  if (answer !== undefined) {
    incoming.resume().on('end', () => {
      const body = `<?xml version="1.0"?><Error><Code>${answer.code}</Code><Message>planned</Message></Error>`;
      outgoing.writeHead(answer.status, { 'content-type': 'application/xml' }).end(body);
    });
    return;
  }
  const upstream = request(
    `${target}${incoming.url ?? ''}`,
    // The host is part of the signature.
    { method: incoming.method, headers: incoming.headers, agent: false },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        if (fault === 'lose-reply') return void incoming.socket.destroy();
        reply({ incoming, outgoing, fault }, { response, body: Buffer.concat(chunks) });
      });
    },
  );
  upstream.on('error', () => incoming.socket.destroy());
  incoming.pipe(upstream);
}

function reply(
  { incoming, outgoing, fault }: Exchange,
  { response, body }: { response: IncomingMessage; body: Buffer },
): void {
  outgoing.writeHead(response.statusCode ?? 500, response.headers);
  if (fault === 'tear' && body.length > 1) {
    outgoing.write(body.subarray(0, body.length >> 1), () => incoming.socket.destroy());
    return;
  }
  if (fault === 'damage' && body.length > 0) body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
  outgoing.end(body);
}
