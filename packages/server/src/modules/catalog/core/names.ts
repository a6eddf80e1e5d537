import { CatalogError } from '../errors.ts';

const NAME_LENGTH_MAX = 255;
/** Glue's "Single-line String Pattern": no control characters but the tab. */
// oxlint-disable-next-line no-control-regex
const SINGLE_LINE = /^[\t\u0020-\uFFFD\u{10000}-\u{10FFFF}]+$/u;

/** The name as Glue keeps it, in lower case; rejects with `invalid`. */
export function entityName(kind: 'database' | 'table', name: string): string {
  if (name.trim() === '' || name.length > NAME_LENGTH_MAX || !SINGLE_LINE.test(name)) {
    throw new CatalogError({
      code: 'invalid',
      message: `the ${kind} name ${JSON.stringify(name.slice(0, NAME_LENGTH_MAX))} is not 1 to ${NAME_LENGTH_MAX} characters on one line`,
    });
  }
  return name.toLowerCase();
}

/** One directory's name for an entity's name: the same name for plain ones, never one that leads elsewhere. */
export function directoryName(name: string): string {
  return encodeURIComponent(name)
    .replaceAll('*', '%2A')
    .replace(/^\.+/, (dots) => '%2E'.repeat(dots.length));
}
