/** The AWS SDK's clients of one server. They are loaded when first asked for: each takes a tenth of a second. */
import type { AthenaClient } from '@aws-sdk/client-athena';
import type { FirehoseClient } from '@aws-sdk/client-firehose';
import type { GlueClient } from '@aws-sdk/client-glue';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { messageOf, noAnswer, refusal, type Connection } from './connection.ts';
import { CliError, SilentExit } from './exit.ts';

const ATTEMPTS_MAX = 5;

/** What the four clients take alike; connections are kept alive by their defaults. */
function settings({ endpoint, region, accessKeyId, secretAccessKey, sessionToken }: Connection) {
  const credentials = {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
  return { endpoint, region, credentials, maxAttempts: ATTEMPTS_MAX };
}

export async function athenaOf(connection: Connection): Promise<AthenaClient> {
  const { AthenaClient } = await import('@aws-sdk/client-athena');
  return new AthenaClient(settings(connection));
}

export async function glueOf(connection: Connection): Promise<GlueClient> {
  const { GlueClient } = await import('@aws-sdk/client-glue');
  return new GlueClient(settings(connection));
}

export async function kinesisOf(connection: Connection): Promise<KinesisClient> {
  const { KinesisClient } = await import('@aws-sdk/client-kinesis');
  return new KinesisClient(settings(connection));
}

export async function firehoseOf(connection: Connection): Promise<FirehoseClient> {
  const { FirehoseClient } = await import('@aws-sdk/client-firehose');
  return new FirehoseClient(settings(connection));
}

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EPIPE',
]);
/** An error of a client as one for the person at the terminal. */
export function explain(error: unknown, connection: Connection): Error {
  if (error instanceof CliError || error instanceof SilentExit) return error;
  if (isNetworkError(error)) return noAnswer(connection, error);
  const name = error instanceof Error ? error.name : '';
  const message = messageOf(error);
  // What the server answered, as every error of the SDK that carries its answer.
  if (error instanceof Error && '$metadata' in error)
    return refusal(connection, { type: name, message, cause: error });
  return error instanceof Error ? error : new Error(message);
}

export function isNetworkError(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if (
      'code' in at &&
      typeof at.code === 'string' &&
      (NETWORK_CODES.has(at.code) || at.code.startsWith('ERR_HTTP2_'))
    )
      return true;
    if (at instanceof AggregateError && at.errors.some(isNetworkError)) return true;
    if (at.name === 'TimeoutError') return true;
  }
  return false;
}
