/** A real server on a free port with a service of two operations, for tests of the edge. */
import type { Clock } from '../../../ports/clock.ts';
import type { Logger, Metrics } from '../../../ports/observe.ts';
import {
  AwsError,
  blob,
  integer,
  list,
  required,
  string,
  structure,
  type Authenticate,
  type AwsService,
  type Operation,
} from '../../aws-json/index.ts';
import {
  createDevAuthenticate,
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
} from '../index.ts';

export const PRINCIPAL = { accountId: '000000000000', name: 'tester' };

export const testClock = (nowMs: () => number = () => Date.now()): Clock => ({
  nowMs,
  monotonicMs: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  timer(ms, fn) {
    const timer = setTimeout(fn, ms);
    return { cancel: () => clearTimeout(timer) };
  },
});

export interface Line {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export function testLogger(lines: Line[] = []): Logger {
  const log = (fields: Readonly<Record<string, unknown>>, message: string) =>
    void lines.push({ fields, message });
  const logger: Logger = { debug: log, info: log, warn: log, error: log, child: () => logger };
  return logger;
}

export const noMetrics: Metrics = {
  counter: () => ({ add() {} }),
  gauge: () => ({ set() {} }),
  histogram: () => ({ observe() {} }),
};

/** Speaks as Kinesis does, so that the SDK's own client calls it. */
export function trivialService(handle: Operation['handle']): AwsService {
  const streamName = string({ lengthMin: 1, lengthMax: 128, pattern: '[a-zA-Z0-9_.-]+' });
  return {
    name: 'kinesis',
    targetPrefix: 'Kinesis_20131202',
    validationError: 'ValidationException',
    unsupportedError: 'InvalidArgumentException',
    extendedRequestId: true,
    operations: {
      PutRecord: {
        input: structure({
          StreamName: required(streamName),
          Data: required(blob({ lengthMax: 1024 })),
          PartitionKey: required(string({ lengthMin: 1, lengthMax: 256 })),
        }),
        refused: { StreamARN: 'streams are named' },
        handle,
      },
      ListStreams: {
        input: structure({ Limit: integer({ min: 1, max: 100 }), Names: list(streamName, { lengthMax: 2 }) }),
        handle,
      },
    },
    unsupported: ['MergeShards'],
    mapError: (error) =>
      error instanceof Error && error.message === 'mapped'
        ? new AwsError('ResourceNotFoundException', 'mapped for the client')
        : undefined,
  };
}

export const echo = async (input: unknown): Promise<object> => ({
  ...(input as object),
  SequenceNumber: '1',
  ShardId: 's',
});

export async function startTestServer(
  options: Partial<HttpServerOptions> & { readonly authenticate?: Authenticate } = {},
): Promise<HttpServer & { readonly url: string }> {
  const server = await createHttpServer({
    host: '127.0.0.1',
    port: 0,
    services: [trivialService(echo)],
    routes: [],
    authenticate: createDevAuthenticate(PRINCIPAL),
    logger: testLogger(),
    metrics: noMetrics,
    clock: testClock(),
    ...options,
  });
  return { port: server.port, url: `http://127.0.0.1:${server.port}`, close: () => server.close() };
}
