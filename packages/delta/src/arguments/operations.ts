/** The shapes of what the methods of a table take. */
import {
  callback,
  dataType,
  either,
  exactly,
  flag,
  instance,
  json,
  list,
  number,
  object,
  oneOf,
  optional,
  orNull,
  record,
  type Shape,
  signal,
  structField,
  structType,
  text,
  whole,
} from './shape.ts';

const texts = list(text);
const longWork = { onProgress: optional(callback), signal: optional(signal) };
const txns = optional(list(object({ appId: text, version: whole })));
const rowOperation = { userMetadata: optional(text), txns, ...longWork };
const versionChoice = { version: optional(whole), timestampMs: optional(number) };

const sources: Readonly<Record<string, Shape>> = {
  ndjson: object({ file: text, rows: optional(whole) }),
  rows: object({ rows: list(instance) }),
  sql: object({ sql: text }),
};

const source: Shape = (value, at) => {
  const wrong = object({ kind: oneOf(...Object.keys(sources)) })(value, at);
  return wrong ?? sources[(value as { kind: string }).kind]?.(value, at);
};

const selection = {
  columns: optional(texts),
  where: optional(text),
  limit: optional(number),
};
const reading = {
  ...selection,
  timestamps: optional(oneOf('date', 'micros')),
  signal: optional(signal),
};
const columnPath = either(text, texts);
const position = optional(either(oneOf('first', 'last'), object({ after: text })));

export const VERSION_CHOICE: Shape = object(versionChoice);
export const SELECT: Shape = object({ ...selection, ...versionChoice });
export const ROWS: Shape = object({ ...reading, ...versionChoice });
export const SNAPSHOT_SELECT: Shape = exactly(selection);
export const SNAPSHOT_ROWS: Shape = exactly(reading);
const bound = either(object({ version: whole }), object({ timestampMs: number }));
export const CHANGES: Shape = object({
  from: bound,
  to: optional(bound),
  allowOutOfRange: optional(flag),
  signal: optional(signal),
});

const open = {
  store: instance,
  engine: instance,
  root: text,
  now: optional(callback),
  uuid: optional(callback),
  onWarning: optional(callback),
  checkpoints: optional(oneOf('on-commit', 'manual')),
};
export const OPEN: Shape = object(open);
export const CREATE: Shape = object({
  ...open,
  schema: structType,
  partitionColumns: optional(texts),
  properties: optional(record(text)),
  name: optional(text),
  description: optional(text),
  clusterBy: optional(list(columnPath)),
});
export const CONVERT: Shape = object({
  ...open,
  ...longWork,
  partitionSchema: optional(structType),
  properties: optional(record(text)),
  collectStatistics: optional(flag),
});

export const APPEND: Shape = object({
  source,
  txns,
  addColumns: optional(list(structField)),
  mergeSchema: optional(structType),
  columns: optional(texts),
  operation: optional(text),
  operationParameters: optional(record(json)),
  userMetadata: optional(text),
});
export const OVERWRITE: Shape = exactly({
  source,
  mode: either(oneOf('whole', 'partitions'), exactly({ replaceWhere: text })),
  columns: optional(texts),
  schema: optional(structType),
  partitionColumns: optional(texts),
  ...rowOperation,
});
export const DELETE: Shape = exactly({ where: optional(text), ...rowOperation });
export const UPDATE: Shape = exactly({ set: record(text), where: optional(text), ...rowOperation });

const values = either(oneOf('all'), record(text));
const condition = optional(text);
const clauses: Readonly<Record<string, Shape>> = {
  'matched-update': exactly({ kind: text, condition, set: values }),
  'matched-delete': exactly({ kind: text, condition }),
  insert: exactly({ kind: text, condition, values }),
  'by-source-update': exactly({ kind: text, condition, set: record(text) }),
  'by-source-delete': exactly({ kind: text, condition }),
};
export const MERGE: Shape = exactly({
  source,
  schema: optional(structType),
  on: text,
  sourceAlias: optional(text),
  targetAlias: optional(text),
  clauses: list((value, at) => clauses[(value as { kind: string }).kind]?.(value, at)),
  schemaEvolution: optional(flag),
  ...rowOperation,
});

export const OPTIMIZE: Shape = exactly({
  where: optional(text),
  targetFileSizeBytes: optional(number),
  minFileSizeBytes: optional(number),
  zOrderBy: optional(texts),
  full: optional(flag),
  purge: optional(flag),
  ...longWork,
});
export const AUTO_COMPACT: Shape = object({
  tables: optional(oneOf('table-property', 'unless-refused')),
  finalFileSizeBytes: optional(number),
  targetFileSizeBytes: optional(number),
  fanIn: optional(number),
  planBytesMax: optional(number),
  ...longWork,
});
export const VACUUM: Shape = exactly({
  retentionMs: optional(number),
  dryRun: optional(flag),
  retentionCheck: optional(flag),
  pinnedVersions: optional(list(whole)),
  ...longWork,
});
export const RESTORE: Shape = either(
  exactly({ timestampMs: number, ...longWork }),
  exactly({ version: whole, ...longWork }),
);
export const CLONE: Shape = object({
  target: object({ store: instance, root: text }),
  kind: oneOf('shallow', 'deep'),
  version: optional(whole),
  ...longWork,
});
export const FSCK: Shape = exactly({ dryRun: optional(flag), deep: optional(flag), ...longWork });
export const LOG_RANGE: Shape = object({ from: whole, to: whole });
export const CLEAN_UP: Shape = exactly({ olderThanMs: optional(number) });
export const HISTORY: Shape = object({ limit: optional(number) });
export const DIFF: Shape = object({ from: whole, to: optional(whole) });
export const SNAPSHOT: Shape = object({ version: whole, files: callback });

export const ADD_COLUMNS: Shape = list(
  either(
    structField,
    object({ field: structField, parent: optional(texts), position, comment: optional(text) }),
  ),
);
export const CHANGE_COLUMN: Shape = exactly({
  column: columnPath,
  type: optional(dataType),
  nullable: optional(oneOf(true)),
  comment: optional(orNull(text)),
  default: optional(orNull(text)),
  position,
});
export const RENAME_COLUMN: Shape = object({ column: columnPath, to: text });
export const COLUMNS: Shape = list(columnPath);
export const CONSTRAINT: Shape = object({ name: text, expression: text });
export const DROPPED_CONSTRAINT: Shape = object({ name: text, ifExists: optional(flag) });
export const PROPERTIES: Shape = record(orNull(text));
export const COMMENT: Shape = orNull(text);
export const DOMAIN_METADATA: Shape = object({ domain: text, configuration: text });
export const DOMAIN: Shape = text;
