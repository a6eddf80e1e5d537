/** The bounds of the MQTT listener, in one place. */
export interface MqttLimits {
  readonly connectionsMax: number;
  /** Of one message; what a stream takes of a record may be less. */
  readonly payloadBytesMax: number;
  /** From the connection to its CONNECT. */
  readonly handshakeMsMax: number;
  /** From the last word of the server to the end of the socket. */
  readonly lingerMsMax: number;
  /** What a client may ask for at most, and what it gets when it asks for none (MQTT 5 only). */
  readonly keepAliveSecondsMax: number;
  /** Read from a connection and not yet in a stream; beyond it the connection isn't read. */
  readonly pendingBytesMax: number;
  readonly pendingMessagesMax: number;
  /** Of one append. */
  readonly batchMessagesMax: number;
  readonly batchBytesMax: number;
  /** Appends of one batch while the log is overloaded, before its messages are refused. */
  readonly attemptsMax: number;
  readonly retryMsFirst: number;
  readonly subscriptionsMax: number;
}

/** A CONNECT without a will, and everything of a PUBLISH but its payload: two strings of 64 KiB and properties. */
export const ENVELOPE_BYTES_MAX = 256 * 1024;

export const MQTT_LIMITS: MqttLimits = {
  connectionsMax: 10_000,
  payloadBytesMax: 1024 * 1024,
  handshakeMsMax: 10_000,
  lingerMsMax: 1_000,
  keepAliveSecondsMax: 3_600,
  pendingBytesMax: 4 * 1024 * 1024,
  pendingMessagesMax: 1_024,
  batchMessagesMax: 500,
  batchBytesMax: 4 * 1024 * 1024,
  attemptsMax: 7,
  retryMsFirst: 50,
  subscriptionsMax: 1_000,
};
