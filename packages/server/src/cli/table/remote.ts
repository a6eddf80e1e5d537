/** Operations on a table of a server's catalogue, by the server (`POST /tables/<operation>`, NDJSON). */
import { request as requestHttp, type IncomingMessage } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import type { Progress } from '@sluice/delta';
import type { TableAnswer } from '../../edge/admin/index.ts';
import { noAnswer, refusal, type Connection } from '../connection.ts';
import { CliError } from '../exit.ts';
import { readError, SERVICE, signedHeaders } from '../signed-get.ts';
import type { TableOperator } from './operations.ts';

/** Bytes of an answer that tells of a failure. */
const ERROR_BYTES_MAX = 100_000;

export function remoteOperator(
  connection: Connection,
  name: { readonly database: string; readonly table: string },
): TableOperator {
  return {
    async run(operation, options, { onProgress, signal }) {
      const body = JSON.stringify({ database: name.database, table: name.table, ...options });
      const response = await post(connection, `/tables/${operation}`, { body, signal });
      if (response.statusCode !== 200) throw await failureOf(response, connection);
      return (await lastLine(response, { connection, onProgress, signal })) as never;
    },
  };
}

/** Not `fetch`, which gives up when nothing comes for five minutes. */
function post(
  connection: Connection,
  path: string,
  { body, signal }: { body: string; signal: AbortSignal },
): Promise<IncomingMessage> {
  const url = new URL(path, connection.endpoint);
  const signed = { service: SERVICE, now: new Date(), method: 'POST', body } as const;
  const headers = {
    ...signedHeaders(url, connection, signed),
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  const send = url.protocol === 'https:' ? requestHttps : requestHttp;
  return new Promise((resolve, reject) => {
    const sent = send(url, { method: 'POST', headers, signal, agent: false }, resolve);
    sent.once('error', (error) => reject(signal.aborted ? signal.reason : noAnswer(connection, error)));
    sent.end(body);
  });
}

async function lastLine(
  response: IncomingMessage,
  {
    connection,
    onProgress,
    signal,
  }: {
    connection: Connection;
    onProgress: (progress: Progress) => void;
    signal: AbortSignal;
  },
): Promise<unknown> {
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })) {
      const answer = JSON.parse(line) as TableAnswer;
      if ('progress' in answer) onProgress(answer.progress);
      else if ('result' in answer) return answer.result;
      else throw refusal(connection, { type: answer.error.__type, message: answer.error.message });
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
  signal.throwIfAborted();
  throw new CliError(`${connection.endpoint} ended its answer before the operation had ended`, {
    hint: 'See the history of the table for what was committed, then run the command again.',
  });
}

async function failureOf(response: IncomingMessage, connection: Connection): Promise<CliError> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text = (text + String(chunk)).slice(0, ERROR_BYTES_MAX);
  }
  const { __type: type = `HTTP status ${response.statusCode}`, message = text.slice(0, 300) } =
    readError(text);
  return refusal(connection, { type, message });
}
