import { isDeltaError } from '../errors.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { LAST_CHECKPOINT, LOG_DIRECTORY } from './log-paths.ts';

/** The protocol's "Last Checkpoint File": where a reader may begin to list. */
export interface LastCheckpoint {
  readonly version: number;
  /** Actions in the checkpoint. */
  readonly size: number;
  /** Set when the checkpoint has more than one. */
  readonly parts?: number;
}

/** The hint; undefined when it is absent or damaged, since it is never more than a hint. */
export async function readLastCheckpoint(
  store: ObjectStore,
  root: string,
): Promise<LastCheckpoint | undefined> {
  try {
    const bytes = await store.read(joinPath(root, LOG_DIRECTORY, LAST_CHECKPOINT));
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof value !== 'object' || value === null || !('version' in value)) return undefined;
    if (typeof value.version !== 'number' || !Number.isSafeInteger(value.version) || value.version < 0) {
      return undefined;
    }
    const size = 'size' in value && typeof value.size === 'number' ? value.size : 0;
    return 'parts' in value && typeof value.parts === 'number'
      ? { version: value.version, size, parts: value.parts }
      : { version: value.version, size };
  } catch (error) {
    if (error instanceof SyntaxError || isDeltaError(error, 'not-found')) return undefined;
    throw error;
  }
}

export async function writeLastCheckpoint(
  store: ObjectStore,
  root: string,
  last: LastCheckpoint,
): Promise<void> {
  await store.put(joinPath(root, LOG_DIRECTORY, LAST_CHECKPOINT), Buffer.from(JSON.stringify(last)));
}
