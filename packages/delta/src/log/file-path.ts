import { fileURLToPath } from 'node:url';
import { DeltaError } from '../errors.ts';

/** Where a data file is: in the table's store, below its root, or elsewhere on this machine. */
export type FileLocation =
  | { readonly kind: 'relative'; readonly path: string }
  | { readonly kind: 'local'; readonly path: string };

/** `add.path` of a file below the root: percent-encoded as a URI's path (RFC 3986), `/` kept. */
export function encodeFilePath(path: string): string {
  return path.split('/').map(encodeSegment).join('/');
}

/** Reads `add.path`. Throws `unsupported-feature` for absolute URIs other than `file:`, `corrupt-log` for bad encoding. */
export function locateFile(uri: string): FileLocation {
  try {
    const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\//.exec(uri)?.[1]?.toLowerCase();
    if (scheme === 'file') return { kind: 'local', path: fileURLToPath(uri) };
    if (scheme !== undefined) {
      throw new DeltaError({
        code: 'unsupported-feature',
        message: `the file "${uri}" is in a store of the scheme "${scheme}", which this table's store can't read`,
      });
    }
    const path = decodeURIComponent(uri);
    return path.startsWith('/') ? { kind: 'local', path } : { kind: 'relative', path };
  } catch (cause) {
    if (cause instanceof DeltaError) throw cause;
    throw new DeltaError({ code: 'corrupt-log', message: `the file path "${uri}" is no valid URI`, cause });
  }
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
