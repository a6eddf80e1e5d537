/**
 * Why something is refused: the reason code of MQTT 5.0 (2.4), and the return code of MQTT 3.1.1 where its CONNACK has
 * one (3.2.2.3). MQTT 3.1.1 can't refuse a message: there the connection ends without a PUBACK, and the client still
 * has the message.
 */
export interface Reason {
  readonly code: number;
  readonly returnCode: number;
  readonly text: string;
}

const reason = (code: number, returnCode: number, text: string): Reason => ({ code, returnCode, text });

const UNAVAILABLE = 3;
const NOT_AUTHORIZED = 5;

export const REASONS = {
  malformed: (problem: string) => reason(0x81, UNAVAILABLE, `malformed packet: ${problem}`),
  protocolError: (problem: string) => reason(0x82, UNAVAILABLE, problem),
  version: reason(0x84, 1, 'MQTT 3.1.1 and MQTT 5 are spoken here'),
  clientId: reason(0x85, 2, 'an empty client id needs a clean session'),
  password: reason(
    0x86,
    4,
    'the user name is the id of an access key, the password its secret: these are not a pair',
  ),
  noPassword: reason(
    0x87,
    NOT_AUTHORIZED,
    'connect with the id of an access key as user name and its secret as password',
  ),
  authMethod: reason(0x8c, NOT_AUTHORIZED, 'there is no extended authentication here'),
  full: reason(0x97, UNAVAILABLE, 'the listener has as many connections as it may'),
  shuttingDown: reason(0x8b, UNAVAILABLE, 'the server is shutting down'),
  unavailable: reason(0x88, UNAVAILABLE, 'the server is shutting down'),
  keepAlive: reason(0x8d, UNAVAILABLE, 'nothing came within one and a half times the keep alive'),
  takenOver: reason(0x8e, UNAVAILABLE, 'the client id connected again'),
  topicAlias: reason(0x94, UNAVAILABLE, 'there are no topic aliases here'),
  tooLarge: (bytesMax: number) => reason(0x95, UNAVAILABLE, `a payload may have ${bytesMax} bytes`),
  retain: reason(0x9a, NOT_AUTHORIZED, 'nothing is retained here: publish with retain = 0'),
  qos2: reason(0x9b, NOT_AUTHORIZED, 'QoS 0 and 1 are supported; exactly once is not'),
  subscribe: reason(0x83, NOT_AUTHORIZED, 'this listener takes messages only: read them from their stream'),
  topicName: reason(0x90, NOT_AUTHORIZED, 'the topic is empty or has a wildcard'),
  noRoute: (topic: string) =>
    reason(0x90, NOT_AUTHORIZED, `no route takes the topic "${topic.slice(0, 100)}"`),
  partitionKey: reason(
    0x90,
    NOT_AUTHORIZED,
    'the partition key that its route makes has not 1 to 256 characters',
  ),
  recordTooLarge: (bytesMax: number) =>
    reason(0x83, UNAVAILABLE, `payload and partition key together may have ${bytesMax} bytes in this stream`),
  noStream: (stream: string) => reason(0x83, UNAVAILABLE, `there is no stream "${stream}"`),
  busy: reason(0x97, UNAVAILABLE, 'the stream takes no more at the moment: try again later'),
  failed: reason(0x80, UNAVAILABLE, 'the message could not be stored'),
} as const;
