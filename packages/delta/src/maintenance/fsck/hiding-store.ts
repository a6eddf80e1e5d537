import { DeltaError } from '../../errors.ts';
import { isLocal, type ObjectStore } from '../../store/object-store.ts';

/** The store, but for some objects that are not there for its readers; nothing that is cached for the store holds for it. */
export function hiding(store: ObjectStore, isHidden: (path: string) => boolean): ObjectStore {
  const absent = (path: string): DeltaError =>
    new DeltaError({ code: 'not-found', message: `"${path}" is left out of this look` });
  const files = isLocal(store)
    ? {
        localPath: (path: string): string => {
          if (isHidden(path)) throw absent(path);
          return store.localPath(path);
        },
        syncFile: (path: string): Promise<void> => store.syncFile(path),
      }
    : {};
  return {
    ...files,
    read: async (path, range) => {
      if (isHidden(path)) throw absent(path);
      return store.read(path, range);
    },
    head: async (path) => (isHidden(path) ? undefined : store.head(path)),
    putIfAbsent: (path, bytes) => store.putIfAbsent(path, bytes),
    put: (path, bytes) => store.put(path, bytes),
    delete: (path) => store.delete(path),
    async *list(prefix, options) {
      for await (const object of store.list(prefix, options)) if (!isHidden(object.path)) yield object;
    },
  };
}
