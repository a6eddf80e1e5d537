/** The operations of `sluice table`, by the wire's names, with what each takes and gives. */
import type {
  CommitSummary,
  DiffSummary,
  FsckResult,
  Progress,
  RestoreResult,
  RewriteResult,
  TableDetail,
  VacuumResult,
} from '@sluice/delta';

export interface Operations {
  readonly history: { readonly options: { limit?: number }; readonly result: readonly CommitSummary[] };
  readonly detail: { readonly options: object; readonly result: TableDetail };
  readonly optimize: {
    readonly options: { where?: string; zOrderBy?: string[]; full?: boolean; purge?: boolean };
    readonly result: RewriteResult;
  };
  readonly vacuum: {
    readonly options: { retentionHours?: number; dryRun?: boolean; retentionCheck?: boolean };
    readonly result: VacuumResult;
  };
  readonly restore: {
    readonly options: { version: number } | { timestampMs: number };
    readonly result: RestoreResult;
  };
  readonly diff: { readonly options: { from: number; to?: number }; readonly result: DiffSummary };
  readonly fsck: { readonly options: { dryRun?: boolean; deep?: boolean }; readonly result: FsckResult };
}

export type OperationName = keyof Operations;

/** Runs operations on one table. */
export interface TableOperator {
  run<Name extends OperationName>(
    name: Name,
    options: Operations[Name]['options'],
    work: { readonly onProgress: (progress: Progress) => void; readonly signal: AbortSignal },
  ): Promise<Operations[Name]['result']>;
}
