import type { IncomingHttpHeaders } from 'node:http';
import type { Principal } from '../../modules/identity/index.ts';

/** What a signature covers. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly path: string;
  /** Lower-case names; over HTTP/2 also the pseudo-headers. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
}

export interface Caller {
  readonly principal: Principal;
  /** The region that the client speaks to: Sluice is in any. */
  readonly region: string;
}

/** Says who calls the service, or throws the `AwsError` to answer with. */
export type Authenticate = (request: SignedRequest, service: string) => Caller;
