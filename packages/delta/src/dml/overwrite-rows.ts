import { replacedSchema } from '../alter/replace-schema.ts';
import type { RowSource } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import { type Action, type AddFile, type MetadataAction } from '../log/actions.ts';
import { removeOf } from '../maintenance/remove-of.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import type { StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { movedHighWaterMarks } from '../write/identity.ts';
import { writeRules, type WriteRules } from '../write/prepare.ts';
import { providedColumns, withMissingColumns } from '../write/provided-columns.ts';
import { TARGET_ALIAS } from './candidates.ts';
import { rowsToDelete } from './delete-rows.ts';
import { withComputed } from './derived-columns.ts';
import { checkCondition } from './expression.ts';
import { overwriteMetrics, replaceMetrics } from './metrics.ts';
import { writeNewRows } from './new-files.ts';
import { emptyRelation } from './relations.ts';
import type { ChangeCounts } from './row-changes.ts';
import {
  type Attempt,
  type Change,
  type RowOperationOptions,
  type RowOperationResult,
  runRowOperation,
} from './row-operation.ts';
import { liveRows } from './touched-files.ts';

/**
 * - `whole`: every row of the table.
 * - `partitions`: the rows of those partitions that the source has rows of.
 * - `replaceWhere`: the rows for which a condition is true; every row of the source must meet it.
 */
export type OverwriteMode = 'whole' | 'partitions' | { readonly replaceWhere: string };

export interface OverwriteOptions extends RowOperationOptions {
  readonly source: RowSource;
  readonly mode: OverwriteMode;
  /** Those that the source provides, as of an append; default: all, and of `rows` those that some row has. */
  readonly columns?: readonly string[] | undefined;
  /** With the mode `whole`: the schema that the table has afterwards; default: the one that it has. */
  readonly schema?: StructType | undefined;
  /** With `schema`: the columns that the table is partitioned by afterwards; default: those that it is. */
  readonly partitionColumns?: readonly string[] | undefined;
}

export interface OverwriteFacts {
  readonly rowsInserted: number;
  readonly rowsDeleted: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
}

export type OverwriteResult = RowOperationResult<OverwriteFacts>;

/**
 * Puts the source's rows in the place of others, all or none. Durable and visible on return. Throws `constraint` for a
 * row of the source outside of `replaceWhere`, `invalid-expression` for a condition that can't be used,
 * `invalid-schema`, `invalid-data`, `not-null`, and as `runRowOperation` does.
 */
export async function overwriteRows(
  context: TableContext,
  options: OverwriteOptions,
): Promise<OverwriteResult> {
  const { mode } = options;
  if (mode !== 'whole' && (options.schema ?? options.partitionColumns) !== undefined) {
    const message = "only an overwrite of the mode 'whole' can change the schema";
    throw new DeltaError({ code: 'invalid-schema', message });
  }
  return runRowOperation<OverwriteFacts>(context, {
    name: 'the overwrite',
    removesRows: true,
    options,
    attempt: (attempt) => {
      if (mode === 'whole') return overwriteWhole(attempt, options);
      if (mode === 'partitions') return overwritePartitions(attempt, options);
      return replaceWhere(attempt, options, mode.replaceWhere);
    },
  });
}

async function overwriteWhole(attempt: Attempt, options: OverwriteOptions): Promise<Change<OverwriteFacts>> {
  const { state } = attempt;
  const { partitionColumns } = options;
  const isChange = (options.schema ?? partitionColumns) !== undefined;
  const change = isChange
    ? replacedSchema(state, {
        schema: options.schema ?? state.schema,
        uuid: attempt.context.uuid,
        ...(partitionColumns === undefined ? {} : { partitionColumns }),
      })
    : undefined;
  const files = [...state.files.files()];
  const replaced = await replaceFiles(attempt, {
    options,
    schema: change?.schema ?? state.schema,
    metadata: change?.actions.some((action) => action.metaData) === true ? change.metadata : undefined,
    removed: () => files,
  });
  return {
    ...replaced,
    actions: [...(change?.actions.filter((action) => action.protocol) ?? []), ...replaced.actions],
    reads: { kind: 'rows', mayMatch: () => true },
    parameters: { mode: 'Overwrite', partitionBy: partitionColumns ?? state.metadata.partitionColumns },
  };
}

async function overwritePartitions(
  attempt: Attempt,
  options: OverwriteOptions,
): Promise<Change<OverwriteFacts>> {
  const { state } = attempt;
  const { partitionColumns } = state.metadata;
  if (partitionColumns.length === 0) {
    const message = "the table has no partition columns, so the mode 'partitions' means nothing";
    throw new DeltaError({ code: 'invalid-schema', message, hint: "Use the mode 'whole'." });
  }
  const touched = new Set<string>();
  const replaced = await replaceFiles(attempt, {
    options,
    schema: state.schema,
    metadata: undefined,
    removed: (adds) => {
      for (const add of adds) touched.add(partitionKey(add));
      return [...state.files.files()].filter((file) => touched.has(partitionKey(file)));
    },
  });
  return {
    ...replaced,
    reads: { kind: 'rows', mayMatch: (file) => touched.has(partitionKey(file)) },
    parameters: { mode: 'Overwrite', partitionBy: partitionColumns, isDynamicPartitionOverwrite: true },
  };
}

/** '' means NULL in the log. */
function partitionKey({ partitionValues }: AddFile): string {
  const entries = Object.entries(partitionValues).map(([name, value]) => [name, value === '' ? null : value]);
  return JSON.stringify(entries.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

interface Replacement {
  readonly options: OverwriteOptions;
  readonly schema: StructType;
  readonly metadata: MetadataAction | undefined;
  /** The files that go, once it is known which come. */
  readonly removed: (adds: readonly AddFile[]) => readonly AddFile[];
}

async function replaceFiles(
  attempt: Attempt,
  { options, schema, metadata, removed }: Replacement,
): Promise<Omit<Change<OverwriteFacts>, 'reads' | 'parameters'>> {
  const { state, context } = attempt;
  const { source, rules } = sourceOf(options, { schema, metadata: metadata ?? state.metadata });
  const data = await writeNewRows(attempt, { source, schema, metadata, rules });
  const moved = movedHighWaterMarks({ metadata: metadata ?? state.metadata, schema }, data.rows);
  const files = removed(data.adds);
  attempt.report(
    'write',
    files.length,
    files.reduce((sum, file) => sum + file.size, 0),
  );
  const nowMs = context.now();
  const rowsDeleted = (await liveRows(attempt, files)).reduce((sum, count) => sum + count, 0);
  const metaData = moved?.metadata ?? metadata;
  const actions: Action[] = [
    ...(metaData === undefined ? [] : [{ metaData }]),
    ...files.map((file): Action => ({ remove: removeOf(file, { dataChange: true, nowMs }) })),
    ...data.adds.map((add): Action => ({ add })),
  ];
  const counts = {
    rowsInserted: data.rows,
    rowsDeleted,
    filesRemoved: files.length,
    filesAdded: data.adds.length,
  };
  return {
    actions,
    operation: 'WRITE',
    metrics: overwriteMetrics({
      ...counts,
      rowsCopied: 0,
      bytesAdded: data.bytes,
      bytesRemoved: files.reduce((sum, file) => sum + file.size, 0),
    }),
    facts: counts,
  };
}

async function replaceWhere(
  attempt: Attempt,
  options: OverwriteOptions,
  where: string,
): Promise<Change<OverwriteFacts>> {
  const { session, state } = attempt;
  const from = emptyRelation(state.schema, TARGET_ALIAS);
  const condition = await checkCondition(session, where, { from, what: 'the condition' });
  const { source, rules } = sourceOf(options, state);
  const loaded = await session.load(source, state.schema);
  // Rows are judged as the table would hold them.
  const made = withComputed(normalised(loaded, state), { schema: state.schema, computed: rules.computed });
  await session.run(`CREATE OR REPLACE TEMPORARY TABLE "_sluice_replacing" AS ${made}`);
  const table = '"_sluice_replacing"';
  const [outside] = await session.rows(
    `SELECT count(*) FROM ${table} AS "${TARGET_ALIAS}" WHERE (${condition.sql}) IS NOT TRUE`,
  );
  const strays = Number(outside?.[0] ?? 0);
  if (strays > 0) {
    throw new DeltaError({
      code: 'constraint',
      message: `${strays} row(s) of the source don't meet the condition that they are to replace: ${where}`,
      hint: 'Widen the condition, or leave those rows out.',
    });
  }
  const { actions, counts, mayMatch } = await rowsToDelete(attempt, where, `SELECT * FROM ${table}`);
  return {
    actions,
    reads: { kind: 'rows', mayMatch },
    operation: 'WRITE',
    parameters: { mode: 'Overwrite', partitionBy: state.metadata.partitionColumns, predicate: where },
    metrics: replaceMetrics(counts),
    facts: factsOf(counts),
  };
}

/** In a partition '' is NULL. */
function normalised(table: string, { schema, metadata }: TableState): string {
  const texts = schema.fields.filter(
    ({ name, type }) => type === 'string' && metadata.partitionColumns.includes(name),
  );
  if (texts.length === 0) return `SELECT * FROM ${table}`;
  const replaced = texts.map(
    ({ name }) => `nullif(${quoteIdentifier(name)}, '') AS ${quoteIdentifier(name)}`,
  );
  return `SELECT * REPLACE (${replaced.join(', ')}) FROM ${table}`;
}

/** The source with the columns that it lacks, and what the table makes of its rows. */
function sourceOf(
  options: OverwriteOptions,
  table: Pick<TableState, 'schema' | 'metadata'>,
): { source: RowSource; rules: WriteRules } {
  const { source } = options;
  const named = options.columns === undefined ? { source } : { source, columns: options.columns };
  const columns = providedColumns(named, table.schema);
  return {
    source: withMissingColumns(source, { schema: table.schema, columns }),
    rules: writeRules(table, columns === undefined ? {} : { columns }),
  };
}

function factsOf({ rowsInserted, rowsDeleted, filesRemoved, filesAdded }: ChangeCounts): OverwriteFacts {
  return { rowsInserted, rowsDeleted, filesRemoved, filesAdded };
}
