/**
 * `POST /tables/<operation>`: maintenance of the catalogue's tables, for `sluice table`. The body is a JSON object with
 * `database`, `table` and the operation's options. The answer is NDJSON, sent as it comes: any number of lines
 * `{"progress": …}`, and one last line `{"result": …}` or `{"error": …}`. A client that goes away ends the operation;
 * what it had committed stays.
 */
import type { LongWork, Progress } from '@sluice/delta';
import { PlatformError } from '../../base/errors.ts';
import type { CatalogErrorCode, TableMaintenance, TableName } from '../../modules/catalog/index.ts';
import type { Logger } from '../../ports/observe.ts';
import { AwsError, errorTable } from '../aws-json/index.ts';
import type { Route, RouteRequest, StreamedAnswer } from '../http/index.ts';
import { flag, invalid, needed, readBody, text, texts, whole } from './table-requests.ts';

export interface TableRoutesOptions {
  readonly maintenance: TableMaintenance;
  readonly logger: Logger;
  /** The service name that requests are signed for. */
  readonly signedFor: string;
}

/** A line of the answer. */
export type TableAnswer =
  | { readonly progress: Progress }
  | { readonly result: unknown }
  | { readonly error: { readonly __type: string; readonly message: string } };

type OperationEvent = TableAnswer | { readonly failed: unknown };

/** Starts an operation, given the body. */
type Start = (body: Buffer, work: LongWork) => Promise<unknown>;

const NAME = { database: text, table: text };
const HOUR_MS = 3_600_000;

export function createTableRoutes({ maintenance, logger, signedFor }: TableRoutesOptions): Route[] {
  return Object.entries(operationsOf(maintenance)).map(([operation, start]) => ({
    method: 'POST',
    path: `/tables/${operation}`,
    signedFor,
    handle: async (request) => answerOf(request, start, logger),
  }));
}

function operationsOf(maintenance: TableMaintenance): Record<string, Start> {
  return {
    async history(body) {
      const { limit, ...name } = readBody(body, { ...NAME, limit: whole });
      return maintenance.history(nameOf(name), { limit });
    },
    async detail(body) {
      return maintenance.detail(nameOf(readBody(body, NAME)));
    },
    async optimize(body, work) {
      const members = {
        ...NAME,
        where: text,
        zOrderBy: texts,
        full: flag,
        purge: flag,
        targetFileSizeBytes: whole,
      };
      const { database, table, ...options } = readBody(body, members);
      return maintenance.optimize(nameOf({ database, table }), { ...options, ...work });
    },
    async vacuum(body, work) {
      const members = { ...NAME, retentionHours: whole, dryRun: flag, retentionCheck: flag };
      const { database, table, retentionHours, ...options } = readBody(body, members);
      const retention = retentionHours === undefined ? {} : { retentionMs: retentionHours * HOUR_MS };
      return maintenance.vacuum(nameOf({ database, table }), { ...options, ...retention, ...work });
    },
    async restore(body, work) {
      const members = { ...NAME, version: whole, timestampMs: whole };
      const { version, timestampMs, ...name } = readBody(body, members);
      if ((version === undefined) === (timestampMs === undefined)) {
        throw invalid('One of the members "version" and "timestampMs" is needed.');
      }
      const to = version === undefined ? { timestampMs: timestampMs ?? 0 } : { version };
      return maintenance.restore(nameOf(name), { ...to, ...work });
    },
    async diff(body) {
      const { from, to, ...name } = readBody(body, { ...NAME, from: whole, to: whole });
      const range = { from: needed(from, 'from'), ...(to === undefined ? {} : { to }) };
      return maintenance.diff(nameOf(name), range);
    },
    async fsck(body, work) {
      const { database, table, ...options } = readBody(body, { ...NAME, dryRun: flag, deep: flag });
      return maintenance.fsck(nameOf({ database, table }), { ...options, ...work });
    },
  };
}

function nameOf(name: { database?: string | undefined; table?: string | undefined }): TableName {
  return { database: needed(name.database, 'database'), table: needed(name.table, 'table') };
}

/**
 * Resolves once the operation has something to tell: what fails before it says anything is answered with a status of its
 * own.
 */
async function answerOf(request: RouteRequest, start: Start, logger: Logger): Promise<StreamedAnswer> {
  const events = new Latest<OperationEvent>();
  const outcome = start(request.body, {
    signal: request.signal,
    onProgress: (progress) => events.offer({ progress }),
  }).then(
    (result): OperationEvent => ({ result }),
    (error: unknown): OperationEvent => ({ failed: error }),
  );
  const first = await Promise.race([outcome, events.next()]);
  if ('failed' in first) throw errorOf(first.failed, logger);
  const chunks = async function* (): AsyncGenerator<string, void, undefined> {
    for (let event: OperationEvent = first; ; event = await Promise.race([outcome, events.next()])) {
      yield `${JSON.stringify('failed' in event ? errorLine(event.failed, logger) : event)}\n`;
      if (!('progress' in event)) return;
    }
  };
  return { status: 200, contentType: 'application/x-ndjson', chunks: chunks() };
}

/** Keeps the newest of the values offered until it is taken: a slow reader misses the ones between. */
class Latest<Value> {
  #value: Value | undefined;
  #waiting: PromiseWithResolvers<Value> | undefined;

  offer(value: Value): void {
    if (this.#waiting === undefined) this.#value = value;
    else this.#waiting.resolve(value);
    this.#waiting = undefined;
  }

  /** One call at a time may wait. */
  next(): Promise<Value> {
    if (this.#value !== undefined) {
      const value = this.#value;
      this.#value = undefined;
      return Promise.resolve(value);
    }
    this.#waiting ??= Promise.withResolvers<Value>();
    return this.#waiting.promise;
  }
}

const mapped = errorTable<CatalogErrorCode>({
  'database-not-found': { type: 'EntityNotFoundException', status: 404 },
  'table-not-found': { type: 'EntityNotFoundException', status: 404 },
  'database-exists': { type: 'AlreadyExistsException' },
  'table-exists': { type: 'AlreadyExistsException' },
  'database-not-empty': { type: 'InvalidInputException' },
  invalid: { type: 'InvalidInputException' },
  unsupported: { type: 'UnsupportedOperationException' },
  'concurrent-change': { type: 'ConcurrentModificationException', status: 409 },
});

/** The library's own errors are for the operator's eyes; everything else is told to the log alone. */
function errorOf(error: unknown, logger: Logger): AwsError {
  if (error instanceof AwsError) return error;
  const known = mapped(error);
  if (known !== undefined) return known;
  const isTold = error instanceof PlatformError || (error instanceof Error && error.name === 'DeltaError');
  logger.error({ err: error }, 'the maintenance of a table failed');
  return isTold
    ? new AwsError('TableMaintenanceException', error.message, 500)
    : new AwsError('InternalFailure', 'The request failed inside Sluice.', 500);
}

function errorLine(error: unknown, logger: Logger): TableAnswer {
  const { type, message } = errorOf(error, logger);
  return { error: { __type: type, message } };
}
