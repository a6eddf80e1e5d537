import { connect, type Socket } from 'node:net';
import { connect as connectHttp2 } from 'node:http2';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a socket gives until it is closed. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

export async function post(
  url: string,
  target: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; type: string; message: string; body: string; headers: Headers }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `Kinesis_20131202.${target}`,
      ...headers,
    },
    body,
  });
  const text = await response.text();
  const error =
    text === '' ? {} : (JSON.parse(text) as { __type?: string; message?: string; Message?: string });
  return {
    status: response.status,
    type: error.__type ?? '',
    message: error.message ?? error.Message ?? '',
    body: text,
    headers: response.headers,
  };
}

/** One HTTP/2 request with prior knowledge. */
export function postHttp2(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(url);
    session.on('error', reject);
    const stream = session.request({ ':method': 'POST', ':path': '/', ...headers });
    let answered: Readonly<Record<string, string>> = {};
    let text = '';
    stream.on('response', (found) => (answered = found as Readonly<Record<string, string>>));
    stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    stream.on('error', () => {});
    stream.on('close', () => {
      session.close();
      resolve({ status: Number(answered[':status']), headers: answered, body: text });
    });
    stream.end(body);
  });
}
