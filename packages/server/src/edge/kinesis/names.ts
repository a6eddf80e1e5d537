/** Which stream a request means: by its name, its ARN or both. */
import { PlatformError } from '../../base/errors.ts';
import type { StreamDescription, Streams } from '../../modules/streams/index.ts';
import { ACCOUNT_ID, invalid, notActive, streamNotFound } from './errors.ts';
import type { StreamInput } from './inputs.ts';

const ARN = /^arn:aws[^:]*:kinesis:[^:]*:(\d{12}):stream\/(\S+)$/;

export function arnOf(name: string, region: string): string {
  return `arn:aws:kinesis:${region}:${ACCOUNT_ID}:stream/${name}`;
}

export function nameOf({ StreamName: name, StreamARN: arn }: StreamInput): string {
  if (arn === undefined) {
    if (name === undefined) throw invalid('Either StreamName or StreamARN must be provided.');
    return name;
  }
  const [, account = '', named = ''] = ARN.exec(arn) ?? [];
  if (name !== undefined && name !== named)
    throw invalid(`StreamName ${name} does not match the StreamARN ${arn}.`);
  if (account !== ACCOUNT_ID) throw streamNotFound(named, account);
  return named;
}

const CONSUMER_ARN = /\/consumer\/[^/]+:\d+$/;

/** The stream that a resource's ARN names; throws for a consumer's, and for another account's. */
export function streamOfResource(arn: string): string {
  if (CONSUMER_ARN.test(arn)) throw invalid(`The resource ${arn} is a consumer; only streams have policies.`);
  return nameOf({ StreamARN: arn });
}

/** Runs `work`, and says as Kinesis does which stream is missing. */
export function found<Result>(name: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw asMissing(name, error);
  }
}

/** As {@link found}, for work that takes its time. */
export async function foundLater<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw asMissing(name, error);
  }
}

export function asMissing(name: string, error: unknown): unknown {
  return error instanceof PlatformError && error.code === 'stream-not-found' ? streamNotFound(name) : error;
}

/** Streams of deliveries are not there for this protocol. */
export function describePublic(streams: Streams, name: string): StreamDescription {
  const description = found(name, () => streams.describe(name));
  if (description.internal) throw streamNotFound(name);
  return description;
}

/** As {@link describePublic}, of a stream that can be changed now. */
export function describeActive(streams: Streams, name: string): StreamDescription {
  const description = describePublic(streams, name);
  if (description.status !== 'ACTIVE') throw notActive(name, description.status);
  return description;
}
