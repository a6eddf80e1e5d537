/** What an action must be like before replay may rely on it. */
import { DeltaError } from '../errors.ts';
import type { Action } from './actions.ts';

type Members = Record<string, unknown>;

/** What is wrong with an action's members; undefined if nothing is. */
type Check = (members: Members) => string | undefined;

const CHECKS: Readonly<Record<string, Check>> = {
  add: (add) => {
    if (typeof add.path !== 'string' || !isCount(add.size)) return 'needs a path and a size';
    return wrongFileMember(add);
  },
  remove: (remove) => {
    if (typeof remove.path !== 'string') return 'needs a path';
    if (!isAbsent(remove.size) && !isCount(remove.size)) return 'has a size that is no count of bytes';
    if (!isAbsent(remove.deletionTimestamp) && !isNumber(remove.deletionTimestamp)) {
      return 'has a deletionTimestamp that is no number';
    }
    return wrongFileMember(remove);
  },
  cdc: (cdc) => {
    if (typeof cdc.path !== 'string' || !isCount(cdc.size)) return 'needs a path and a size';
    return isAbsent(cdc.partitionValues) || isTextMap(cdc.partitionValues)
      ? undefined
      : 'has wrong partitionValues';
  },
  txn: (txn) =>
    typeof txn.appId === 'string' && isNumber(txn.version) ? undefined : 'needs an appId and a version',
  domainMetadata: (domain) =>
    typeof domain.domain === 'string' && (isAbsent(domain.removed) || typeof domain.removed === 'boolean')
      ? undefined
      : 'needs a domain, and whether it is removed',
  metaData: (metadata) => {
    if (!isAbsent(metadata.schemaString) && typeof metadata.schemaString !== 'string') {
      return 'has a schemaString that is no text';
    }
    if (!isAbsent(metadata.partitionColumns) && !isTextList(metadata.partitionColumns)) {
      return 'has partitionColumns that are no list of names';
    }
    if (!isAbsent(metadata.configuration) && !isTextMap(metadata.configuration)) {
      return 'has a configuration that is no map of texts';
    }
    const { format } = metadata;
    const isFormat = isAbsent(format) || (isRecord(format) && isAbsentOrText(format.provider));
    return isFormat ? undefined : 'has a format without a provider';
  },
  protocol: (protocol) => {
    if (!isCount(protocol.minReaderVersion) || !isCount(protocol.minWriterVersion)) {
      return 'needs minReaderVersion and minWriterVersion';
    }
    const lists = [protocol.readerFeatures, protocol.writerFeatures];
    return lists.every((list) => isAbsent(list) || isTextList(list))
      ? undefined
      : 'has features that are no list of names';
  },
  sidecar: (sidecar) =>
    typeof sidecar.path === 'string' && isCount(sidecar.sizeInBytes) ? undefined : 'needs a path and a size',
  checkpointMetadata: (metadata) => (isNumber(metadata.version) ? undefined : 'needs a version'),
};

/**
 * The value, which is taken over, as an action; unknown actions and members pass, as the protocol demands. Throws `corrupt-log`, beginning
 * with `where`, unless the members that replay relies on are of their types.
 */
export function checkedAction(value: unknown, where: () => string): Action {
  if (!isRecord(value)) throw corrupt(where, 'an action must be a JSON object');
  for (const name in value) {
    const members = value[name];
    if (members === null || !Object.hasOwn(CHECKS, name)) continue;
    if (!isRecord(members)) throw corrupt(where, `"${name}" must be a JSON object`);
    const wrong = CHECKS[name]?.(members);
    if (wrong !== undefined) throw corrupt(where, `"${name}" ${wrong}`);
    // What every reader of an action may rely on; writers that know no partitions leave it out.
    if ((name === 'add' || name === 'cdc') && isAbsent(members.partitionValues)) members.partitionValues = {};
  }
  return value;
}

/** Of the members that add and remove share. */
function wrongFileMember(file: Members): string | undefined {
  if (!isAbsent(file.partitionValues) && !isTextMap(file.partitionValues)) return 'has wrong partitionValues';
  if (!isAbsent(file.stats) && typeof file.stats !== 'string') return 'has stats that are no text';
  if (!isAbsent(file.tags) && !isRecord(file.tags)) return 'has tags that are no map';
  const vector = file.deletionVector;
  if (isAbsent(vector)) return undefined;
  const isWhole =
    isRecord(vector) &&
    typeof vector.storageType === 'string' &&
    typeof vector.pathOrInlineDv === 'string' &&
    isCount(vector.sizeInBytes) &&
    isCount(vector.cardinality) &&
    (isAbsent(vector.offset) || isCount(vector.offset));
  return isWhole ? undefined : 'has a malformed deletionVector';
}

function corrupt(where: () => string, what: string): DeltaError {
  return new DeltaError({ code: 'corrupt-log', message: `${where()}: ${what}` });
}

function isRecord(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAbsent(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isAbsentOrText(value: unknown): boolean {
  return isAbsent(value) || typeof value === 'string';
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** A whole number from 0; beyond 2^53 in its nearest double. */
function isCount(value: unknown): value is number {
  return isNumber(value) && value >= 0 && Number.isInteger(value);
}

function isTextList(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isTextMap(value: unknown): boolean {
  if (!isRecord(value)) return false;
  for (const name in value) {
    const text = value[name];
    if (typeof text !== 'string' && text !== null) return false;
  }
  return true;
}
