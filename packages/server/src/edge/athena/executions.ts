import type { QueryExecution } from '../../modules/query/index.ts';

export const WORK_GROUP = 'primary';
export const CATALOG = 'AwsDataCatalog';

/** An execution as Athena describes it. */
export function athenaExecution(execution: QueryExecution): object {
  const { database, endedMs, startedMs, submittedMs, reason, state } = execution;
  const totalMs = (endedMs ?? submittedMs) - submittedMs;
  const queuedMs = Math.max(0, (startedMs ?? endedMs ?? submittedMs) - submittedMs);
  return {
    QueryExecutionId: execution.id,
    Query: execution.sql,
    StatementType: execution.statementType,
    ResultConfiguration: { OutputLocation: `file://${encodeURI(execution.resultFile)}` },
    QueryExecutionContext: { ...(database === undefined ? {} : { Database: database }), Catalog: CATALOG },
    Status: {
      State: state,
      StateChangeReason: reason,
      SubmissionDateTime: submittedMs / 1_000,
      CompletionDateTime: endedMs === undefined ? undefined : endedMs / 1_000,
      // Category 3 is "other": the engine doesn't say whose fault it was.
      AthenaError:
        state === 'FAILED' ? { ErrorCategory: 3, Retryable: false, ErrorMessage: reason } : undefined,
    },
    Statistics: {
      EngineExecutionTimeInMillis: Math.round(execution.engineMs),
      DataScannedInBytes: execution.bytesScanned,
      TotalExecutionTimeInMillis: Math.round(totalMs),
      QueryQueueTimeInMillis: Math.round(queuedMs),
      QueryPlanningTimeInMillis: Math.round(execution.planningMs),
      ServiceProcessingTimeInMillis: Math.max(
        0,
        Math.round(totalMs - queuedMs - execution.planningMs - execution.engineMs),
      ),
      ResultReuseInformation: { ReusedPreviousResult: false },
    },
    WorkGroup: WORK_GROUP,
    EngineVersion: { SelectedEngineVersion: 'AUTO', EffectiveEngineVersion: 'Sluice' },
  };
}
