/**
 * Versions that readers of this process still use, so that a vacuum in the same process keeps their files beyond the
 * retention. Readers in other processes are protected by the retention alone.
 */
import type { AddFile } from '../log/actions.ts';
import { isLocal, type ObjectStore } from '../store/object-store.ts';

/** What a pin needs to know of a snapshot. */
export interface PinnedSnapshot {
  readonly version: number;
  files(): Iterable<AddFile>;
}

interface Place {
  readonly store: ObjectStore;
  readonly root: string;
}

/** By table: tokens of pins, each with what it pins. */
type Registry = Map<string, Map<symbol, number | PinnedSnapshot>>;

/** Of local stores, which several objects may stand for; the key is the root's absolute path. */
const local: Registry = new Map();
/** Of other stores, each known by its object. */
const others = new WeakMap<ObjectStore, Registry>();

/**
 * Protects the files of a version from vacuums of this process until the returned function is called, which may be done
 * more than once. A snapshot is protected even when the log no longer reaches back to its version; a number costs the
 * vacuum a replay, and makes it fail with `version-not-found` if the log no longer has the version.
 */
export function pin(context: { readonly io: Place }, snapshot: number | PinnedSnapshot): () => void {
  const { registry, key } = registryOf(context.io);
  const token = Symbol('pin');
  const pins = registry.get(key) ?? new Map<symbol, number | PinnedSnapshot>();
  registry.set(key, pins.set(token, snapshot));
  return () => {
    pins.delete(token);
    if (pins.size === 0 && registry.get(key) === pins) registry.delete(key);
  };
}

/** What is pinned of a table at this moment, each version once; a snapshot is preferred to a bare number. */
export function pinnedSnapshots(context: { readonly io: Place }): (number | PinnedSnapshot)[] {
  const { registry, key } = registryOf(context.io);
  const byVersion = new Map<number, number | PinnedSnapshot>();
  for (const pinned of registry.get(key)?.values() ?? []) {
    const version = typeof pinned === 'number' ? pinned : pinned.version;
    if (typeof pinned !== 'number' || !byVersion.has(version)) byVersion.set(version, pinned);
  }
  return [...byVersion.values()];
}

function registryOf({ store, root }: Place): { registry: Registry; key: string } {
  if (isLocal(store)) return { registry: local, key: store.localPath(root) };
  const registry = others.get(store) ?? new Map();
  others.set(store, registry);
  return { registry, key: root };
}
