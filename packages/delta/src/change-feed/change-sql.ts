/** Builds the SELECT of a range's changes. */
import { mappingMode, MODE_PROPERTY, PHYSICAL_NAME_KEY } from '../column-mapping/index.ts';
import { scanFiles } from '../scan/scan-files.ts';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { field, type StructType } from '../schema/types.ts';
import type { TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { CHANGE_TYPE, changeSchema, COMMIT_TIMESTAMP, COMMIT_VERSION } from './change-columns.ts';
import type { ChangedFile, ChangedRows, CollectedChanges } from './collect-changes.ts';

const MICROS_PER_MS = 1000;

/** What the SELECTs of a range's changes are built with. */
export interface ChangeSource {
  readonly io: TableIo;
  /** The state at the end of the range. */
  readonly end: TableState;
  /** Is given what lets go of local copies of a remote store's files. */
  readonly onRelease: (release: () => void) => void;
}

/**
 * A SELECT of the changes, with the columns of {@link changeSchema} in its order, that any DuckDB connection whose time
 * zone is UTC can run; no rows if there are no changes. Reads the deletion vectors of the files.
 */
export async function changeSql(source: ChangeSource, changes: CollectedChanges): Promise<string> {
  const { inserted, deleted, recorded, revectored } = changes;
  const { end } = source;
  const branches: string[] = [];
  const add = async (files: readonly ChangedFile[], state: TableState, changeType: string): Promise<void> => {
    if (files.length > 0) branches.push(await wholeFiles(source, { state, files, changeType }));
  };
  await add(inserted, end, quoteText('insert'));
  await add(deleted, end, quoteText('delete'));
  await add(recorded, recordedState(end), quoteIdentifier(CHANGE_TYPE));
  if (revectored.length > 0) branches.push(await someRows(source, revectored));
  return branches.length === 0 ? noRows(changeSchema(end.schema)) : branches.join(' UNION ALL ');
}

/** The state by which files of recorded changes are read: their rows have the change's type as a column. */
function recordedState(end: TableState): TableState {
  const { configuration } = end.metadata;
  const isMapped = mappingMode(end) !== 'none';
  const changeType = field(CHANGE_TYPE, 'string', {
    metadata: isMapped ? { [PHYSICAL_NAME_KEY]: CHANGE_TYPE } : {},
  });
  return {
    ...end,
    schema: { type: 'struct', fields: [...end.schema.fields, changeType] },
    metadata: {
      ...end.metadata,
      // That column has no id; files have the physical names in either mode.
      configuration: isMapped ? { ...configuration, [MODE_PROPERTY]: 'name' } : configuration,
    },
  };
}

async function wholeFiles(
  { io, onRelease }: ChangeSource,
  scan: { readonly state: TableState; readonly files: readonly ChangedFile[]; readonly changeType: string },
): Promise<string> {
  const files = scan.files.map(({ file }) => file);
  const rows = await scanFiles({ io }, scan.state, files, { rowIds: true, onRelease });
  const version = byFile(scan.files.map((changed) => changed.version));
  const micros = byFile(scan.files.map(({ timestampMs }) => timestampMs * MICROS_PER_MS));
  const columns = [
    ...tableColumns(scan.state.schema),
    `${scan.changeType} AS ${CHANGE_TYPE}`,
    `${version} AS ${COMMIT_VERSION}`,
    `make_timestamptz(${micros}) AS ${COMMIT_TIMESTAMP}`,
  ];
  return `SELECT ${columns.join(', ')} FROM (${rows})`;
}

/** The number of the file that a row is of. */
function byFile(numbers: readonly number[]): string {
  const [first] = numbers;
  if (numbers.every((number) => number === first)) return `CAST(${first} AS BIGINT)`;
  return `${bigints(numbers)}[_sluice_file + 1]`;
}

/** Each file once, and of it the rows that some version changed. */
async function someRows(
  { io, end, onRelease }: ChangeSource,
  changed: readonly ChangedRows[],
): Promise<string> {
  const indexes = new Map<string, number>();
  const files = changed
    .filter(({ file }) => !indexes.has(file.path) && indexes.set(file.path, indexes.size))
    .map(({ file }) => file);
  const source = await scanFiles({ io }, end, files, { rowIds: true, onRelease });
  const changes = changed.map(({ file, change, rows, version, timestampMs }) => {
    const members = [indexes.get(file.path), quoteText(change), version, timestampMs * MICROS_PER_MS];
    return `(${[...members, bigints(rows.positions())].join(', ')})`;
  });
  const changedRows =
    `SELECT file, change, version, micros, unnest(positions) AS position ` +
    `FROM (VALUES ${changes.join(', ')}) AS v(file, change, version, micros, positions)`;
  const columns = [
    ...tableColumns(end.schema).map((name) => `r.${name}`),
    `c.change AS ${CHANGE_TYPE}`,
    `CAST(c.version AS BIGINT) AS ${COMMIT_VERSION}`,
    `make_timestamptz(CAST(c.micros AS BIGINT)) AS ${COMMIT_TIMESTAMP}`,
  ];
  return (
    `SELECT ${columns.join(', ')} FROM (${source}) AS r ` +
    `JOIN (${changedRows}) AS c ON r._sluice_file = c.file AND r._sluice_row = c.position`
  );
}

/** A list of BIGINT; as one text, which is parsed ten times as fast as so many constants. */
function bigints(numbers: Iterable<number>): string {
  return `CAST(string_split('${[...numbers].join(',')}', ',') AS BIGINT[])`;
}

function noRows(schema: StructType): string {
  const columns = schema.fields.map(
    ({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`,
  );
  return `SELECT ${columns.join(', ')} LIMIT 0`;
}

function tableColumns({ fields }: StructType): string[] {
  return fields.filter(({ name }) => name !== CHANGE_TYPE).map(({ name }) => quoteIdentifier(name));
}
