/** Sets a table's properties, its comment and its column mapping. */
import { DeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import { columnMappingMode } from '../properties/table-properties.ts';
import { DOCUMENTED_PROPERTIES, CONSTRAINT_PREFIX, FEATURE_PREFIX } from '../properties/documented.ts';
import { canonicalPropertyName, resolveProperties } from '../properties/requested-properties.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { type AlterResult, commitChange } from './commit-change.ts';
import { schemaChange } from './schema-change.ts';

type Properties = Readonly<Record<string, string>>;

/**
 * Sets properties; those given as null are removed. What needs a table feature upgrades the protocol in the same
 * commit, to the lowest one that has it. Throws `invalid-property` for a `delta.*` property that is not honoured, a
 * value out of its range, one that the library keeps itself, and a change of column mapping other than from none to
 * `name`.
 */
export async function setProperties(
  context: TableContext,
  properties: Readonly<Record<string, string | null>>,
): Promise<AlterResult> {
  const set = Object.fromEntries(
    Object.entries(properties).filter((entry): entry is [string, string] => entry[1] !== null),
  );
  const removed = Object.keys(properties)
    .filter((name) => properties[name] === null)
    .map(canonicalPropertyName);
  for (const name of removed) assertRemovable(name);
  const requested = resolveProperties(set);
  return commitChange(context, (state) => {
    const configuration = Object.fromEntries(
      Object.entries({ ...state.metadata.configuration, ...requested.configuration }).filter(
        ([name]) => !removed.includes(name),
      ),
    );
    assertMappingChange(state, configuration);
    return {
      operation: 'SET TBLPROPERTIES',
      operationParameters: { properties },
      actions: schemaChange(state, state.schema, {
        uuid: context.uuid,
        configuration,
        requested: set,
        physicalNames: 'as-named',
      }).actions,
    };
  });
}

/** Removes properties. Throws `invalid-property` for one that is not set, unless `ifExists`, and as {@link setProperties}. */
export async function unsetProperties(
  context: TableContext,
  { names, ifExists = false }: { readonly names: readonly string[]; readonly ifExists?: boolean },
): Promise<AlterResult> {
  const canonical = names.map(canonicalPropertyName);
  for (const name of canonical) assertRemovable(name);
  return commitChange(context, (state) => {
    const missing = canonical.find((name) => !Object.hasOwn(state.metadata.configuration, name));
    if (missing !== undefined && !ifExists) throw invalid(`the table property "${missing}" is not set`);
    const configuration = Object.fromEntries(
      Object.entries(state.metadata.configuration).filter(([name]) => !canonical.includes(name)),
    );
    assertMappingChange(state, configuration);
    return {
      operation: 'UNSET TBLPROPERTIES',
      operationParameters: { properties: canonical, ifExists },
      actions: schemaChange(state, state.schema, { uuid: context.uuid, configuration }).actions,
    };
  });
}

/** Sets the table's description; null removes it. */
export async function setComment(context: TableContext, comment: string | null): Promise<AlterResult> {
  return commitChange(context, ({ metadata }) => {
    const { description, ...others } = metadata;
    const isSame = (description ?? null) === comment;
    const metaData = comment === null ? others : { ...others, description: comment };
    const actions: Action[] = isSame ? [] : [{ metaData }];
    return { operation: 'SET TBLPROPERTIES', operationParameters: { properties: { comment } }, actions };
  });
}

/**
 * Makes a table's columns renameable and droppable: each keeps its name in the files there are and gets an id. Readers
 * must know column mapping from then on.
 */
export async function enableColumnMapping(context: TableContext): Promise<AlterResult> {
  return setProperties(context, { 'delta.columnMapping.mode': 'name' });
}

function assertRemovable(name: string): void {
  if (name.startsWith(CONSTRAINT_PREFIX)) {
    throw invalid(
      `the table property "${name}" can't be removed`,
      'Drop the constraint with dropConstraint.',
    );
  }
  if (name.toLowerCase().startsWith(FEATURE_PREFIX)) {
    throw invalid(`the table property "${name}" can't be removed: this library drops no table features`);
  }
  const property = Object.hasOwn(DOCUMENTED_PROPERTIES, name) ? DOCUMENTED_PROPERTIES[name] : undefined;
  if (property?.kind === 'internal' || property?.kind === 'protocol') {
    throw invalid(`the table property "${name}" can't be removed: the library keeps it`);
  }
}

function assertMappingChange({ metadata }: TableState, configuration: Properties): void {
  const before = columnMappingMode(metadata.configuration);
  const after = columnMappingMode(configuration);
  if (before === after || (before === 'none' && after === 'name')) return;
  throw invalid(
    `the column mapping mode can't be changed from ${before} to ${after}: the files there are would not be understood`,
    before === 'none' ? 'An existing table can get the mode "name".' : undefined,
  );
}

function invalid(message: string, hint?: string): DeltaError {
  return new DeltaError({ code: 'invalid-property', message, ...(hint === undefined ? {} : { hint }) });
}
