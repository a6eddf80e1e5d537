/** The protocol's "Last Checkpoint File": where a reader may begin to list. Never more than a hint. */
import { createHash } from 'node:crypto';
import { isDeltaError } from '../errors.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import type { SidecarAction } from './actions.ts';
import { LAST_CHECKPOINT, LOG_DIRECTORY } from './log-paths.ts';

export interface LastCheckpoint {
  readonly version: number;
  /** Actions in the checkpoint, those of its sidecars included. */
  readonly size: number;
  /** Set when the checkpoint has more than one. */
  readonly parts?: number;
  /** Of all of its files together. */
  readonly sizeInBytes?: number;
  readonly numOfAddFiles?: number;
  /** Set when the checkpoint is of the v2 kind. */
  readonly v2Checkpoint?: V2CheckpointHint;
}

export interface V2CheckpointHint {
  /** A name in the log's directory. */
  readonly path: string;
  readonly sizeInBytes: number;
  /** Milliseconds since 1970. */
  readonly modificationTime: number;
  readonly sidecarFiles?: readonly SidecarAction[];
}

/** The hint; undefined when it is absent or damaged, or its checksum is not that of its content. */
export async function readLastCheckpoint(
  store: ObjectStore,
  root: string,
): Promise<LastCheckpoint | undefined> {
  try {
    const path = joinPath(root, LOG_DIRECTORY, LAST_CHECKPOINT);
    const bytes = store.readMany === undefined ? await store.read(path) : (await store.readMany([path]))[0];
    if (bytes === undefined) return undefined;
    return parseHint(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    if (isDeltaError(error, 'not-found')) return undefined;
    throw error;
  }
}

function parseHint(value: unknown): LastCheckpoint | undefined {
  if (typeof value !== 'object' || value === null || !('version' in value)) return undefined;
  const { version } = value;
  if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 0) return undefined;
  if ('checksum' in value && typeof value.checksum === 'string' && value.checksum !== jsonChecksum(value)) {
    return undefined;
  }
  const size = 'size' in value && typeof value.size === 'number' ? value.size : 0;
  return 'parts' in value && typeof value.parts === 'number'
    ? { version, size, parts: value.parts }
    : { version, size };
}

/** Replaces the hint, with its checksum; durable on return. */
export async function writeLastCheckpoint(
  store: ObjectStore,
  root: string,
  last: LastCheckpoint,
): Promise<void> {
  const text = JSON.stringify({ ...last, checksum: jsonChecksum(last) });
  await store.put(joinPath(root, LOG_DIRECTORY, LAST_CHECKPOINT), Buffer.from(text));
}

/** MD5 over the canonical form of an object, its member `checksum` left out (protocol: "JSON checksum"). */
export function jsonChecksum(value: object): string {
  const { checksum: _, ...content } = value as Record<string, unknown>;
  return createHash('md5').update(canonicalJson(content)).digest('hex');
}

/** The canonical form that the checksum is of; members that are undefined count as absent. */
export function canonicalJson(value: unknown): string {
  const leaves: { path: string; value: string }[] = [];
  collectLeaves(value, '', leaves);
  return leaves
    .toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    .map((leaf) => `${leaf.path}=${leaf.value}`)
    .join(',');
}

function collectLeaves(value: unknown, path: string, leaves: { path: string; value: string }[]): void {
  if (typeof value !== 'object' || value === null) {
    leaves.push({ path, value: typeof value === 'string' ? canonicalText(value) : JSON.stringify(value) });
    return;
  }
  const members = Array.isArray(value)
    ? value.map((item, at): [string, unknown] => [String(at), item])
    : Object.entries(value).map(([name, item]): [string, unknown] => [canonicalText(name), item]);
  for (const [name, item] of members) {
    if (item !== undefined) collectLeaves(item, path === '' ? name : `${path}+${name}`, leaves);
  }
}

function canonicalText(text: string): string {
  const encoded = encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `"${encoded}"`;
}
