/** Opaque tokens: shard iterators and page tokens. They carry a checksum, so that one that was made up is refused. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { AwsError } from '../aws-json/index.ts';

/** How long a token is good for, as Kinesis has it. */
export const TOKEN_LIFE_MS = 300_000;
const MAC_BYTES = 12;

export interface ShardIterator {
  readonly uid: number;
  readonly offset: number;
  readonly stream: string;
  readonly shardId: string;
}

export interface Page {
  readonly kind: 'streams' | 'shards' | 'consumers';
  readonly stream: string;
  readonly after: string;
  /** When the stream was created, so that a page does not go on in another stream of the same name. */
  readonly createdMs: number;
  /** What the listing was narrowed to, as text. */
  readonly filter?: string | undefined;
}

export class Tokens {
  readonly #secret: string | Uint8Array;

  constructor(secret: string | Uint8Array) {
    this.#secret = secret;
  }

  iterator(iterator: ShardIterator, nowMs: number): string {
    return this.#seal(['iterator', nowMs, iterator.uid, iterator.offset, iterator.stream, iterator.shardId]);
  }

  /** Throws InvalidArgumentException for what is no iterator and ExpiredIteratorException for an old one. */
  openIterator(token: string, nowMs: number): ShardIterator {
    const parts = this.#open(token);
    if (parts?.[0] !== 'iterator') throw new AwsError('InvalidArgumentException', 'Invalid ShardIterator.');
    const [, issuedMs, uid, offset, stream, shardId] = parts as [
      string,
      number,
      number,
      number,
      string,
      string,
    ];
    if (nowMs - issuedMs > TOKEN_LIFE_MS)
      throw new AwsError(
        'ExpiredIteratorException',
        `Iterator expired. The iterator was created at time ${dateText(issuedMs)} while right now it is ${dateText(nowMs)} which is further in the future than the tolerated delay of ${TOKEN_LIFE_MS} milliseconds.`,
      );
    return { uid, offset, stream, shardId };
  }

  page(page: Page, nowMs: number): string {
    return this.#seal([page.kind, nowMs, page.stream, page.after, page.createdMs, page.filter ?? '']);
  }

  openPage(token: string, kind: Page['kind'], nowMs: number): Page {
    const parts = this.#open(token);
    if (parts?.[0] !== kind) throw new AwsError('InvalidArgumentException', 'Invalid NextToken.');
    const [, issuedMs, stream, after, createdMs, filter] = parts as [
      string,
      number,
      string,
      string,
      number,
      string,
    ];
    if (nowMs - issuedMs > TOKEN_LIFE_MS)
      throw new AwsError(
        'ExpiredNextTokenException',
        `NextToken expired. It was created at ${dateText(issuedMs)}.`,
      );
    return { kind, stream, after, createdMs, filter: filter || undefined };
  }

  #seal(parts: readonly (string | number)[]): string {
    const body = Buffer.from(JSON.stringify(parts));
    return Buffer.concat([this.#mac(body), body]).toString('base64');
  }

  #open(token: string): unknown[] | undefined {
    const bytes = Buffer.from(token, 'base64');
    if (bytes.length <= MAC_BYTES || bytes.toString('base64') !== token) return undefined;
    const body = bytes.subarray(MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(0, MAC_BYTES), this.#mac(body))) return undefined;
    return JSON.parse(body.toString()) as unknown[];
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#secret).update(body).digest().subarray(0, MAC_BYTES);
  }
}

/** As Kinesis prints times: `Thu Jan 22 01:22:02 UTC 2015`. */
function dateText(timeMs: number): string {
  const [weekday, day, month, year, time] = new Date(timeMs).toUTCString().replace(',', '').split(' ');
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}
