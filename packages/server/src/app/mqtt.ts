/** The role `mqtt`: what its settings need, and its start. Off unless a port is given. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { MqttListener, MqttOptions } from '../edge/mqtt/index.ts';
import { problemOfRoutes } from '../edge/mqtt/routes.ts';
import { AppError } from './errors.ts';

const PAYLOAD_BYTES_MAX_MOST = 10 * 1024 * 1024;
const CONNECTIONS_MAX_MOST = 100_000;

/** Only in the configuration file. */
export const mqttSettings = z.strictObject({
  /** The first that a topic meets says which stream its messages go to. */
  routes: z.array(z.strictObject({ topic: z.string(), stream: z.string(), key: z.string().optional() })),
  connectionsMax: z.number().int().min(1).max(CONNECTIONS_MAX_MOST).optional(),
  payloadBytesMax: z.number().int().min(1).max(PAYLOAD_BYTES_MAX_MOST).optional(),
});

export interface MqttConfig {
  readonly host: string;
  readonly dev: boolean;
  readonly mqttPort?: number | undefined;
  readonly mqttCert?: string | undefined;
  readonly mqttKey?: string | undefined;
  readonly mqtt?: z.infer<typeof mqttSettings> | undefined;
}

/** Throws `config` where the settings can't work together. `isLoopback` is about the host. */
export function checkMqtt(
  { host, mqttPort, mqttCert, mqttKey, mqtt }: MqttConfig,
  isLoopback: boolean,
): void {
  if (mqttPort === undefined) return;
  const refuse = (message: string, hint: string): never => {
    throw new AppError({ code: 'config', message, hint });
  };
  const problem = problemOfRoutes(mqtt?.routes ?? []);
  if (problem !== undefined)
    refuse(
      `mqtt.${mqtt === undefined ? 'routes: there is none' : problem}`,
      'Put {"mqtt": {"routes": [{"topic": "devices/+/telemetry", "stream": "telemetry"}]}} into the file of --config.',
    );
  if ((mqttCert === undefined) !== (mqttKey === undefined))
    refuse('a certificate and its key go together', 'Give both --mqtt-cert and --mqtt-key, or none.');
  if (!isLoopback && mqttCert === undefined)
    refuse(
      `MQTT clients would send their secrets to ${host} in the clear`,
      'Give --mqtt-cert and --mqtt-key, or leave out --host to serve this machine only.',
    );
}

export interface MqttRole extends MqttListener {
  readonly url: string;
}

type Needs = Pick<MqttOptions, 'streams' | 'clock' | 'random' | 'logger' | 'metrics'> & {
  readonly identity: NonNullable<MqttOptions['credentials']>;
};

/** Rejects with `config` for files that can't be read and `address` for a port that can't be taken. */
export async function startMqtt(
  { host, dev, mqttPort, mqttCert, mqttKey, mqtt }: MqttConfig & { readonly mqttPort: number },
  { identity, ...needs }: Needs,
): Promise<MqttRole> {
  const tls =
    mqttCert === undefined || mqttKey === undefined
      ? undefined
      : { cert: readPem(mqttCert, '--mqtt-cert'), key: readPem(mqttKey, '--mqtt-key') };
  const { routes = [], ...limits } = mqtt ?? {};
  const given = Object.entries(limits).filter(([, value]) => value !== undefined);
  // Most servers take no MQTT: its code is loaded by those that do.
  const { createMqttListener } = await import('../edge/mqtt/index.ts');
  const listener = await createMqttListener({
    ...needs,
    host,
    port: mqttPort,
    tls,
    credentials: dev ? undefined : identity,
    routes,
    limits: Object.fromEntries(given),
  }).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError({
      code: 'address',
      message: `MQTT can't be served at ${host}:${mqttPort}: ${why}`,
      hint: 'Choose another port with --mqtt-port, and check the certificate and key.',
      cause,
    });
  });
  const name = host.includes(':') ? `[${host}]` : host;
  return Object.assign(listener, { url: `mqtt${tls === undefined ? '' : 's'}://${name}:${listener.port}` });
}

function readPem(path: string, flag: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new AppError({
      code: 'config',
      message: `the file of ${flag} can't be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
}
