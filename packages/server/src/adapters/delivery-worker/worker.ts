/** The thread's entry: applies messages to the handler in the order that they come. */
import { parentPort, workerData } from 'node:worker_threads';
import { BatchHandler } from '../../modules/delivery/index.ts';
import { assert } from '../../base/assert.ts';
import { batchFilesIn } from './files.ts';
import { unpackRuns, type FromWorker, type ToWorker } from './protocol.ts';

const port = parentPort;
assert(port !== null, 'this file runs as a worker');
const handler = new BatchHandler(batchFilesIn((workerData as { directory: string }).directory));
/** Batches whose `open` failed; told by the next call. */
const failed = new Map<number, unknown>();

port.on('message', (message: ToWorker) => {
  if (message.op === 'open') {
    try {
      handler.open(message.batch, message.request);
    } catch (error) {
      failed.set(message.batch, error);
    }
    return;
  }
  port.postMessage(answer(message));
});

function answer(message: Exclude<ToWorker, { op: 'open' }>): FromWorker {
  const { batch, call } = message;
  try {
    if (message.op === 'discard') {
      failed.delete(batch);
      handler.discard(batch);
      return { call, ok: true, sealed: undefined };
    }
    if (failed.has(batch)) throw failed.get(batch);
    if (message.op === 'seal') return { call, ok: true, sealed: handler.seal(batch) };
    handler.add(batch, unpackRuns(message.runs));
    return { call, ok: true, sealed: undefined };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
    return { call, ok: false, message: error instanceof Error ? error.message : String(error), code };
  }
}
