import { isDeepStrictEqual } from 'node:util';
import { DeltaError, isDeltaError, messageOf } from '../../errors.ts';
import { fileKey } from '../../log/actions.ts';
import { readCheckpoint } from '../../log/checkpoint.ts';
import { verifyChecksum } from '../../log/checksum.ts';
import type { CheckpointFiles, LogListing } from '../../log/log-listing.ts';
import { LAST_CHECKPOINT, parseLogFileName } from '../../log/log-paths.ts';
import { loadState, type TableIo, wholeLog } from '../../snapshot/load.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import type { TableContext } from '../../table-context.ts';
import { type LongWork, throwIfAborted } from '../long-work.ts';
import type { Finding } from './findings.ts';
import { hiding } from './hiding-store.ts';

/** Checkpoints, and checksums, that are held against the commits: the newest ones, which readers begin from. */
const CHECKPOINTS_CHECKED_MAX = 2;
const CHECKSUMS_CHECKED_MAX = 3;
/** Files that a difference names. */
const FILES_NAMED_MAX = 5;

/** Gaps between commits, and whether checkpoints and checksums say what the commits do. */
export async function checkLog(context: TableContext, work: LongWork): Promise<Finding[]> {
  const listing = await wholeLog(context.io);
  const findings: Finding[] = gapsOf(listing);
  for (const checkpoint of newestPerVersion(listing)) {
    throwIfAborted(work.signal, 'the check');
    findings.push(...(await checkCheckpoint(context.io, checkpoint)));
  }
  for (const { version } of listing.checksums.slice(-CHECKSUMS_CHECKED_MAX)) {
    throwIfAborted(work.signal, 'the check');
    const verdict = await verdictOf(context, version);
    if (verdict !== undefined) findings.push(verdict);
  }
  return findings;
}

function gapsOf({ commits }: LogListing): Finding[] {
  const gaps: Finding[] = [];
  for (const [at, { version }] of commits.entries()) {
    const previous = commits[at - 1]?.version;
    if (previous === undefined) continue;
    for (let missing = previous + 1; missing < version; missing += 1) {
      gaps.push({ kind: 'log-gap', version: missing });
    }
  }
  return gaps;
}

function newestPerVersion({ checkpoints }: LogListing): CheckpointFiles[] {
  const byVersion = new Map(checkpoints.map((checkpoint) => [checkpoint.version, checkpoint]));
  return [...byVersion.values()].slice(-CHECKPOINTS_CHECKED_MAX);
}

async function checkCheckpoint(io: TableIo, checkpoint: CheckpointFiles): Promise<Finding[]> {
  const { version } = checkpoint;
  try {
    await readCheckpoint(io, checkpoint);
  } catch (error) {
    if (!(error instanceof DeltaError) || error.code === 'io') throw error;
    return [{ kind: 'damaged-checkpoint', version, reason: error.message }];
  }
  const replayed = await withoutIt(io, checkpoint);
  if (replayed === undefined) return [];
  const differences = differencesOf(await loadState(io, version), replayed);
  return differences.length === 0 ? [] : [{ kind: 'checkpoint-differs', version, differences }];
}

/** The version as it is rebuilt without the checkpoint; undefined when only the checkpoint still tells. */
async function withoutIt(io: TableIo, { version }: CheckpointFiles): Promise<TableState | undefined> {
  const isHidden = (path: string): boolean => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (name === LAST_CHECKPOINT) return true;
    const file = parseLogFileName(name);
    return (file.kind === 'checkpoint' || file.kind === 'v2-checkpoint') && file.version === version;
  };
  try {
    return await loadState({ ...io, store: hiding(io.store, isHidden) }, version);
  } catch (error) {
    if (isDeltaError(error, 'version-not-found') || isDeltaError(error, 'log-gap')) return undefined;
    throw error;
  }
}

/** What a checkpoint's state has otherwise than the replayed one, in words. */
function differencesOf(found: TableState, replayed: TableState): string[] {
  const differences: string[] = [];
  const keys = new Set([...replayed.files.files()].map((file) => fileKey(file)));
  const extra: string[] = [];
  for (const file of found.files.files()) if (!keys.delete(fileKey(file))) extra.push(file.path);
  const named = (paths: readonly string[]): string =>
    `${paths.length} files (${paths.slice(0, FILES_NAMED_MAX).join(', ')}${paths.length > FILES_NAMED_MAX ? ', …' : ''})`;
  if (extra.length > 0) differences.push(`it has ${named(extra)} too many`);
  if (keys.size > 0) differences.push(`it lacks ${named([...keys])}`);
  for (const [what, of] of Object.entries(FACTS)) {
    if (!isDeepStrictEqual(of(found), of(replayed))) differences.push(`its ${what} differs`);
  }
  return differences;
}

const FACTS: Readonly<Record<string, (state: TableState) => unknown>> = {
  schema: ({ schema }) => schema,
  metadata: ({ metadata }) => [metadata.id, metadata.partitionColumns, metadata.configuration],
  protocol: ({ protocol }) => [
    protocol.minReaderVersion,
    protocol.minWriterVersion,
    (protocol.readerFeatures ?? []).toSorted(),
    (protocol.writerFeatures ?? []).toSorted(),
  ],
  'list of transactions': ({ txns }) => new Map([...txns].map(([appId, { version }]) => [appId, version])),
  'list of domains': ({ domains }) =>
    new Map([...domains].map(([name, { configuration }]) => [name, configuration])),
};

async function verdictOf(context: TableContext, version: number): Promise<Finding | undefined> {
  try {
    const verdict = await verifyChecksum(context, version);
    if (verdict.kind === 'damaged') return { kind: 'damaged-checksum', version, reason: verdict.reason };
    if (verdict.kind !== 'differs') return undefined;
    const differences = verdict.differences.map(
      ({ member, recorded, found }) =>
        `${member}: ${JSON.stringify(recorded)} recorded, ${JSON.stringify(found)} found`,
    );
    return { kind: 'checksum-differs', version, differences };
  } catch (error) {
    // A version that can't be rebuilt any more has nothing to be held against.
    if (isDeltaError(error, 'version-not-found') || isDeltaError(error, 'log-gap')) return undefined;
    throw new DeltaError({
      code: 'corrupt-log',
      message: `version ${version} can't be checked: ${messageOf(error)}`,
      cause: error,
    });
  }
}
