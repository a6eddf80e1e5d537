/**
 * Which protocol a table needs (protocol: "Table Features for new and Existing Tables"). A table gets the lowest
 * versions that allow what it uses: the old ones while they suffice, so that old engines keep reading it, else lists
 * of features that hold what the old versions implied.
 */
import { DeltaError } from '../errors.ts';
import type { ProtocolAction } from '../log/actions.ts';
import { DOCUMENTED_PROPERTIES, FEATURE_PREFIX } from '../properties/documented.ts';
import { canonicalPropertyName } from '../properties/requested-properties.ts';
import { wholeNumber } from '../properties/text-values.ts';
import type { StructType } from '../schema/types.ts';
import { someType } from '../schema/types.ts';
import { canonicalFeatureName, KNOWN_FEATURES, REFUSED_FOR_WRITING } from './known-features.ts';

/** The protocol of tables that use nothing but columns. */
export const LEAST_PROTOCOL: ProtocolAction = { minReaderVersion: 1, minWriterVersion: 2 };
/** The versions from which features are listed. */
const LISTED_READER = 3;
const LISTED_WRITER = 7;

type Properties = Readonly<Record<string, string>>;

/**
 * The protocol of a new table, by its schema and the properties that were asked for, `delta.feature.*`,
 * `delta.minReaderVersion` and `delta.minWriterVersion` among them: what the oldest readers and writers accept that can
 * do with it. Throws `invalid-property` for a feature that is unknown or that this library couldn't write.
 */
export function protocolFor(
  schema: StructType,
  properties: Properties = {},
  features: readonly string[] = [],
): ProtocolAction {
  return upgradedProtocol(LEAST_PROTOCOL, schema, { properties, features });
}

/**
 * The protocol that a table needs once its schema is `schema`, with these properties (as for {@link protocolFor}) and
 * features besides: the same object where it has all of it. It never loses a feature.
 */
export function upgradedProtocol(
  protocol: ProtocolAction,
  schema: StructType,
  needs: { readonly properties?: Properties; readonly features?: readonly string[] } = {},
): ProtocolAction {
  const { properties = {}, features = [] } = needs;
  const required = closure([
    ...schemaFeatures(schema),
    ...propertyFeatures(properties),
    ...features.flatMap((name) => (name === '' ? [] : [name])),
  ]);
  return raised(withFeatures(protocol, required), properties);
}

/** Every feature that a protocol has, listed or implied by its versions. */
export function featuresOf(protocol: ProtocolAction): ReadonlySet<string> {
  const { minReaderVersion, minWriterVersion } = protocol;
  if (minWriterVersion >= LISTED_WRITER) {
    return new Set([...(protocol.writerFeatures ?? []), ...(protocol.readerFeatures ?? [])]);
  }
  const implied = Object.entries(KNOWN_FEATURES).flatMap(([name, { legacy }]) =>
    legacy !== undefined && legacy.reader <= minReaderVersion && legacy.writer <= minWriterVersion
      ? [name]
      : [],
  );
  return new Set(implied);
}

/** Features that a schema can't be without. */
function schemaFeatures(schema: StructType): string[] {
  const marks: readonly (readonly [feature: string, key: string])[] = [
    ['invariants', 'delta.invariants'],
    ['generatedColumns', 'delta.generationExpression'],
    ['identityColumns', 'delta.identity.start'],
    ['allowColumnDefaults', 'CURRENT_DEFAULT'],
  ];
  return [
    ...(someType(schema, (type) => type === 'timestamp_ntz') ? ['timestampNtz'] : []),
    ...(someType(schema, (type) => type === 'variant') ? ['variantType'] : []),
    ...marks.flatMap(([feature, key]) => (hasFieldMetadata(schema, key) ? [feature] : [])),
  ];
}

/** Whether a field at any depth has this key in its metadata. */
export function hasFieldMetadata(schema: StructType, key: string): boolean {
  return someType(
    schema,
    (type) =>
      typeof type !== 'string' &&
      type.type === 'struct' &&
      type.fields.some((field) => field.metadata[key] !== undefined && field.metadata[key] !== null),
  );
}

function propertyFeatures(properties: Properties): string[] {
  return Object.entries(properties).flatMap(([given, value]) => {
    const name = canonicalPropertyName(given);
    if (name.startsWith('delta.constraints.')) return ['checkConstraints'];
    if (name.toLowerCase().startsWith(FEATURE_PREFIX)) return [askedFor(name.slice(FEATURE_PREFIX.length))];
    const property = Object.hasOwn(DOCUMENTED_PROPERTIES, name) ? DOCUMENTED_PROPERTIES[name] : undefined;
    return property?.kind === 'honoured' && property.feature?.neededBy(value) === true
      ? [property.feature.name]
      : [];
  });
}

function askedFor(given: string): string {
  const name = canonicalFeatureName(given);
  if (name === undefined) {
    throw new DeltaError({
      code: 'invalid-property',
      message: `the table feature "${given}" is unknown`,
      hint: `Known: ${Object.keys(KNOWN_FEATURES).join(', ')}.`,
    });
  }
  const reason = Object.hasOwn(REFUSED_FOR_WRITING, name) ? REFUSED_FOR_WRITING[name] : undefined;
  if (reason === undefined) return name;
  throw new DeltaError({
    code: 'invalid-property',
    message: `the table feature "${name}" can't be enabled: ${reason}`,
  });
}

function closure(features: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    for (const other of KNOWN_FEATURES[name]?.requires ?? []) visit(other);
  };
  for (const name of features) visit(name);
  return found;
}

function withFeatures(protocol: ProtocolAction, required: ReadonlySet<string>): ProtocolAction {
  const has = featuresOf(protocol);
  const missing = [...required].filter((name) => !has.has(name) || isUnlistedReader(protocol, name));
  if (missing.length === 0) return protocol;
  const legacy = missing.map((name) => KNOWN_FEATURES[name]?.legacy);
  if (protocol.minWriterVersion < LISTED_WRITER && legacy.every((versions) => versions !== undefined)) {
    return {
      minReaderVersion: Math.max(protocol.minReaderVersion, ...legacy.map(({ reader }) => reader)),
      minWriterVersion: Math.max(protocol.minWriterVersion, ...legacy.map(({ writer }) => writer)),
    };
  }
  return listed(protocol, [...has, ...missing]);
}

/** Whether a reader feature is missing from the list of a table that has such a list. */
function isUnlistedReader({ minReaderVersion, readerFeatures }: ProtocolAction, name: string): boolean {
  if (KNOWN_FEATURES[name]?.readers !== true) return false;
  if (minReaderVersion >= LISTED_READER) return readerFeatures?.includes(name) !== true;
  return !(name === 'columnMapping' && minReaderVersion === 2);
}

function listed(protocol: ProtocolAction, features: readonly string[]): ProtocolAction {
  const writerFeatures = [...new Set(features)];
  const forReaders = writerFeatures.filter((name) => KNOWN_FEATURES[name]?.readers === true);
  const isListed =
    protocol.minReaderVersion >= LISTED_READER || forReaders.some((name) => name !== 'columnMapping');
  if (!isListed) {
    const minReaderVersion = Math.max(protocol.minReaderVersion, forReaders.length > 0 ? 2 : 1);
    return { minReaderVersion, minWriterVersion: LISTED_WRITER, writerFeatures };
  }
  const readerFeatures = [...new Set([...(protocol.readerFeatures ?? []), ...forReaders])];
  return {
    minReaderVersion: LISTED_READER,
    minWriterVersion: LISTED_WRITER,
    readerFeatures,
    writerFeatures,
  };
}

/** At least the versions that were asked for by property. */
function raised(protocol: ProtocolAction, properties: Properties): ProtocolAction {
  const asked = new Map(
    Object.entries(properties).map(([name, value]) => [canonicalPropertyName(name), value]),
  );
  const reader = wholeNumber(asked.get('delta.minReaderVersion'), 1) ?? 1;
  const writerVersion = wholeNumber(asked.get('delta.minWriterVersion'), 1) ?? 1;
  if (reader <= protocol.minReaderVersion && writerVersion <= protocol.minWriterVersion) return protocol;
  if (reader >= LISTED_READER || writerVersion >= LISTED_WRITER) {
    const base = listed(protocol, [...featuresOf(protocol)]);
    return reader < LISTED_READER || base.minReaderVersion === LISTED_READER
      ? base
      : { ...base, minReaderVersion: LISTED_READER, readerFeatures: readerFeaturesOf(base) };
  }
  if (protocol.minWriterVersion >= LISTED_WRITER) {
    return { ...protocol, minReaderVersion: Math.max(reader, protocol.minReaderVersion) };
  }
  return {
    minReaderVersion: Math.max(reader, protocol.minReaderVersion),
    minWriterVersion: Math.max(writerVersion, protocol.minWriterVersion),
  };
}

function readerFeaturesOf(protocol: ProtocolAction): string[] {
  return [...featuresOf(protocol)].filter((name) => KNOWN_FEATURES[name]?.readers === true);
}
