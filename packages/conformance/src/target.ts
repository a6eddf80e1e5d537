import { AthenaClient } from '@aws-sdk/client-athena';
import { FirehoseClient } from '@aws-sdk/client-firehose';
import { GlueClient } from '@aws-sdk/client-glue';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { AwsSmithyRpcV2CborProtocol } from '@aws-sdk/core/protocols';
import { startSluice } from './start-sluice.ts';

/** The server under test. */
export interface Target {
  readonly url: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export const REGION = 'eu-central-1';

/**
 * The server that `SLUICE_URL`, `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` name, or one that is started for the
 * tests and ends with `stop`.
 */
export async function openTarget(): Promise<Target & { stop(): Promise<void> }> {
  const { SLUICE_URL: url, AWS_ACCESS_KEY_ID = 'any', AWS_SECRET_ACCESS_KEY = 'any' } = process.env;
  if (url === undefined || url === '') return startSluice();
  return {
    url,
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    stop: async () => {},
  };
}

export interface Clients {
  readonly kinesis: KinesisClient;
  readonly firehose: FirehoseClient;
  readonly glue: GlueClient;
  readonly athena: AthenaClient;
  destroy(): void;
}

/** The SDK's own clients, as a user would make them: nothing is set but where and who. */
export function clientsOf({ url, accessKeyId, secretAccessKey }: Target): Clients {
  const settings = {
    endpoint: url,
    region: REGION,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
  };
  const kinesis = new KinesisClient(settings);
  const firehose = new FirehoseClient(settings);
  const glue = new GlueClient(settings);
  const athena = new AthenaClient(settings);
  return {
    kinesis,
    firehose,
    glue,
    athena,
    destroy() {
      for (const client of [kinesis, firehose, glue, athena]) client.destroy();
    },
  };
}

/** Protocols that the SDK's client for Kinesis can be told to speak. */
export const KINESIS_PROTOCOLS = ['AWS JSON', 'RPC v2 CBOR'] as const;

export function kinesisClient(
  { url, accessKeyId, secretAccessKey }: Target,
  protocol: (typeof KINESIS_PROTOCOLS)[number],
): KinesisClient {
  return new KinesisClient({
    endpoint: url,
    region: REGION,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: 1,
    ...(protocol === 'RPC v2 CBOR' && { protocol: AwsSmithyRpcV2CborProtocol }),
  });
}

let names = 0;
/** A name that no other test and no earlier run took. */
export const freshName = (prefix: string): string =>
  `${prefix}_${process.pid.toString(36)}_${Date.now().toString(36)}_${(names++).toString(36)}`;
