/** Adds and drops CHECK constraints. */
import { type AlterResult, commitChange } from '../alter/commit-change.ts';
import { type RowCheck, withSession } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import { CONSTRAINT_PREFIX } from '../properties/documented.ts';
import { upgradedProtocol } from '../protocol/features.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { scanFiles } from '../scan/scan-files.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { rowCheck } from './table-checks.ts';
import { refusal } from './spark-tokens.ts';
import { translateExpression } from './translate.ts';

/** Characters of a row that an error shows. */
const SAMPLE_CHARS_MAX = 300;

/**
 * Adds a CHECK constraint, after reading that every row there is meets it. The name is kept in lower case; the
 * expression is a condition of Spark SQL, broken where it is NULL. Throws `invalid-expression` for one that can't be
 * used, `invalid-property` for a name that is taken or empty, and `constraint`, with a row, where rows break it.
 */
export async function addConstraint(
  context: TableContext,
  { name, expression }: { readonly name: string; readonly expression: string },
): Promise<AlterResult> {
  const key = CONSTRAINT_PREFIX + name.toLowerCase();
  if (!/^[^\s.`"]+$/.test(name)) throw invalid(`"${name}" can't be the name of a constraint`);
  return commitChange(context, async (state) => {
    const { configuration } = state.metadata;
    if (configuration[key] !== undefined) {
      throw invalid(`there is a constraint "${name}" already: ${configuration[key]}`);
    }
    const { type, columns } = translateExpression(expression, state.schema);
    if (type !== 'boolean') throw refusal(expression, 'it is no condition');
    if (columns.length === 0) throw refusal(expression, 'it reads no column');
    await assertRowsMeet(context, {
      state,
      check: rowCheck({ name: `the CHECK constraint ${name.toLowerCase()}`, expression }, state.schema),
    });
    const metaData = { ...state.metadata, configuration: { ...configuration, [key]: expression } };
    const protocol = upgradedProtocol(state.protocol, state.schema, { features: ['checkConstraints'] });
    return {
      operation: 'ADD CONSTRAINT',
      operationParameters: { name: name.toLowerCase(), expr: expression },
      actions: [...(protocol === state.protocol ? [] : [{ protocol }]), { metaData }],
      // Rows that others add meanwhile must be read as well.
      reads: { kind: 'rows', mayMatch: () => true },
    };
  });
}

/** Drops a CHECK constraint. Throws `invalid-property` for one that isn't there, unless `ifExists`. */
export async function dropConstraint(
  context: TableContext,
  { name, ifExists = false }: { readonly name: string; readonly ifExists?: boolean },
): Promise<AlterResult> {
  const key = CONSTRAINT_PREFIX + name.toLowerCase();
  return commitChange(context, ({ metadata }) => {
    const { [key]: expression, ...configuration } = metadata.configuration;
    if (expression === undefined && !ifExists) throw invalid(`there is no constraint "${name}"`);
    const actions: Action[] = expression === undefined ? [] : [{ metaData: { ...metadata, configuration } }];
    return {
      operation: 'DROP CONSTRAINT',
      operationParameters: {
        name: name.toLowerCase(),
        ...(expression === undefined ? {} : { expr: expression }),
      },
      actions,
    };
  });
}

async function assertRowsMeet(
  context: TableContext,
  { state, check }: { state: TableState; check: RowCheck },
): Promise<void> {
  const files = [...state.files.files()];
  if (files.length === 0) return;
  let release = (): void => undefined;
  const sql = await scanFiles(context, state, files, { onRelease: (free) => (release = free) });
  const members = state.schema.fields.map(
    ({ name }) => `${quoteIdentifier(name)} := ${quoteIdentifier(name)}`,
  );
  const row = `left(CAST(to_json(struct_pack(${members.join(', ')})) AS VARCHAR), ${SAMPLE_CHARS_MAX})`;
  const [broken] = await withSession(context.io.engine, (session) =>
    session.rows(`SELECT ${row} FROM (${sql}) WHERE NOT (${check.sql}) LIMIT 1`),
  ).finally(() => release());
  if (broken === undefined) return;
  throw new DeltaError({
    code: 'constraint',
    message: `rows of the table break ${check.name}, such as ${String(broken[0])}`,
  });
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-property', message });
}
