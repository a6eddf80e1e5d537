/** Named bounds of the front door. All of them hold for every connection, of a client that signs or of a stranger. */
export interface HttpLimits {
  /** Of one request, as sent and as inflated. */
  readonly bodyBytesMax: number;
  readonly headerBytesMax: number;
  /** From a connection's or a request's first byte to the end of its headers. */
  readonly headersMsMax: number;
  /** To the end of the body. */
  readonly requestMsMax: number;
  /** Without a request on the connection. */
  readonly idleMsMax: number;
  readonly connectionsMax: number;
  /** Received and not yet answered, over all connections; more are asked to come again. */
  readonly bodyBytesTotalMax: number;
  /** Requests at a time of one HTTP/2 connection. */
  readonly streamsPerSessionMax: number;
  /** How long a client that is refused in the middle of its body may go on before its connection is closed. */
  readonly lingerMsMax: number;
  /** How long a stopping server lets requests end. */
  readonly closeMsMax: number;
}

export const HTTP_LIMITS: HttpLimits = {
  bodyBytesMax: 16 * 1024 * 1024,
  headerBytesMax: 32 * 1024,
  headersMsMax: 10_000,
  requestMsMax: 60_000,
  idleMsMax: 75_000,
  connectionsMax: 4_096,
  bodyBytesTotalMax: 256 * 1024 * 1024,
  streamsPerSessionMax: 256,
  lingerMsMax: 2_000,
  closeMsMax: 10_000,
};
