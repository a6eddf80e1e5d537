/** The Glue Data Catalog API over the catalogue module (AWS Glue, API of 2017-03-31). */
import type { Catalog, CatalogErrorCode, Database } from '../../modules/catalog/index.ts';
import {
  AwsError,
  boolean,
  errorTable,
  list,
  oneOf,
  required,
  structure,
  type AwsService,
  type Operation,
  type RequestContext,
} from '../aws-json/index.ts';
import {
  CATALOG_ID_DIFFERENT,
  databaseInput,
  expression,
  name,
  pageSize,
  shareType,
  TABLE_DIFFERENT,
  TABLE_REFUSED,
  tableInput as tableInputShape,
  token,
} from './members.ts';
import { glueTable, tableInput, type GlueTableInput } from './tables.ts';
import { UNSUPPORTED } from './unsupported.ts';

export interface GlueOptions {
  readonly catalog: Catalog;
}

export function createGlueService({ catalog }: GlueOptions): AwsService {
  return {
    name: 'glue',
    targetPrefix: 'AWSGlue',
    timestampMembers: new Set(['CreateTime', 'UpdateTime']),
    validationError: 'ValidationException',
    unsupportedError: 'InvalidInputException',
    messageMember: 'Message',
    operations: { ...databaseOperations(catalog), ...tableOperations(catalog) },
    unsupported: UNSUPPORTED,
    mapError: errorTable(ERRORS),
  };
}

const ERRORS = {
  'database-not-found': { type: 'EntityNotFoundException' },
  'database-exists': { type: 'AlreadyExistsException' },
  'database-not-empty': { type: 'InvalidInputException' },
  'table-not-found': { type: 'EntityNotFoundException' },
  'table-exists': { type: 'AlreadyExistsException' },
  invalid: { type: 'InvalidInputException' },
  unsupported: { type: 'InvalidInputException' },
  'concurrent-change': { type: 'ConcurrentModificationException' },
} satisfies Record<CatalogErrorCode, object>;

interface InCatalog {
  readonly CatalogId?: string;
}
interface OfDatabase extends InCatalog {
  readonly DatabaseName: string;
}
interface Named extends InCatalog {
  readonly Name: string;
}
interface Paged extends InCatalog {
  readonly NextToken?: string;
  readonly MaxResults?: number;
  readonly AttributesToGet?: readonly string[];
}

const ICEBERG_NAME = 'it names Iceberg tables: give TableInput.Name';
const PAGE_SIZE = 100;
const page = ({ NextToken, MaxResults }: Paged) => ({
  ...(NextToken === undefined || NextToken === '' ? {} : { token: NextToken }),
  limit: MaxResults ?? PAGE_SIZE,
});

function databaseOperations(catalog: Catalog): Record<string, Operation> {
  const different = CATALOG_ID_DIFFERENT;
  return {
    CreateDatabase: {
      input: structure({ CatalogId: name, DatabaseInput: required(databaseInput) }),
      refused: {
        'DatabaseInput.CreateTableDefaultPermissions':
          'permissions of Lake Formation are not in this version',
        'DatabaseInput.TargetDatabase': 'links to databases of other catalogues are not in this version',
        'DatabaseInput.FederatedDatabase': 'federated databases are not in this version',
        Tags: 'tags of databases are not in this version',
      },
      different: {
        ...different,
        'DatabaseInput.LocationUri': 'a file:// URI; without it a directory in the data directory',
      },
      async handle(input: InCatalog & { DatabaseInput: GlueDatabaseInput }, context) {
        checkCatalog(input, context);
        const { Name, Description, LocationUri, Parameters } = input.DatabaseInput;
        await catalog.createDatabase({
          name: Name,
          ...(Description === undefined ? {} : { description: Description }),
          ...(LocationUri === undefined ? {} : { locationUri: LocationUri }),
          ...(Parameters === undefined ? {} : { parameters: Parameters }),
        });
        return {};
      },
    },
    GetDatabase: {
      input: structure({ CatalogId: name, Name: required(name) }),
      different,
      async handle(input: Named, context) {
        checkCatalog(input, context);
        return { Database: glueDatabase(await catalog.database(input.Name), context) };
      },
    },
    GetDatabases: {
      input: structure({
        CatalogId: name,
        NextToken: token,
        MaxResults: pageSize,
        ResourceShareType: shareType,
        AttributesToGet: list(oneOf('NAME')),
      }),
      different: {
        ...different,
        ResourceShareType: 'ALL is the own databases; FOREIGN and FEDERATED give none',
      },
      async handle(input: Paged & { ResourceShareType?: string }, context) {
        checkCatalog(input, context);
        if (input.ResourceShareType !== undefined && input.ResourceShareType !== 'ALL')
          return { DatabaseList: [] };
        const { items, next } = await catalog.databases(page(input));
        const named = input.AttributesToGet?.includes('NAME') === true;
        return {
          DatabaseList: items.map((item) => (named ? { Name: item.name } : glueDatabase(item, context))),
          NextToken: next,
        };
      },
    },
    DeleteDatabase: {
      input: structure({ CatalogId: name, Name: required(name) }),
      different: { ...different, Name: 'a database that still holds tables is refused' },
      async handle(input: Named, context) {
        checkCatalog(input, context);
        await catalog.deleteDatabase(input.Name);
        return {};
      },
    },
  };
}

function tableOperations(catalog: Catalog): Record<string, Operation> {
  const reading = {
    TransactionId: TABLE_REFUSED['TransactionId']!,
    QueryAsOfTime: 'older versions of the entry are not kept; read older data with SQL',
    AuditContext: 'audit records of Lake Formation are not in this version',
    IncludeStatusDetails: 'changes of tables have no status: they are done when the answer comes',
  };
  return {
    CreateTable: {
      input: structure({
        CatalogId: name,
        DatabaseName: required(name),
        TableInput: required(tableInputShape),
      }),
      refused: {
        ...TABLE_REFUSED,
        Name: ICEBERG_NAME,
        PartitionIndexes: 'partition indexes are not in this version; the log of a Delta table is one',
        OpenTableFormatInput: 'Iceberg tables are not in this version',
      },
      different: { ...CATALOG_ID_DIFFERENT, ...TABLE_DIFFERENT },
      async handle(input: OfDatabase & { TableInput: GlueTableInput }, context) {
        checkCatalog(input, context);
        await catalog.createTable(input.DatabaseName, tableInput(input.TableInput));
        return {};
      },
    },
    GetTable: {
      input: structure({ CatalogId: name, DatabaseName: required(name), Name: required(name) }),
      refused: { ...reading, AttributesToGet: 'the whole entry is given' },
      different: CATALOG_ID_DIFFERENT,
      async handle(input: OfDatabase & Named, context) {
        checkCatalog(input, context);
        return {
          Table: glueTable(await catalog.table(input.DatabaseName, input.Name), context.principal.accountId),
        };
      },
    },
    GetTables: {
      input: structure({
        CatalogId: name,
        DatabaseName: required(name),
        Expression: expression,
        NextToken: token,
        MaxResults: pageSize,
        AttributesToGet: list(oneOf('NAME', 'TABLE_TYPE')),
      }),
      refused: { ...reading, ResourceShareType: 'tables are not shared between catalogues' },
      different: CATALOG_ID_DIFFERENT,
      async handle(input: OfDatabase & Paged & { Expression?: string }, context) {
        checkCatalog(input, context);
        const { items, next } = await catalog.tables(input.DatabaseName, {
          ...page(input),
          ...(input.Expression === undefined ? {} : { expression: input.Expression }),
        });
        const wanted = input.AttributesToGet ?? [];
        return {
          TableList: items.map((item) =>
            wanted.length === 0
              ? glueTable(item, context.principal.accountId)
              : { Name: item.name, ...(wanted.includes('TABLE_TYPE') ? { TableType: item.tableType } : {}) },
          ),
          NextToken: next,
        };
      },
    },
    UpdateTable: {
      input: structure({
        CatalogId: name,
        DatabaseName: required(name),
        TableInput: required(tableInputShape),
        SkipArchive: boolean(),
      }),
      refused: {
        ...TABLE_REFUSED,
        Name: ICEBERG_NAME,
        UpdateOpenTableFormatInput: 'Iceberg tables are not in this version',
        VersionId: 'versions of the entry are not kept, so there is none to compare with',
        ViewUpdateAction: 'views are not in this version',
        Force: 'there is nothing that it could override',
      },
      different: {
        ...CATALOG_ID_DIFFERENT,
        ...TABLE_DIFFERENT,
        SkipArchive: 'older versions of the entry are never kept; false is refused',
        'TableInput.StorageDescriptor.Columns':
          'new columns are added to the Delta log; other changes are refused',
      },
      async handle(input: OfDatabase & { TableInput: GlueTableInput; SkipArchive?: boolean }, context) {
        checkCatalog(input, context);
        if (input.SkipArchive === false) {
          throw new AwsError(
            'InvalidInputException',
            'SkipArchive: false is not supported by this version of Sluice: older versions of the entry are not kept. The versions of the data are in the Delta log.',
          );
        }
        await catalog.updateTable(input.DatabaseName, tableInput(input.TableInput));
        return {};
      },
    },
    DeleteTable: {
      input: structure({ CatalogId: name, DatabaseName: required(name), Name: required(name) }),
      refused: { TransactionId: TABLE_REFUSED['TransactionId']! },
      different: CATALOG_ID_DIFFERENT,
      async handle(input: OfDatabase & Named, context) {
        checkCatalog(input, context);
        await catalog.deleteTable(input.DatabaseName, input.Name);
        return {};
      },
    },
  };
}

interface GlueDatabaseInput {
  readonly Name: string;
  readonly Description?: string;
  readonly LocationUri?: string;
  readonly Parameters?: Readonly<Record<string, string>>;
}

const glueDatabase = (database: Database, { principal }: RequestContext): object => ({
  Name: database.name,
  Description: database.description,
  LocationUri: database.locationUri,
  Parameters: database.parameters,
  CreateTime: database.createdMs / 1_000,
  CreateTableDefaultPermissions: [],
  CatalogId: principal.accountId,
});

function checkCatalog({ CatalogId }: InCatalog, { principal }: RequestContext): void {
  if (CatalogId !== undefined && CatalogId !== principal.accountId) {
    throw new AwsError(
      'EntityNotFoundException',
      `Catalog ${CatalogId} not found. The catalogue of this server is ${principal.accountId}.`,
    );
  }
}
