/** What a CONNECT asks for, judged: who the client is and what it gets. */
import { timingSafeEqual } from 'node:crypto';
import type { IConnectPacket } from 'mqtt-packet';
import type { Identity } from '../../modules/identity/index.ts';
import type { MqttLimits } from './limits.ts';
import { REASONS, type Reason } from './reasons.ts';

export type Version = 4 | 5;

export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
}

export interface Client {
  readonly version: Version;
  readonly id: string;
  /** The server made the id up. */
  readonly assigned: boolean;
  /** Who it is: two principals may use the same client id. */
  readonly principal: string;
  /** 0: never ends for silence. */
  readonly keepAliveSeconds: number;
  readonly will: Will | undefined;
  /** Of packets to it. */
  readonly packetBytesMax: number;
  /** Whether a PUBACK or SUBACK may say why in words. */
  readonly wantsReasons: boolean;
}

/** Undefined: anyone may connect (`--dev`). */
export type Credentials = Pick<Identity, 'secretOf'> | undefined;

export interface Handshake {
  readonly credentials: Credentials;
  readonly limits: MqttLimits;
  readonly newClientId: () => string;
  readonly problemOfWill: (will: Will, clientId: string) => Reason | undefined;
}

const PACKET_BYTES_MAX = 268_435_455;

export function judge(packet: IConnectPacket, handshake: Handshake): Client | Reason {
  const { limits, credentials } = handshake;
  const version = packet.protocolVersion;
  if (version !== 4 && version !== 5) return REASONS.version;
  const properties = packet.properties ?? {};
  if (properties.authenticationMethod !== undefined) return REASONS.authMethod;
  const principal = principalOf(packet, credentials);
  if (typeof principal !== 'string') return principal;
  const assigned = packet.clientId === '';
  // MQTT 3.1.1, 3.1.3.1: a session that shall last needs a name.
  if (assigned && version === 4 && packet.clean === false) return REASONS.clientId;
  const id = assigned ? handshake.newClientId() : packet.clientId;
  const will = willOf(packet);
  if (will !== undefined && 'code' in will) return will;
  const problem = will && handshake.problemOfWill(will, id);
  if (problem !== undefined) return problem;
  return {
    version,
    id,
    assigned,
    principal,
    keepAliveSeconds: keepAlive(packet.keepalive ?? 0, version, limits),
    will,
    packetBytesMax: properties.maximumPacketSize ?? PACKET_BYTES_MAX,
    wantsReasons: properties.requestProblemInformation !== false,
  };
}

function principalOf({ username, password }: IConnectPacket, credentials: Credentials): string | Reason {
  if (credentials === undefined) return '';
  if (username === undefined || username === '' || password === undefined) return REASONS.noPassword;
  const key = credentials.secretOf(username);
  // A key that isn't there is compared all the same, so that the time tells nothing.
  const secret = Buffer.from(key?.secretAccessKey ?? password.toString('hex'));
  const given = Buffer.from(password);
  const matches = secret.length === given.length && timingSafeEqual(secret, given);
  if (key === undefined || !matches) return REASONS.password;
  return `${key.principal.accountId}/${key.principal.name}`;
}

function willOf({ will }: IConnectPacket): Will | Reason | undefined {
  if (will === undefined) return undefined;
  if (will.qos === 2) return REASONS.qos2;
  if (will.retain === true) return REASONS.retain;
  return { topic: will.topic, payload: Buffer.from(will.payload) };
}

/** An MQTT 5 client is told what it gets instead; one of 3.1.1 keeps what it asked for. */
function keepAlive(asked: number, version: Version, { keepAliveSecondsMax }: MqttLimits): number {
  if (version === 4) return asked;
  return asked === 0 || asked > keepAliveSecondsMax ? keepAliveSecondsMax : asked;
}
