import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AwsError } from './service.ts';

const inflateGzip = promisify(gunzip);

/** The body as it was before `Content-Encoding`; throws the error to answer with. */
export async function inflate(body: Buffer, encoding: string, bytesMax: number): Promise<Buffer> {
  const name = encoding.trim().toLowerCase();
  if (name === 'identity' || name === '') return body;
  if (name !== 'gzip') {
    throw new AwsError(
      'SerializationException',
      `The content encoding ${JSON.stringify(encoding.slice(0, 64))} is not supported: send the body as it is, or as gzip.`,
    );
  }
  try {
    return await inflateGzip(body, { maxOutputLength: bytesMax });
  } catch (cause) {
    if (cause instanceof RangeError) {
      throw new AwsError(
        'RequestEntityTooLargeException',
        `The body is larger than ${bytesMax} bytes once inflated.`,
        413,
      );
    }
    throw new AwsError('SerializationException', 'The body is declared as gzip and is not.');
  }
}
