/** Planted bugs: disks and reads that behave as the log would with a mistake in it. The simulation must notice each. */
import type { Streams } from '../src/modules/streams/index.ts';
import type { Disk, DiskFile } from '../src/ports/disk.ts';

export type Planted = 'acknowledge before sync' | 'forget to cut a torn tail' | 'forget to sync directories';
export const PLANTED: readonly Planted[] = [
  'acknowledge before sync',
  'forget to cut a torn tail',
  'forget to sync directories',
];

export function withBug(disk: Disk, bug: Planted): Disk {
  return {
    open: async (path, options) => {
      const file = await disk.open(path, options);
      if (bug === 'acknowledge before sync') return { ...file, sync: () => Promise.resolve() };
      return bug === 'forget to cut a torn tail' ? appending(file) : file;
    },
    list: (directory) => disk.list(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) =>
      bug === 'forget to sync directories' ? Promise.resolve() : disk.syncDirectory(path),
  };
}

/** Never cuts, and writes what belongs at the cut after what was left there. */
function appending(file: DiskFile): DiskFile {
  let cutAt = Infinity;
  let shift = 0;
  return {
    ...file,
    truncate: async (sizeBytes) => {
      cutAt = Math.min(cutAt, sizeBytes);
      shift = (await file.size()) - cutAt;
    },
    write: (buffers, position) => file.write(buffers, position >= cutAt ? position + shift : position),
    read: (target, position) => file.read(target, position >= cutAt ? position + shift : position),
  };
}

/** Reads of which now and then the first record is left out. */
export function skipping(streams: Streams): Streams {
  const everyNth = 13;
  return new Proxy(streams, {
    get(target, name) {
      if (name === 'read')
        return (...[shard, from, limits]: Parameters<Streams['read']>) =>
          target.read(shard, from % everyNth === everyNth - 1 ? from + 1 : from, limits);
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
