/** Turns the properties that a caller asks for into those that a table keeps. */
import { DeltaError } from '../errors.ts';
import {
  CONSTRAINT_PREFIX,
  COORDINATED_COMMITS_PREFIX,
  DOCUMENTED_PROPERTIES,
  FEATURE_PREFIX,
} from './documented.ts';

/** What a request for properties comes to. */
export interface RequestedProperties {
  /** What `metaData.configuration` keeps, Delta's own names in Delta's spelling. */
  readonly configuration: Readonly<Record<string, string>>;
  /** Table features asked for by `delta.feature.<name>`, as they are written there. */
  readonly features: readonly string[];
  readonly minReaderVersion?: number;
  readonly minWriterVersion?: number;
}

const CANONICAL = new Map(Object.keys(DOCUMENTED_PROPERTIES).map((name) => [name.toLowerCase(), name]));

/** A property's name in Delta's spelling, if it is one of Delta's; else as it is. */
export function canonicalPropertyName(name: string): string {
  const lower = name.toLowerCase();
  if (lower.startsWith(CONSTRAINT_PREFIX)) return CONSTRAINT_PREFIX + lower.slice(CONSTRAINT_PREFIX.length);
  return CANONICAL.get(lower) ?? name;
}

/**
 * Sorts the properties of a request. Names outside `delta.` are free. Throws `invalid-property` for a `delta.*` name
 * that Delta doesn't document or this library refuses, for a value out of range, and for one name given twice.
 */
export function resolveProperties(properties: Readonly<Record<string, string>>): RequestedProperties {
  const configuration: Record<string, string> = {};
  const features: string[] = [];
  const versions: { minReaderVersion?: number; minWriterVersion?: number } = {};
  const seen = new Set<string>();
  for (const [given, value] of Object.entries(properties)) {
    const name = canonicalPropertyName(given);
    if (seen.has(name)) throw invalid(`the table property "${name}" is given twice`);
    seen.add(name);
    if (!name.toLowerCase().startsWith('delta.')) {
      configuration[name] = value;
    } else if (name.toLowerCase().startsWith(FEATURE_PREFIX)) {
      features.push(requestedFeature(name, value));
    } else if (assertAccepted(name, value) === 'honoured') {
      configuration[name] = value;
    } else if (name === 'delta.minReaderVersion') {
      versions.minReaderVersion = Number(value);
    } else if (name === 'delta.minWriterVersion') {
      versions.minWriterVersion = Number(value);
    }
  }
  return { configuration, features, ...versions };
}

function requestedFeature(name: string, value: string): string {
  const feature = name.slice(FEATURE_PREFIX.length);
  if (!/^(supported|enabled)$/i.test(value)) {
    throw invalid(`the table property "${name}" can't be "${value}": expected supported`);
  }
  return feature;
}

function assertAccepted(name: string, value: string): 'honoured' | 'protocol' {
  if (name.startsWith(CONSTRAINT_PREFIX)) {
    throw invalid(`the table property "${name}" can't be set`, 'Add the constraint with addConstraint.');
  }
  if (name.toLowerCase().startsWith(COORDINATED_COMMITS_PREFIX.toLowerCase())) {
    throw invalid(
      `the table property "${name}" is not supported: this library commits without a coordinator`,
    );
  }
  const property = Object.hasOwn(DOCUMENTED_PROPERTIES, name) ? DOCUMENTED_PROPERTIES[name] : undefined;
  if (property === undefined) {
    throw invalid(
      `the table property "${name}" is not supported: Delta documents none of this name`,
      `Supported: ${honouredNames().join(', ')}; names that don't begin with "delta." are free.`,
    );
  }
  if (property.kind === 'refused') {
    throw invalid(`the table property "${name}" is not supported: ${property.reason}`);
  }
  if (property.kind === 'internal') {
    throw invalid(`the table property "${name}" can't be set: ${property.reason}`);
  }
  if (!property.accepts(value)) {
    throw invalid(`the table property "${name}" can't be "${value}": expected ${property.expected}`);
  }
  return property.kind;
}

function honouredNames(): string[] {
  return Object.entries(DOCUMENTED_PROPERTIES).flatMap(([name, { kind }]) =>
    kind === 'honoured' ? [name] : [],
  );
}

function invalid(message: string, hint?: string): DeltaError {
  return new DeltaError({ code: 'invalid-property', message, ...(hint === undefined ? {} : { hint }) });
}
