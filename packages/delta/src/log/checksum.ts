/** Version checksums (protocol: "Version Checksum File"): facts of a version that a reader can hold its own against. */
import { isDeepStrictEqual } from 'node:util';
import { DeltaError, isDeltaError } from '../errors.ts';
import { enableInCommitTimestamps } from '../properties/table-properties.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { checksumName, LOG_DIRECTORY } from './log-paths.ts';

/** Applications up to which a checksum lists their versions. */
const LISTED_TXNS_MAX = 1000;

type Json = Readonly<Record<string, unknown>>;

export type ChecksumVerdict =
  /** Nothing to compare with. */
  | { readonly kind: 'absent' }
  | { readonly kind: 'matches' }
  /** The file is no checksum; the version may be fine. */
  | { readonly kind: 'damaged'; readonly path: string; readonly reason: string }
  /** The log, or the checksum, was changed by someone who broke the protocol. */
  | { readonly kind: 'differs'; readonly path: string; readonly differences: readonly ChecksumDifference[] };

export interface ChecksumDifference {
  /** The checksum's member. */
  readonly member: string;
  readonly recorded: unknown;
  readonly found: unknown;
}

/**
 * Records the state's facts beside its commit, which must be durable; whether the file is new: one that is there stays.
 * `txnId` is that of the commit, if it has one.
 */
export async function writeChecksum(
  io: { readonly store: ObjectStore; readonly root: string },
  state: TableState,
  txnId?: string,
): Promise<boolean> {
  const facts = { ...(txnId === undefined ? {} : { txnId }), ...checksumOf(state) };
  const path = checksumPath(io.root, state.version);
  return (await io.store.putIfAbsent(path, Buffer.from(JSON.stringify(facts)))) === 'created';
}

/**
 * Compares the checksum of a version, if there is one, with the version as it is rebuilt from the log. Throws the errors
 * of rebuilding it.
 */
export async function verifyChecksum(
  context: {
    readonly io: { readonly store: ObjectStore; readonly root: string };
    stateAt(version: number): Promise<TableState>;
  },
  version: number,
): Promise<ChecksumVerdict> {
  const path = checksumPath(context.io.root, version);
  const recorded = await readChecksum(context.io.store, path);
  if (recorded === undefined) return { kind: 'absent' };
  if (typeof recorded === 'string') return { kind: 'damaged', path, reason: recorded };
  const found = checksumOf(await context.stateAt(version));
  try {
    const differences = differencesOf(found, recorded);
    return differences.length === 0 ? { kind: 'matches' } : { kind: 'differs', path, differences };
  } catch (error) {
    if (error instanceof RangeError) return { kind: 'damaged', path, reason: 'it is nested too deeply' };
    throw error;
  }
}

function differencesOf(found: Json, recorded: Json): ChecksumDifference[] {
  const differences: ChecksumDifference[] = [];
  for (const [member, value] of Object.entries(comparableFacts(found, recorded))) {
    if (isDeepStrictEqual(value.found, value.recorded)) continue;
    differences.push({ member, recorded: recorded[member], found: found[member] });
  }
  return differences;
}

function checksumPath(root: string, version: number): string {
  return joinPath(root, LOG_DIRECTORY, checksumName(version));
}

/** Undefined if absent; a text that says what is wrong with it if it is no checksum. */
async function readChecksum(store: ObjectStore, path: string): Promise<Json | string | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await store.read(path);
  } catch (error) {
    if (isDeltaError(error, 'not-found')) return undefined;
    throw error;
  }
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'it is no JSON object';
    const missing = REQUIRED.filter((member) => !(member in value));
    return missing.length === 0 ? (value as Json) : `it lacks ${missing.join(', ')}`;
  } catch (error) {
    if (error instanceof SyntaxError) return 'it is not valid JSON';
    throw error;
  }
}

const REQUIRED = ['tableSizeBytes', 'numFiles', 'numMetadata', 'numProtocol', 'metadata', 'protocol'];

function checksumOf(state: TableState): Json {
  const { files, metadata, protocol, txns, domains } = state;
  const hasVectors = (protocol.writerFeatures ?? []).includes('deletionVectors');
  return {
    tableSizeBytes: exact(files.sizeBytes, state),
    numFiles: files.count,
    ...(hasVectors
      ? { numDeletedRecordsOpt: files.deletedRowCount, numDeletionVectorsOpt: files.vectorCount }
      : {}),
    numMetadata: 1,
    numProtocol: 1,
    ...(enableInCommitTimestamps(metadata.configuration) ? { inCommitTimestampOpt: state.timestampMs } : {}),
    ...(txns.size <= LISTED_TXNS_MAX ? { setTransactions: [...txns.values()] } : {}),
    domainMetadata: [...domains.values()],
    metadata,
    protocol,
  };
}

function exact(bytes: number, state: TableState): number {
  if (Number.isSafeInteger(bytes)) return bytes;
  const message = `the size of version ${state.version}, ${bytes} bytes, is beyond what can be counted`;
  throw new DeltaError({ code: 'corrupt-log', message });
}

/** What of both can be compared, in the same form: no member that is null or empty, lists in one order. */
function comparableFacts(found: Json, recorded: Json): Record<string, { found: unknown; recorded: unknown }> {
  const facts: Record<string, { found: unknown; recorded: unknown }> = {};
  for (const member of [...REQUIRED, ...OPTIONAL]) {
    const isOptional = OPTIONAL.includes(member);
    if (isOptional && (isAbsent(found[member]) || isAbsent(recorded[member]))) continue;
    facts[member] = {
      found: canonical(found[member], member),
      recorded: canonical(recorded[member], member),
    };
  }
  return facts;
}

const OPTIONAL = [
  'setTransactions',
  'domainMetadata',
  'inCommitTimestampOpt',
  'numDeletedRecordsOpt',
  'numDeletionVectorsOpt',
];

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined;
}

function canonical(value: unknown, member: string): unknown {
  if (isObject(value)) {
    const { schemaString, ...rest } = value;
    // Two texts may say the same schema.
    return typeof schemaString === 'string'
      ? { ...withoutEmpty(rest), schema: parsed(schemaString) }
      : withoutEmpty(value);
  }
  if (!Array.isArray(value)) return value;
  const keyOf = (item: Json): string => String(member === 'setTransactions' ? item.appId : item.domain);
  const items = value.map((item): Json => (isObject(item) ? withoutEmpty(item) : { item }));
  return items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function withoutEmpty(value: Json): Json {
  const members = Object.entries(value ?? {}).flatMap(([name, inner]): [string, unknown][] => {
    if (isAbsent(inner)) return [];
    if (Array.isArray(inner))
      return inner.length === 0 ? [] : [[name, isTexts(inner) ? inner.toSorted() : inner]];
    if (typeof inner !== 'object' || inner === null) return [[name, inner]];
    const nested = withoutEmpty(inner as Json);
    return Object.keys(nested).length === 0 ? [] : [[name, nested]];
  });
  return Object.fromEntries(members);
}

function isTexts(list: unknown[]): list is string[] {
  return list.every((item) => typeof item === 'string');
}
