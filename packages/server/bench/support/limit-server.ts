/** What a good implementation approaches: JSON, base64, one file, group commit, sequence numbers, and nothing else. */
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, writevSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const directory = mkdtempSync(join(process.env['BENCH_DIRECTORY'] ?? tmpdir(), 'limit-'));
const file = openSync(join(directory, 'segment'), 'w');
const records: Buffer[] = [];
let waiting: { buffers: Buffer[]; done: () => void }[] = [];
let syncing = false;

function commit(): void {
  if (syncing || waiting.length === 0) return;
  syncing = true;
  const group = waiting;
  waiting = [];
  const buffers = group.flatMap((entry) => entry.buffers);
  for (let first = 0; first < buffers.length; first += 1024)
    writevSync(file, buffers.slice(first, first + 1024));
  fdatasync(file, () => {
    syncing = false;
    for (const entry of group) entry.done();
    commit();
  });
}

type Record = { Data: string; PartitionKey: string };
const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString()) as {
      Records?: Record[];
      From?: number;
    } & Record;
    if (body.From !== undefined) {
      const page = records.slice(body.From, body.From + 10_000);
      const text = page.map(
        (data, index) => `{"SequenceNumber":"${index}","Data":"${data.toString('base64')}"}`,
      );
      return void response.end(`{"Records":[${text.join(',')}]}`);
    }
    const puts = body.Records ?? [body];
    const buffer = Buffer.allocUnsafeSlow(puts.reduce((sum, put) => sum + put.Data.length, 0));
    let at = 0;
    for (const put of puts) {
      const start = at;
      at += buffer.write(put.Data, at, 'base64');
      if (records.length < 20_000) records.push(buffer.subarray(start, at));
    }
    const done = (): void => {
      const first = records.length;
      const text = puts.map(
        (_, index) => `{"SequenceNumber":"${first + index}","ShardId":"shardId-000000000000"}`,
      );
      response.end(body.Records ? `{"FailedRecordCount":0,"Records":[${text.join(',')}]}` : text[0]);
    };
    waiting.push({ buffers: [buffer.subarray(0, at)], done });
    commit();
  });
});
server.listen(0, '127.0.0.1', () =>
  console.log(`ready http://127.0.0.1:${(server.address() as { port: number }).port}`),
);
process.on('SIGTERM', () => {
  closeSync(file);
  rmSync(directory, { recursive: true });
  process.exit();
});
