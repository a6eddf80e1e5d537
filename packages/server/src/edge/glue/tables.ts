import type { HiveColumn, Table, TableInput } from '../../modules/catalog/index.ts';
import { AwsError } from '../aws-json/index.ts';

export interface GlueColumn {
  readonly Name: string;
  readonly Type?: string;
  readonly Comment?: string;
}

export interface GlueTableInput {
  readonly Name: string;
  readonly Description?: string;
  readonly Owner?: string;
  readonly Retention?: number;
  readonly StorageDescriptor?: GlueStorage;
  readonly PartitionKeys?: readonly GlueColumn[];
  readonly TableType?: string;
  readonly Parameters?: Readonly<Record<string, string>>;
}

interface GlueStorage extends KeptStorage {
  readonly Columns?: readonly GlueColumn[];
  readonly Location?: string;
  readonly NumberOfBuckets?: number;
  readonly BucketColumns?: readonly string[];
  readonly SortColumns?: readonly unknown[];
}

/** What Glue describes and a Delta log knows nothing of: kept for the clients that set it. */
interface KeptStorage {
  readonly InputFormat?: string;
  readonly OutputFormat?: string;
  readonly Compressed?: boolean;
  readonly SerdeInfo?: object;
  readonly Parameters?: Readonly<Record<string, string>>;
  readonly StoredAsSubDirectories?: boolean;
}

interface Kept {
  readonly retention?: number;
  readonly storage?: KeptStorage;
}

/** The parameter that carries what is kept; not shown to clients. */
const KEPT_PARAMETER = 'sluice.glue.kept';

export function tableInput(input: GlueTableInput): TableInput {
  const storage = input.StorageDescriptor ?? {};
  refuseLayout(storage);
  if (input.Parameters !== undefined && Object.hasOwn(input.Parameters, KEPT_PARAMETER)) {
    throw new AwsError('InvalidInputException', `The parameter ${KEPT_PARAMETER} is reserved.`);
  }
  const { Columns, Location, NumberOfBuckets: _n, BucketColumns: _b, SortColumns: _s, ...rest } = storage;
  const kept: Kept = {
    ...(input.Retention === undefined ? {} : { retention: input.Retention }),
    ...(Object.keys(rest).length === 0 ? {} : { storage: rest }),
  };
  return {
    name: input.Name,
    ...(input.Description === undefined ? {} : { description: input.Description }),
    ...(input.Owner === undefined ? {} : { owner: input.Owner }),
    ...(input.TableType === undefined ? {} : { tableType: input.TableType }),
    columns: (Columns ?? []).map(hiveColumn),
    partitionKeys: (input.PartitionKeys ?? []).map(hiveColumn),
    ...(Location === undefined || Location === '' ? {} : { location: Location }),
    parameters: {
      ...input.Parameters,
      ...(Object.keys(kept).length === 0 ? {} : { [KEPT_PARAMETER]: JSON.stringify(kept) }),
    },
  };
}

export function glueTable(table: Table, catalogId: string): object {
  const { [KEPT_PARAMETER]: keptText, ...parameters } = table.parameters;
  const kept = keptText === undefined ? {} : (JSON.parse(keptText) as Kept);
  return {
    Name: table.name,
    DatabaseName: table.database,
    Description: table.description,
    Owner: table.owner,
    CreateTime: table.createdMs / 1_000,
    UpdateTime: table.updatedMs / 1_000,
    Retention: kept.retention ?? 0,
    StorageDescriptor: {
      Columns: table.columns.map(glueColumn),
      Location: table.location,
      Compressed: false,
      NumberOfBuckets: 0,
      SortColumns: [],
      StoredAsSubDirectories: false,
      ...kept.storage,
    },
    PartitionKeys: table.partitionKeys.map(glueColumn),
    TableType: table.tableType,
    Parameters: parameters,
    IsRegisteredWithLakeFormation: false,
    CatalogId: catalogId,
    VersionId: String(table.versionId),
  };
}

function refuseLayout({ NumberOfBuckets, BucketColumns, SortColumns }: GlueStorage): void {
  const member =
    (NumberOfBuckets ?? 0) > 0
      ? 'NumberOfBuckets'
      : (BucketColumns ?? []).length > 0
        ? 'BucketColumns'
        : (SortColumns ?? []).length > 0
          ? 'SortColumns'
          : undefined;
  if (member === undefined) return;
  throw new AwsError(
    'InvalidInputException',
    `TableInput.StorageDescriptor.${member} is not supported by this version of Sluice: Delta tables have neither buckets nor a kept order`,
  );
}

function hiveColumn({ Name, Type, Comment }: GlueColumn): HiveColumn {
  if (Type === undefined || Type === '') {
    throw new AwsError('InvalidInputException', `The column ${Name} has no Type.`);
  }
  return { name: Name, type: Type, ...(Comment === undefined ? {} : { comment: Comment }) };
}

const glueColumn = ({ name, type, comment }: HiveColumn): object => ({
  Name: name,
  Type: type,
  Comment: comment,
});
