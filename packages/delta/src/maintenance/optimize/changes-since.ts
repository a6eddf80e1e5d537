import { fileKey } from '../../log/actions.ts';
import { loadCommit } from '../../snapshot/load.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import type { TableContext } from '../../table-context.ts';

export interface ChangesSince {
  /** The newest. */
  readonly state: TableState;
  /** Whether files of the earlier state mean the same now: neither protocol nor metadata changed. */
  readonly sameShape: boolean;
  /** Keys of files that are no longer in the table. */
  readonly gone: ReadonlySet<string>;
}

/** What others did since a state; reads only the commits that came after it. */
export async function changesSince(context: TableContext, from: TableState): Promise<ChangesSince> {
  const state = await context.refresh();
  const gone = new Set<string>();
  let sameShape = true;
  for (let version = from.version + 1; version <= state.version; version += 1) {
    const commit = await loadCommit(context.io, version);
    if (commit === undefined) {
      // A clean-up took the commit away; the states themselves still tell.
      return { state, sameShape: hasSameShape(from, state), gone: keysWithout(from, state) };
    }
    for (const { remove, protocol, metaData } of commit.actions) {
      if (remove) gone.add(fileKey(remove));
      if (protocol || metaData) sameShape = false;
    }
  }
  return { state, sameShape, gone };
}

function hasSameShape(a: TableState, b: TableState): boolean {
  return JSON.stringify([a.protocol, a.metadata]) === JSON.stringify([b.protocol, b.metadata]);
}

function keysWithout(from: TableState, state: TableState): Set<string> {
  const keys = new Set([...from.files.files()].map((file) => fileKey(file)));
  for (const file of state.files.files()) keys.delete(fileKey(file));
  return keys;
}
