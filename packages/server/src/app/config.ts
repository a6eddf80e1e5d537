/**
 * Settings of a server and where they come from: flags before environment (`SLUICE_…`) before the file before the
 * defaults. An unknown key, a wrong type or an unreadable file is refused with the place it stands in.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { AppError } from './errors.ts';
import { checkMqtt, mqttSettings } from './mqtt.ts';

const settings = z.strictObject({
  /** Directory that holds every byte of this server. */
  data: z.string().min(1).default('./.sluice'),
  /** 0 takes a free port. */
  port: z.coerce.number().int().min(0).max(65_535).default(4566),
  host: z.string().min(1).default('127.0.0.1'),
  /** Accepts any AWS credentials; on loopback only. */
  dev: z.stringbool().or(z.boolean()).default(false),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** 12 digits: the account in ARNs. */
  account: z
    .string()
    .regex(/^\d{12}$/, 'must be 12 digits')
    .default('000000000000'),
  /** `aws` holds streams to what Amazon Kinesis gives a shard; `off` to what the machine can do. */
  limits: z.enum(['off', 'aws']).default('off'),
  /** Where MQTT is served; not at all without it. 0 takes a free port. */
  mqttPort: z.coerce.number().int().min(0).max(65_535).optional(),
  /** PEM files: MQTT over TLS. */
  mqttCert: z.string().min(1).optional(),
  mqttKey: z.string().min(1).optional(),
  mqtt: mqttSettings.optional(),
});

export type Config = z.infer<typeof settings>;
export type Settings = z.input<typeof settings>;

const ENVIRONMENT: Readonly<Record<Exclude<keyof Config, 'mqtt'>, string>> = {
  data: 'SLUICE_DATA',
  port: 'SLUICE_PORT',
  host: 'SLUICE_HOST',
  dev: 'SLUICE_DEV',
  logLevel: 'SLUICE_LOG_LEVEL',
  account: 'SLUICE_ACCOUNT',
  limits: 'SLUICE_LIMITS',
  mqttPort: 'SLUICE_MQTT_PORT',
  mqttCert: 'SLUICE_MQTT_CERT',
  mqttKey: 'SLUICE_MQTT_KEY',
};

export interface ConfigSources {
  readonly flags: { readonly [Key in keyof Settings]?: Settings[Key] | undefined };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A JSON file with the settings' names as keys. */
  readonly file?: string | undefined;
}

/** Rejects with `config` and what to change. Paths come out absolute. */
export function loadConfig({ flags, environment, file }: ConfigSources): Config {
  const configFile = file ?? environment['SLUICE_CONFIG'];
  const fromFile = configFile === undefined ? {} : parse(readFile(configFile), configFile);
  const fromEnvironment = Object.fromEntries(
    Object.entries(ENVIRONMENT)
      .map(([key, variable]) => [key, environment[variable]])
      .filter(([, value]) => value !== undefined && value !== ''),
  );
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const config = settings.parse({
    ...fromFile,
    ...parse(fromEnvironment, 'the environment (SLUICE_…)'),
    ...parse(given, 'the command line'),
  });
  if (config.dev && !isLoopback(config.host)) {
    throw new AppError({
      code: 'config',
      message: `--dev accepts any credentials, so it can't serve ${config.host}`,
      hint: 'Leave out --dev to serve other machines with signed requests, or leave out --host.',
    });
  }
  checkMqtt(config, isLoopback(config.host));
  return { ...config, data: resolve(config.data) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The values as they were given, once they are known to be settings; rejects with where they come from. */
function parse(values: unknown, source: string): Record<string, unknown> {
  const result = settings.partial().safeParse(values);
  if (result.success) return values as Record<string, unknown>;
  throw new AppError({
    code: 'config',
    message: `${source}: ${z.prettifyError(result.error)}`,
    hint: `Settings are ${Object.keys(settings.shape).join(', ')}; "sluice start --help" says what each takes.`,
  });
}

function readFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new AppError({
      code: 'config',
      message: `the configuration file ${path} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'It is a JSON object with the settings as keys, for example {"port": 4566}.',
      cause,
    });
  }
}
