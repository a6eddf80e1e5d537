/** What was typed into the shell, kept from one session to the next for its user only. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

export const HISTORY_ENTRIES_MAX = 1000;

type Environment = Readonly<Record<string, string | undefined>>;

/** XDG Base Directory Specification: state that should outlive a restart. */
export function historyFile(environment: Environment = process.env): string {
  const state = environment['XDG_STATE_HOME'] || join(homedir(), '.local', 'state');
  return join(state, 'sluice', 'sql-history');
}

/** Newest first, as readline takes it; empty when there is none. */
export function readHistory(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).reverse().slice(0, HISTORY_ENTRIES_MAX);
  } catch {
    return [];
  }
}

/** Keeps the entries (newest first); a directory that can't be written costs the history, not the session. */
export function writeHistory(file: string, entries: readonly string[]): void {
  const lines = entries.slice(0, HISTORY_ENTRIES_MAX).toReversed();
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, lines.map((line) => `${line}\n`).join(''), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    return;
  }
}
