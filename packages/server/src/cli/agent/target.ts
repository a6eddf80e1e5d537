/** Where an agent sends to, and as whom: its configuration, the command line, the environment, a server near by. */
import type { FirehoseClient } from '@aws-sdk/client-firehose';
import type { KinesisClient, KinesisClientConfig } from '@aws-sdk/client-kinesis';
import { findServer, type Connection, type ServerOptions } from '../connection.ts';
import { CliError, EXIT } from '../exit.ts';
import type { AgentConfig } from './config.ts';
import type { ServiceName } from './limits.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a client of a service is made with; and what a message calls the place. */
export interface Target {
  readonly settings: Pick<KinesisClientConfig, 'endpoint' | 'region' | 'credentials'>;
  readonly shown: string;
}

/**
 * `--endpoint` and `--data` come before the configuration's endpoint, that before AWS_ENDPOINT_URL; without any of
 * them a configured region means AWS, and otherwise it is the server of the data directory. Keys: the configuration's,
 * then those of the environment and profiles as every AWS SDK finds them.
 */
export function targetOf(
  service: ServiceName,
  config: AgentConfig,
  options: ServerOptions,
  environment: Environment = process.env,
): Target {
  const named = config[`${service}.endpoint`] || undefined;
  const given = keyOf(config);
  const isNamed = options.endpoint !== undefined || options.data !== undefined;
  const region = config['kinesis.region'] ?? regionOf(named);
  if (named !== undefined && !isNamed) {
    const endpoint = urlOf(named, `${service}.endpoint`);
    const isAws = new URL(endpoint).hostname.endsWith('.amazonaws.com');
    const credentials =
      given ??
      (isAws || hasKeys(environment) ? undefined : { accessKeyId: 'sluice', secretAccessKey: 'sluice' });
    return {
      settings: settingsOf({ endpoint, region: region ?? regionIn(environment), credentials }),
      shown: endpoint,
    };
  }
  if (region !== undefined && !isNamed && !environment['AWS_ENDPOINT_URL'])
    return { settings: settingsOf({ region, credentials: given }), shown: `AWS in ${region}` };
  const connection = findServer(options, environment);
  return {
    settings: settingsOf({
      endpoint: connection.endpoint,
      region: region ?? connection.region,
      credentials: given ?? credentialsOf(connection),
    }),
    shown: connection.endpoint,
  };
}

/** Each is made when it is first asked for. */
export function clientsOf(config: AgentConfig, options: ServerOptions) {
  let kinesis: Promise<KinesisClient> | undefined;
  let firehose: Promise<FirehoseClient> | undefined;
  // The agent repeats what failed itself: it knows which records those are.
  const common = (service: ServiceName) => ({
    ...targetOf(service, config, options).settings,
    maxAttempts: 1,
  });
  return {
    kinesis: () =>
      (kinesis ??= import('@aws-sdk/client-kinesis').then(
        ({ KinesisClient }) => new KinesisClient(common('kinesis')),
      )),
    firehose: () =>
      (firehose ??= import('@aws-sdk/client-firehose').then(
        ({ FirehoseClient }) => new FirehoseClient(common('firehose')),
      )),
  };
}

function settingsOf({
  endpoint,
  region,
  credentials,
}: {
  endpoint?: string;
  region: string;
  credentials: Target['settings']['credentials'];
}) {
  return {
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
  };
}

function keyOf({ awsAccessKeyId = '', awsSecretAccessKey = '' }: AgentConfig) {
  if (awsAccessKeyId === '' && awsSecretAccessKey === '') return undefined;
  if (awsAccessKeyId !== '' && awsSecretAccessKey !== '')
    return { accessKeyId: awsAccessKeyId, secretAccessKey: awsSecretAccessKey };
  throw new CliError('awsAccessKeyId and awsSecretAccessKey go together', { exitCode: EXIT.usage });
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken }: Connection) {
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

function hasKeys(environment: Environment): boolean {
  return Boolean(environment['AWS_ACCESS_KEY_ID'] || environment['AWS_PROFILE']);
}

function regionIn(environment: Environment): string {
  return environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || 'us-east-1';
}

/** `kinesis.eu-west-1.amazonaws.com` → `eu-west-1` */
function regionOf(endpoint: string | undefined): string | undefined {
  return /\.([a-z]{2}(?:-[a-z]+)+-\d)\.amazonaws\.com/.exec(endpoint ?? '')?.[1];
}

/** The Kinesis Agent writes endpoints without a scheme. */
function urlOf(endpoint: string, option: string): string {
  const url = URL.parse(/^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`);
  if (url !== null) return url.origin;
  throw new CliError(`${option} is no URL: ${endpoint}`, { exitCode: EXIT.usage });
}
