import manifest from '../../package.json' with { type: 'json' };
import type { CommitInfo } from '../log/actions.ts';

/** Names this library in the commits that it writes. */
export const ENGINE_INFO = `Sluice-Delta/${manifest.version}`;

export interface OperationDescription {
  readonly operation: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly operationMetrics?: Readonly<Record<string, number>>;
  readonly userMetadata?: string | undefined;
  readonly isBlindAppend: boolean;
  readonly readVersion?: number;
  readonly isolation?: string;
  readonly timestampMs: number;
  readonly txnId: string;
}

/** A commitInfo in the form of Delta's own writers: parameters and metrics as text, nested ones as JSON. */
export function describeCommit(description: OperationDescription): CommitInfo & { readonly txnId: string } {
  const { operationParameters = {}, operationMetrics, userMetadata } = description;
  return {
    timestamp: description.timestampMs,
    operation: description.operation,
    operationParameters: Object.fromEntries(
      Object.entries(operationParameters).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    ),
    ...(operationMetrics === undefined
      ? {}
      : {
          operationMetrics: Object.fromEntries(
            Object.entries(operationMetrics).map(([name, value]) => [name, String(value)]),
          ),
        }),
    ...(description.readVersion === undefined ? {} : { readVersion: description.readVersion }),
    ...(description.isolation === undefined ? {} : { isolationLevel: description.isolation }),
    isBlindAppend: description.isBlindAppend,
    engineInfo: ENGINE_INFO,
    ...(userMetadata === undefined ? {} : { userMetadata }),
    txnId: description.txnId,
  };
}
