import { CatalogError } from '../errors.ts';

export const UNKNOWN_FIELDS = 'sluice.unknown-fields';
const UNKNOWN_FIELDS_POLICIES = ['reject', 'ignore', 'evolve'];

/** Table parameters by who keeps them. */
export interface SortedParameters {
  /** `delta.*`: kept in the table's log. */
  readonly delta: Readonly<Record<string, string>>;
  readonly kept: Readonly<Record<string, string>>;
}

/** Rejects with `unsupported` for tables that are not Delta's, and `invalid` for settings that don't exist. */
export function sortParameters(
  table: string,
  parameters: Readonly<Record<string, string>>,
): SortedParameters {
  const tableType = parameters['table_type'];
  if (tableType?.toUpperCase() !== 'DELTA') {
    throw new CatalogError({
      code: 'unsupported',
      message: `the table "${table}" has ${tableType === undefined ? 'no parameter table_type' : `table_type = ${tableType}`}; only Delta tables are supported`,
      hint: 'Set the parameter table_type to DELTA.',
    });
  }
  const delta: Record<string, string> = {};
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (name.startsWith('delta.')) delta[name] = value;
    else kept[name] = name.startsWith('sluice.') ? ownSetting(name, value) : value;
  }
  return { delta, kept };
}

function ownSetting(name: string, value: string): string {
  if (name !== UNKNOWN_FIELDS) {
    throw new CatalogError({
      code: 'invalid',
      message: `there is no table parameter "${name}"`,
      hint: `The parameter of Sluice is ${UNKNOWN_FIELDS}.`,
    });
  }
  if (!UNKNOWN_FIELDS_POLICIES.includes(value)) {
    throw new CatalogError({
      code: 'invalid',
      message: `the parameter ${name} is "${value}"`,
      hint: `It is one of ${UNKNOWN_FIELDS_POLICIES.join(', ')}.`,
    });
  }
  return value;
}
