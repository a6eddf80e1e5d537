/** The Athena API over the query module (Amazon Athena, API of 2017-05-18), in the one work group `primary`. */
import { PlatformError } from '../../base/errors.ts';
import type { Query, QueryErrorCode, QueryExecution } from '../../modules/query/index.ts';
import {
  AwsError,
  boolean,
  errorTable,
  integer,
  list,
  required,
  string,
  structure,
  type AwsService,
  type Operation,
  type RequestContext,
} from '../aws-json/index.ts';
import { athenaExecution, CATALOG, WORK_GROUP } from './executions.ts';
import { columnInfo, headerRow, row } from './results.ts';
import { UNSUPPORTED } from './unsupported.ts';

/** What the API needs of the query module. */
export type QueryDoor = Pick<Query, 'start' | 'execution' | 'list' | 'stop' | 'results'>;

export interface AthenaOptions {
  readonly query: QueryDoor;
}

export function createAthenaService({ query }: AthenaOptions): AwsService {
  return {
    name: 'athena',
    targetPrefix: 'AmazonAthena',
    timestampMembers: new Set(['SubmissionDateTime', 'CompletionDateTime']),
    validationError: 'InvalidRequestException',
    unsupportedError: 'InvalidRequestException',
    messageMember: 'Message',
    operations: { ...runningOperations(query), ...readingOperations(query) },
    unsupported: UNSUPPORTED,
    mapError: errorTable(ERRORS),
  };
}

const INVALID = { type: 'InvalidRequestException', members: { AthenaErrorCode: 'INVALID_INPUT' } } as const;
const ERRORS = {
  'execution-not-found': INVALID,
  'not-succeeded': INVALID,
  'result-missing': INVALID,
  invalid: INVALID,
  unsupported: INVALID,
  'too-many-queued': {
    type: 'TooManyRequestsException',
    members: { Reason: 'CONCURRENT_QUERY_LIMIT_EXCEEDED' },
  },
  'storage-full': { type: 'InternalServerException', status: 500 },
} satisfies Record<QueryErrorCode, object>;

const invalid = (message: string): AwsError => new AwsError(INVALID.type, message, 400, INVALID.members);

const executionId = string({ lengthMin: 1, lengthMax: 128, pattern: '\\S+' });
const nextToken = string({ lengthMin: 1, lengthMax: 1_024 });
const workGroup = string({ pattern: '[a-zA-Z0-9._-]{1,128}' });
const catalogName = string({
  lengthMin: 1,
  lengthMax: 256,
  pattern: '[\\u0020-\\uD7FF\\uE000-\\uFFFD\\uD800\\uDC00-\\uDBFF\\uDFFF\\t]*',
});
const ONE_WORK_GROUP = 'primary is the one work group';

interface Start {
  readonly QueryString: string;
  readonly ClientRequestToken?: string;
  readonly QueryExecutionContext?: { readonly Database?: string; readonly Catalog?: string };
  readonly WorkGroup?: string;
  readonly ResultReuseConfiguration?: {
    readonly ResultReuseByAgeConfiguration?: { readonly Enabled: boolean };
  };
}
interface OfExecution {
  readonly QueryExecutionId: string;
}
interface Paged {
  readonly NextToken?: string;
  readonly MaxResults?: number;
}

const NO_OBJECT_STORE =
  'results are kept in the data directory and read with GetQueryResults; an object store is not in this version';

function runningOperations(query: QueryDoor): Record<string, Operation> {
  return {
    StartQueryExecution: {
      input: structure({
        QueryString: required(string({ lengthMin: 1, lengthMax: 262_144 })),
        ClientRequestToken: string({ lengthMin: 32, lengthMax: 128 }),
        QueryExecutionContext: structure({
          Database: string({ lengthMin: 1, lengthMax: 255 }),
          Catalog: catalogName,
        }),
        ResultConfiguration: structure({}),
        WorkGroup: workGroup,
        ResultReuseConfiguration: structure({
          ResultReuseByAgeConfiguration: structure({
            Enabled: required(boolean()),
            MaxAgeInMinutes: integer({ min: 0, max: 10_080 }),
          }),
        }),
      }),
      refused: {
        'ResultConfiguration.OutputLocation': NO_OBJECT_STORE,
        'ResultConfiguration.EncryptionConfiguration': NO_OBJECT_STORE,
        'ResultConfiguration.ExpectedBucketOwner': NO_OBJECT_STORE,
        'ResultConfiguration.AclConfiguration': NO_OBJECT_STORE,
        EngineConfiguration: 'the engine of the work group is not configured by queries',
        ExecutionParameters: 'parameters of statements are not in this version',
      },
      different: {
        'QueryExecutionContext.Catalog': `${CATALOG} is the one catalogue`,
        WorkGroup: ONE_WORK_GROUP,
        ResultReuseConfiguration: 'results are not reused; Enabled: true is refused',
      },
      async handle(input: Start, { principal }: RequestContext) {
        checkWorkGroup(input.WorkGroup);
        const { Database, Catalog } = input.QueryExecutionContext ?? {};
        if (Catalog !== undefined && Catalog.toLowerCase() !== CATALOG.toLowerCase()) {
          throw invalid(`Data catalog ${Catalog} was not found. The one catalogue is ${CATALOG}.`);
        }
        if (input.ResultReuseConfiguration?.ResultReuseByAgeConfiguration?.Enabled === true) {
          throw invalid(
            'ResultReuseConfiguration with Enabled: true is not supported by this version of Sluice',
          );
        }
        const id = await query.start({
          sql: input.QueryString,
          principal,
          ...(Database === undefined ? {} : { database: Database }),
          ...(input.ClientRequestToken === undefined ? {} : { clientRequestToken: input.ClientRequestToken }),
        });
        return { QueryExecutionId: id };
      },
    },
    StopQueryExecution: {
      input: structure({ QueryExecutionId: required(executionId) }),
      async handle({ QueryExecutionId }: OfExecution) {
        await query.stop(QueryExecutionId);
        return {};
      },
    },
  };
}

const EXECUTIONS_MAX = 50;
const ROWS_MAX = 1_000;

function readingOperations(query: QueryDoor): Record<string, Operation> {
  return {
    GetQueryExecution: {
      input: structure({ QueryExecutionId: required(executionId) }),
      async handle({ QueryExecutionId }: OfExecution) {
        return { QueryExecution: athenaExecution(await query.execution(QueryExecutionId)) };
      },
    },
    BatchGetQueryExecution: {
      input: structure({
        QueryExecutionIds: required(list(executionId, { lengthMin: 1, lengthMax: EXECUTIONS_MAX })),
      }),
      handle: ({ QueryExecutionIds }: { QueryExecutionIds: readonly string[] }) =>
        batchGet(query, QueryExecutionIds),
    },
    ListQueryExecutions: {
      input: structure({
        NextToken: nextToken,
        MaxResults: integer({ min: 0, max: EXECUTIONS_MAX }),
        WorkGroup: workGroup,
      }),
      different: { WorkGroup: ONE_WORK_GROUP },
      async handle({ NextToken, MaxResults, WorkGroup }: Paged & { WorkGroup?: string }) {
        checkWorkGroup(WorkGroup);
        const { ids, next } = await query.list({
          ...(NextToken === undefined ? {} : { token: NextToken }),
          limit: MaxResults === undefined || MaxResults === 0 ? EXECUTIONS_MAX : MaxResults,
        });
        return { QueryExecutionIds: ids, NextToken: next };
      },
    },
    GetQueryResults: {
      input: structure({
        QueryExecutionId: required(executionId),
        NextToken: nextToken,
        MaxResults: integer({ min: 1, max: ROWS_MAX }),
      }),
      refused: { QueryResultType: 'results are given as rows' },
      handle: (input: OfExecution & Paged) => results(query, input),
    },
  };
}

/** A page after one that held the header row alone. */
const AFTER_HEADER = 'after-header';

async function results(
  query: QueryDoor,
  { QueryExecutionId, NextToken, MaxResults }: OfExecution & Paged,
): Promise<object> {
  const execution = await query.execution(QueryExecutionId);
  refuseUnfinished(execution);
  const withHeader = NextToken === undefined && execution.statementType === 'DML';
  const limit = (MaxResults ?? ROWS_MAX) - (withHeader ? 1 : 0);
  const page = await query.results(QueryExecutionId, {
    ...(NextToken === undefined || NextToken === AFTER_HEADER ? {} : { token: NextToken }),
    limit: Math.max(1, limit),
  });
  const rows = limit === 0 ? [] : page.rows;
  const next = limit === 0 && page.rows.length > 0 ? AFTER_HEADER : limit === 0 ? undefined : page.next;
  const columns = page.columns.map(columnInfo);
  return {
    UpdateCount: 0,
    ResultSet: {
      Rows: [...(withHeader && columns.length > 0 ? [headerRow(page.columns)] : []), ...rows.map(row)],
      ResultSetMetadata: { ColumnInfo: columns },
    },
    NextToken: next,
  };
}

function refuseUnfinished({ state, reason }: QueryExecution): void {
  if (state === 'SUCCEEDED') return;
  if (state === 'QUEUED' || state === 'RUNNING') {
    throw invalid(`Query has not yet finished. Current state: ${state}`);
  }
  throw invalid(
    `Query did not finish successfully. Final query state: ${state}${reason === undefined ? '' : ` (${reason})`}`,
  );
}

async function batchGet(query: QueryDoor, ids: readonly string[]): Promise<object> {
  const QueryExecutions: object[] = [];
  const UnprocessedQueryExecutionIds: object[] = [];
  for (const id of ids) {
    try {
      QueryExecutions.push(athenaExecution(await query.execution(id)));
    } catch (error) {
      if (!(error instanceof PlatformError) || error.code !== 'execution-not-found') throw error;
      UnprocessedQueryExecutionIds.push({
        QueryExecutionId: id,
        ErrorCode: 'INVALID_INPUT',
        ErrorMessage: error.message,
      });
    }
  }
  return { QueryExecutions, UnprocessedQueryExecutionIds };
}

function checkWorkGroup(name: string | undefined): void {
  if (name !== undefined && name !== WORK_GROUP) {
    throw invalid(`WorkGroup ${name} is not found. The one work group is ${WORK_GROUP}.`);
  }
}
