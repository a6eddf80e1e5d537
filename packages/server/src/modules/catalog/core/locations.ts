import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CatalogError } from '../errors.ts';

/** The directory that a `file://` URI names; rejects with `invalid` or `unsupported` unless it is inside `dataDirectory`. */
export function locationPath(uri: string, dataDirectory: string): string {
  let path: string;
  try {
    const url = new URL(uri);
    if (url.protocol !== 'file:') {
      throw new CatalogError({
        code: 'unsupported',
        message: `the location ${uri} is not a file:// URI`,
        hint: 'Leave the location out to keep the data in the data directory.',
      });
    }
    path = resolve(fileURLToPath(url));
  } catch (error) {
    if (error instanceof CatalogError) throw error;
    throw new CatalogError({
      code: 'invalid',
      message: `the location ${uri} is not a URI of a directory`,
      cause: error,
    });
  }
  const inside = relative(dataDirectory, path);
  if (inside === '' || inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw new CatalogError({
      code: 'unsupported',
      message: `the location ${uri} is outside of ${pathToFileURL(dataDirectory).href}/`,
      hint: 'Leave the location out, or name a directory in there.',
    });
  }
  return path;
}

/** Without a slash at the end. */
export function locationUri(path: string): string {
  return pathToFileURL(path).href;
}
