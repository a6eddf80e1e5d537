/**
 * `POST /streams/shards`: what the shards of one stream do now, page by page. The body is a JSON object with `stream`
 * and, of a page, `startAfter` (a shard's id) and `limit`; the answer is a `ShardFactsPage`.
 */
import { PlatformError } from '../../base/errors.ts';
import type { Streams } from '../../modules/streams/index.ts';
import { AwsError } from '../aws-json/index.ts';
import type { Route } from '../http/index.ts';
import { invalid, needed, readBody, text, whole } from './table-requests.ts';

export const SHARDS_PAGE_MAX = 1_000;

export interface ShardFactsOptions {
  readonly streams: Pick<Streams, 'facts'>;
  /** The service name that requests are signed for. */
  readonly signedFor: string;
}

export function createShardFactsRoute({ streams, signedFor }: ShardFactsOptions): Route {
  return {
    method: 'POST',
    path: '/streams/shards',
    signedFor,
    async handle({ body }) {
      const { stream, startAfter, limit = SHARDS_PAGE_MAX } = readBody(body, MEMBERS);
      if (limit < 1 || limit > SHARDS_PAGE_MAX)
        throw invalid(`The member "limit" must be from 1 to ${SHARDS_PAGE_MAX}.`);
      const page = { startAfter, limit };
      const found = await streams.facts.shards(needed(stream, 'stream'), page).catch(refuse);
      return { status: 200, contentType: 'application/json', body: JSON.stringify(found) };
    },
  };
}

const MEMBERS = { stream: text, startAfter: text, limit: whole };

function refuse(error: unknown): never {
  if (error instanceof PlatformError && error.code === 'stream-not-found')
    throw new AwsError('ResourceNotFoundException', error.message, 404);
  throw error;
}
