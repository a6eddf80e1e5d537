/** One AWS JSON call to a `--dev` server, without an SDK: what a bench needs around its load. */
import { Agent, request } from 'node:http';

const agent = new Agent({ keepAlive: true });
const TARGETS = {
  kinesis: 'Kinesis_20131202',
  firehose: 'Firehose_20150804',
  glue: 'AWSGlue',
  athena: 'AmazonAthena',
} as const;

export type AwsServiceName = keyof typeof TARGETS;

/** Resolves with the decoded answer; rejects with the error's type and message. */
export async function awsCall<Answer = Record<string, unknown>>(
  url: string,
  service: AwsServiceName,
  operation: string,
  input: object | string,
): Promise<Answer> {
  const body = typeof input === 'string' ? input : JSON.stringify(input);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const call = request(url, {
    agent,
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'content-length': Buffer.byteLength(body),
      'x-amz-target': `${TARGETS[service]}.${operation}`,
      authorization: `AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`,
    },
  });
  call.on('error', reject);
  call.on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      if (response.statusCode === 200) resolve((text === '' ? {} : JSON.parse(text)) as Answer);
      else reject(new Error(`${operation}: ${response.statusCode} ${text}`));
    });
  });
  call.end(body);
  return await promise;
}
