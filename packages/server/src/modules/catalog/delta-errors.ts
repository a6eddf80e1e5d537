import { DeltaError } from '@sluice/delta';
import type { CatalogErrorCode } from './api.ts';
import { CatalogError } from './errors.ts';

const CODES: Partial<Record<DeltaError['code'], CatalogErrorCode>> = {
  exists: 'table-exists',
  'invalid-schema': 'invalid',
  'invalid-property': 'invalid',
  'unsupported-type': 'unsupported',
  'unsupported-feature': 'unsupported',
  conflict: 'concurrent-change',
  contention: 'concurrent-change',
};

/** Of operations that take conditions, versions and rules besides. */
const MAINTENANCE_CODES: typeof CODES = {
  ...CODES,
  'invalid-data': 'invalid',
  'invalid-expression': 'invalid',
  'version-not-found': 'invalid',
  constraint: 'invalid',
};

/** Errors of the Delta library that the caller of the catalogue caused, in the catalogue's words. */
export async function translated<Result>(
  table: string,
  work: () => Promise<Result>,
  { maintenance = false }: { readonly maintenance?: boolean } = {},
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DeltaError)) throw error;
    const code = (maintenance ? MAINTENANCE_CODES : CODES)[error.code];
    if (code === undefined) throw error;
    throw new CatalogError({
      code,
      message: `the table "${table}": ${error.message}`,
      retry: error.retry,
      ...(error.hint !== undefined && { hint: error.hint }),
      cause: error,
    });
  }
}
