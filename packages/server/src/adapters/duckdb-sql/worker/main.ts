/**
 * The process that runs users' SQL. It has an empty environment, answers its parent's messages, and ends at once when
 * the parent is gone, it was told to, or it holds more memory than it may: nothing in it needs saving.
 */
import { assert } from '../../../base/assert.ts';
import type { DuckDBConnection } from '@duckdb/node-api';
import { SqlError } from '../../../ports/sql-engine.ts';
import { toSqlError } from '../engine-errors.ts';
import type { EngineSettings, FromWorker, ToWorker } from '../protocol.ts';
import { Statements, type UseConnection } from './statements.ts';

const MEMORY_CHECK_MS = 250;
/** What the process itself and the engine's allocations outside of its buffers may take. */
const MEMORY_OVERHEAD_BYTES = 512 * 1_048_576;

const running = new Map<number, { cancelled: boolean; connection?: DuckDBConnection }>();
let statements: Promise<Statements> | undefined;
let hidden: readonly string[] = [];

process.on('disconnect', endNow);
process.on('message', (message) => {
  void receive(message as ToWorker);
});

async function receive(message: ToWorker): Promise<void> {
  if ('cancel' in message) {
    const operation = running.get(message.cancel);
    if (operation) {
      operation.cancelled = true;
      operation.connection?.interrupt();
    }
    return;
  }
  const { id } = message;
  const state: { cancelled: boolean; connection?: DuckDBConnection } = { cancelled: false };
  running.set(id, state);
  try {
    const ok = await answer(message, (connection) => {
      if (state.cancelled) throw new SqlError({ code: 'cancelled', message: 'the query was cancelled' });
      state.connection = connection;
    });
    send({ id, ok });
  } catch (error) {
    const { code, message: text, hint } = toSqlError(error, hidden);
    // An interrupt can surface as another error of whatever was going on.
    send({
      id,
      error: {
        code: state.cancelled ? 'cancelled' : code,
        message: text,
        ...(hint !== undefined && { hint }),
      },
    });
  } finally {
    running.delete(id);
  }
}

async function answer(message: Exclude<ToWorker, { cancel: number }>, use: UseConnection): Promise<unknown> {
  if (message.operation === 'configure') {
    assert(statements === undefined, 'the engine is configured once');
    watchMemory(message.request);
    hidden = [...message.request.dataDirectories, message.request.temporaryDirectory];
    statements = Statements.open(message.request);
    await statements;
    return null;
  }
  assert(statements !== undefined, 'the engine is configured first');
  const engine = await statements;
  switch (message.operation) {
    case 'analyse':
      return engine.analyse(message.request, use);
    case 'conditions':
      return engine.conditions(message.request, use);
    case 'run':
      return engine.run(message.request, use);
  }
}

function watchMemory(settings: EngineSettings): void {
  const max = settings.memoryBytesMax * 1.5 + MEMORY_OVERHEAD_BYTES;
  setInterval(() => {
    if (process.memoryUsage.rss() > max) {
      process.send?.({ dying: 'it held more memory than it may' } satisfies FromWorker, endNow);
      setTimeout(endNow, MEMORY_CHECK_MS);
    }
  }, MEMORY_CHECK_MS).unref();
}

function send(message: FromWorker): void {
  // A broken channel means that the parent is gone, which `disconnect` tells.
  if (process.connected) process.send?.(message, () => {});
}

/** Without the engine's own shutdown, which waits for statements that may not stop. */
function endNow(): void {
  process.kill(process.pid, 'SIGKILL');
}
