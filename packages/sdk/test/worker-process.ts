/**
 * A worker of a test: writes a line to its file for each record, before the checkpoint that covers it. Its arguments are
 * the server's URL, the stream, the lease file, the output file, and the mode.
 */
import { appendFile } from 'node:fs/promises';
import { createConsumer, FileLeaseStore } from '../src/index.ts';
import { clientOf } from './sluice-server.ts';
import { FAST } from './fast-limits.ts';

const [url, stream, leaseFile, output, mode] = process.argv.slice(2);
/** SIGUSR2: it dies in the middle of its next batch. */
let isToDie = false;
process.on('SIGUSR2', () => (isToDie = true));
const leases = new FileLeaseStore({ path: leaseFile! });
const consumer = createConsumer({
  client: clientOf(url!),
  stream: stream!,
  application: 'chaos',
  workerId: String(process.pid),
  leases,
  mode: mode === 'fan-out' ? 'fan-out' : 'polling',
  limits: FAST,
  onRecords: async ({ shardId, term, records }) => {
    for (const [index, { partitionKey: key, sequenceNumber, data }] of records.entries()) {
      if (isToDie && index >= records.length / 2) process.kill(process.pid, 'SIGKILL');
      const text = Buffer.from(data).toString();
      const line = { shardId, term, key, sequenceNumber, text, pid: process.pid };
      // A write for each, so that a kill comes between two of them.
      await appendFile(output!, `${JSON.stringify(line)}\n`);
    }
  },
  onEvent: (event) => {
    if (process.env['SLUICE_SDK_TRACE'] === '1' && event.kind !== 'batch-processed')
      console.error(
        process.pid,
        JSON.stringify(event, (_, v) => (v instanceof Error ? String(v) : v)),
      );
  },
});
await consumer.start();
console.log('started');
process.on('SIGTERM', () => {
  void consumer.stop().then(() => {
    leases.close();
    process.exit(0);
  });
});
