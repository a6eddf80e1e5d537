import { fileURLToPath } from 'node:url';
import { DeltaError } from '../errors.ts';
import { isLocal, type ObjectStore } from '../store/object-store.ts';

/** Where a data file is: in the table's store, below its root, or elsewhere on this machine. */
export type FileLocation =
  | { readonly kind: 'relative'; readonly path: string }
  | { readonly kind: 'local'; readonly path: string };

/** `add.path` of a file below the root: percent-encoded as a URI's path (RFC 3986), `/` kept. */
export function encodeFilePath(path: string): string {
  return path.split('/').map(encodeSegment).join('/');
}

/**
 * Whether a path, relative to a directory, is one of something below it. A log is not trusted to name what is beside its
 * table: a reader would give away, and a writer overwrite, what belongs to others.
 */
export function staysBelow(path: string): boolean {
  return !path.includes('\0') && !/(^|[/\\])\.\.([/\\]|$)/.test(path);
}

/**
 * As {@link locateFile}, for a table in a store. Absolute paths are read, since shallow clones consist of them, but only
 * where the table is on this machine's disk itself: throws `unsupported-feature` where a table in a remote store names
 * a file of this machine.
 */
export function locateFileOf(store: ObjectStore, uri: string): FileLocation {
  const location = locateFile(uri);
  if (location.kind === 'relative' || isLocal(store)) return location;
  throw new DeltaError({
    code: 'unsupported-feature',
    message: `the file "${uri}" is on the disk of one machine, but the table that names it is in a store that is not`,
  });
}

/**
 * Reads `add.path`. Throws `unsupported-feature` for absolute URIs other than `file:`, `corrupt-log` for bad encoding,
 * for the path of a directory, and for relative paths that lead out of the table's directory.
 */
export function locateFile(uri: string): FileLocation {
  try {
    const location = locate(uri);
    // An engine would take the directory for all of the files in it.
    if (!/(^|\/)\.?$/.test(location.path)) return location;
    throw new DeltaError({
      code: 'corrupt-log',
      message: `the file path ${JSON.stringify(uri)} is that of a directory`,
    });
  } catch (cause) {
    if (cause instanceof DeltaError) throw cause;
    throw new DeltaError({ code: 'corrupt-log', message: `the file path "${uri}" is no valid URI`, cause });
  }
}

function locate(uri: string): FileLocation {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\//.exec(uri)?.[1]?.toLowerCase();
  if (scheme === 'file') return { kind: 'local', path: fileURLToPath(uri) };
  if (scheme !== undefined) {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the file "${uri}" is in a store of the scheme "${scheme}", which this table's store can't read`,
    });
  }
  const path = decodeURIComponent(uri);
  if (path.startsWith('/') && !path.includes('\0')) return { kind: 'local', path };
  if (staysBelow(path)) return { kind: 'relative', path };
  throw new DeltaError({
    code: 'corrupt-log',
    message: `the file path ${JSON.stringify(uri)} leads out of the table's directory`,
  });
}

/** A text as one directory name in the way of Hive: everything that a file system or URI may trip over is escaped. */
export function hiveEscape(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_.-]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replaceAll('%3D', '=').replaceAll('%40', '@');
}
