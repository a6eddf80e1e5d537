import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError, EXIT } from '../exit.ts';

/** What a command is about: a table of a server's catalogue, or a directory that is a Delta table. */
export type Target =
  | { readonly kind: 'catalogue'; readonly database: string; readonly table: string }
  | { readonly kind: 'directory'; readonly path: string };

/**
 * `database.table`, or the path or `file:` URL of a directory with a Delta log. A text that could be both is a
 * directory if there is one with a log.
 */
export function targetOf(text: string): Target {
  const path = text.startsWith('file:') ? fileURLToPath(text) : resolve(text);
  if (existsSync(join(path, '_delta_log'))) return { kind: 'directory', path };
  const [database, table, ...more] = text.split('.');
  const isName = more.length === 0 && database && table && !/[/\\:]/.test(text);
  if (isName) return { kind: 'catalogue', database, table };
  throw new CliError(`"${text}" is neither database.table nor a directory with a Delta log`, {
    exitCode: EXIT.usage,
    hint: 'Name a table of the server as in "flights.departures", or a path as in "./lake/departures".',
  });
}
