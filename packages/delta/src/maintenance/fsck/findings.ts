/** What can be wrong with a table. `path` is a path in the store, or an absolute one of a file outside of it. */
export type Finding =
  /** A data file that the newest version names is gone: the table can't be read. Repaired by removing it. */
  | { readonly kind: 'missing-file'; readonly path: string }
  | { readonly kind: 'wrong-size'; readonly path: string; readonly logged: number; readonly found: number }
  /** A deletion vector is gone or can't be read: the rows of its data file can't be told from deleted ones. */
  | { readonly kind: 'damaged-vector'; readonly path: string; readonly reason: string }
  /** The footer can't be read. Only looked for when `deep`. */
  | { readonly kind: 'damaged-file'; readonly path: string; readonly reason: string }
  /** Only looked for when `deep`. */
  | {
      readonly kind: 'wrong-row-count';
      readonly path: string;
      readonly logged: number;
      readonly found: number;
    }
  /** The file is in a store that this table's store can't reach. */
  | { readonly kind: 'unchecked-file'; readonly path: string; readonly reason: string }
  /** The commit is missing between others. */
  | { readonly kind: 'log-gap'; readonly version: number }
  | { readonly kind: 'damaged-checkpoint'; readonly version: number; readonly reason: string }
  /** What a checkpoint says is not what the commits before it come to. */
  | { readonly kind: 'checkpoint-differs'; readonly version: number; readonly differences: readonly string[] }
  | { readonly kind: 'damaged-checksum'; readonly version: number; readonly reason: string }
  | { readonly kind: 'checksum-differs'; readonly version: number; readonly differences: readonly string[] };
