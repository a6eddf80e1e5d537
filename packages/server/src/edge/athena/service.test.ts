import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { PlatformError } from '../../base/errors.ts';
import type { QueryExecution, StartQuery } from '../../modules/query/index.ts';
import { AwsError, type RequestContext } from '../aws-json/index.ts';
import { JSON_1_1 } from '../aws-json/json-wire.ts';
import { columnInfo } from './results.ts';
import { createAthenaService, type AthenaOptions } from './index.ts';

const CONTEXT: RequestContext = {
  principal: { accountId: '000000000000', name: 'root' },
  region: 'eu-west-1',
  requestId: 'request',
  signal: new AbortController().signal,
  wire: JSON_1_1,
};
const EXECUTION: QueryExecution = {
  id: 'q1',
  sql: 'select 1',
  database: 'd',
  state: 'SUCCEEDED',
  statementType: 'DML',
  submittedMs: 1_000,
  startedMs: 1_100,
  endedMs: 1_500,
  bytesScanned: 7,
  engineMs: 250.4,
  planningMs: 20,
  resultFile: '/data/results/a b.csv',
  tables: [],
};
const ROWS = [['1'], ['2'], [undefined]];

function service(execution: Partial<QueryExecution> = {}, rows: (string | undefined)[][] = ROWS) {
  const started: StartQuery[] = [];
  const query: AthenaOptions['query'] = {
    start: async (input) => {
      started.push(input);
      return 'q1';
    },
    execution: async (id) => {
      if (id !== 'q1')
        throw new PlatformError({
          code: 'execution-not-found',
          message: `QueryExecution ${id} was not found`,
        });
      return { ...EXECUTION, ...execution };
    },
    list: async () => ({ ids: ['q1'] }),
    stop: async () => {},
    async results(_id, { token, limit }) {
      assert.ok(limit >= 1);
      const start = Number(token ?? 0);
      const page = rows.slice(start, start + limit);
      const end = start + page.length;
      return {
        columns: [{ name: 'n', type: 'bigint', nullable: true }],
        rows: page,
        ...(end < rows.length ? { next: String(end) } : {}),
      };
    },
  };
  const { operations } = createAthenaService({ query });
  const call = async (name: string, input: object) =>
    (await operations[name]!.handle(input as never, CONTEXT)) as Record<string, unknown>;
  return { call, started };
}

interface Page {
  readonly ResultSet: { readonly Rows: { readonly Data: { readonly VarCharValue?: string }[] }[] };
  readonly NextToken?: string;
}

suite('Athena', () => {
  for (const MaxResults of [1, 2, 3, 4, 1_000, undefined]) {
    test(`pages of ${String(MaxResults)} give the header once and every row`, async () => {
      const { call } = service();
      const values: (string | undefined)[] = [];
      let NextToken: string | undefined;
      do {
        const page = (await call('GetQueryResults', {
          QueryExecutionId: 'q1',
          MaxResults,
          NextToken,
        })) as unknown as Page;
        assert.ok(page.ResultSet.Rows.length <= (MaxResults ?? 1_000));
        values.push(...page.ResultSet.Rows.map(({ Data }) => Data[0]?.VarCharValue));
        ({ NextToken } = page);
      } while (NextToken !== undefined);
      assert.deepEqual(values, ['n', '1', '2', undefined]);
    });
  }
  test('an empty result is a header, and a result of SHOW has none', async () => {
    const empty = (await service({}, []).call('GetQueryResults', {
      QueryExecutionId: 'q1',
      MaxResults: 1,
    })) as unknown as Page;
    assert.equal(empty.ResultSet.Rows.length, 1);
    assert.equal(empty.NextToken, undefined);
    const show = (await service({ statementType: 'UTILITY' }).call('GetQueryResults', {
      QueryExecutionId: 'q1',
    })) as unknown as Page;
    assert.equal(show.ResultSet.Rows.length, 3);
  });
  test('results of what has not succeeded are refused', async () => {
    const running = service({ state: 'RUNNING' }).call('GetQueryResults', { QueryExecutionId: 'q1' });
    await assert.rejects(running, { message: 'Query has not yet finished. Current state: RUNNING' });
    const failed = service({ state: 'FAILED', reason: 'no such table' }).call('GetQueryResults', {
      QueryExecutionId: 'q1',
    });
    await assert.rejects(failed, /Final query state: FAILED \(no such table\)/);
  });
  test('a fault that the caller can mend is an invalid request', () => {
    const { mapError } = createAthenaService({ query: {} as AthenaOptions['query'] });
    for (const code of ['execution-not-found', 'not-succeeded', 'result-missing', 'invalid', 'unsupported'])
      assert.equal(mapError(new PlatformError({ code, message: 'why' }))?.type, 'InvalidRequestException');
  });
  test('an execution is described in the units of AWS', async () => {
    const { QueryExecution } = (await service().call('GetQueryExecution', { QueryExecutionId: 'q1' })) as {
      QueryExecution: Record<string, object>;
    };
    assert.deepEqual(QueryExecution['ResultConfiguration'], {
      OutputLocation: 'file:///data/results/a%20b.csv',
    });
    assert.deepEqual(JSON.parse(JSON.stringify(QueryExecution['Status'])), {
      State: 'SUCCEEDED',
      SubmissionDateTime: 1,
      CompletionDateTime: 1.5,
    });
    assert.deepEqual(QueryExecution['Statistics'], {
      EngineExecutionTimeInMillis: 250,
      DataScannedInBytes: 7,
      TotalExecutionTimeInMillis: 500,
      QueryQueueTimeInMillis: 100,
      QueryPlanningTimeInMillis: 20,
      ServiceProcessingTimeInMillis: 130,
      ResultReuseInformation: { ReusedPreviousResult: false },
    });
  });
  test('start hands on what it can and refuses the rest', async () => {
    const { call, started } = service();
    await call('StartQueryExecution', {
      QueryString: 'select 1',
      QueryExecutionContext: { Database: 'd', Catalog: 'awsdatacatalog' },
      ClientRequestToken: 't',
      WorkGroup: 'primary',
      ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: false } },
    });
    assert.deepEqual(started, [
      { sql: 'select 1', principal: CONTEXT.principal, database: 'd', clientRequestToken: 't' },
    ]);
    for (const changes of [
      { WorkGroup: 'other' },
      { QueryExecutionContext: { Catalog: 'other' } },
      { ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: true } } },
    ]) {
      await assert.rejects(
        call('StartQueryExecution', { QueryString: 'select 1', ...changes }),
        (error) => error instanceof AwsError && error.type === 'InvalidRequestException',
      );
    }
    assert.equal(started.length, 1);
  });
  test('a batch names those that it did not find', async () => {
    const answer = await service().call('BatchGetQueryExecution', { QueryExecutionIds: ['q1', 'q2'] });
    assert.equal((answer['QueryExecutions'] as object[]).length, 1);
    assert.deepEqual(answer['UnprocessedQueryExecutionIds'], [
      { QueryExecutionId: 'q2', ErrorCode: 'INVALID_INPUT', ErrorMessage: 'QueryExecution q2 was not found' },
    ]);
  });
  test('columns carry precision and scale of their type', () => {
    const facts = (type: string) => {
      const { Type, Precision, Scale, CaseSensitive } = columnInfo({
        name: 'c',
        type,
        nullable: true,
      }) as Record<string, unknown>;
      return [Type, Precision, Scale, CaseSensitive];
    };
    assert.deepEqual(facts('decimal(10,2)'), ['decimal', 10, 2, false]);
    assert.deepEqual(facts('bigint'), ['bigint', 19, 0, false]);
    assert.deepEqual(facts('varchar'), ['varchar', 2_147_483_647, 0, true]);
    assert.deepEqual(facts('varchar(5)'), ['varchar', 5, 0, true]);
    assert.deepEqual(facts('timestamp with time zone'), ['timestamp with time zone', 3, 0, false]);
    assert.deepEqual(facts('array(bigint)'), ['array', 0, 0, false]);
    assert.deepEqual(facts('row(a bigint)'), ['row', 0, 0, false]);
  });
});
