import { isAscii, isUtf8 } from 'node:buffer';
import { AwsError } from './service.ts';
import { messageMemberOf, type DecodedInput, type Wire, type WireName } from './wire.ts';

export const JSON_1_1 = jsonWire('aws-json-1.1', 'application/x-amz-json-1.1');
export const JSON_1_0 = jsonWire('aws-json-1.0', 'application/x-amz-json-1.0');

function jsonWire(name: WireName, contentType: string): Wire {
  return {
    name,
    format: 'json',
    contentType,
    timestampsPerSecond: 1,
    decode: decodeJson,
    encode: (output) => JSON.stringify(output),
    encodeError: (error, of) =>
      JSON.stringify({ __type: error.type, [messageMemberOf(error, of)]: error.message, ...error.members }),
  };
}

const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/;

function decodeJson(body: Buffer): DecodedInput {
  const text = decodeText(body);
  return {
    input: parseJson(text),
    seen: {
      nulls: body.includes('null'),
      surrogates: body.includes('\\u') && SURROGATE_ESCAPE.test(text),
    },
  };
}

function decodeText(body: Buffer): string {
  if (isAscii(body)) return body.toString('latin1');
  if (isUtf8(body)) return body.toString('utf8');
  throw new AwsError('SerializationException', 'The body is not UTF-8.');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AwsError(
      'SerializationException',
      `The body is not JSON: ${error instanceof Error ? error.message.slice(0, 256) : ''}`,
    );
  }
}
