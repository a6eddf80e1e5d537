/** What `dataProcessingOptions` do to a record before it is sent; each result is one line. */
import type { Processing } from './config.ts';

/** Undefined: the record isn't what the option expects. */
type Step = (text: string) => string | undefined;
export type Processor = (data: Buffer) => { readonly data: Buffer; readonly failed: boolean };

/** A record that an option can't make sense of is given back as it stood, and counted: nothing is dropped. */
export function createProcessor(options: readonly Processing[]): Processor | undefined {
  if (options.length === 0) return undefined;
  const steps = options.map(stepOf);
  return (data) => {
    let text = withoutBreak(data.toString());
    for (const step of steps) {
      const next = step(text);
      if (next === undefined) return { data, failed: true };
      text = next;
    }
    return { data: Buffer.from(`${text}\n`), failed: false };
  };
}

function stepOf(option: Processing): Step {
  switch (option.optionName) {
    case 'SINGLELINE':
      return (text) =>
        text
          .split('\n')
          .map((line) => line.trim())
          .join('');
    case 'ADDBRACKETS':
      return (text) => `{${text}}`;
    case 'CSVTOJSON':
      return csvToJson(option);
    case 'LOGTOJSON':
      return logToJson(option);
    default: {
      const { metadata } = option;
      return (text) => printed(option, { metadata, data: text });
    }
  }
}

function csvToJson(option: Extract<Processing, { optionName: 'CSVTOJSON' }>): Step {
  const delimiter = option.delimiter === '\\t' ? '\t' : option.delimiter;
  return (text) => {
    const columns = splitCsv(text, delimiter);
    if (columns === undefined) return undefined;
    const entries = option.customFieldNames.map((name, at) => [name, columns[at] ?? null]);
    return printed(option, Object.fromEntries(entries));
  };
}

/** Fields in double quotes may hold the delimiter, line breaks and doubled quotes (RFC 4180). */
function splitCsv(text: string, delimiter: string): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; ;) {
    let field: string;
    if (text[at] === '"') {
      const match = /"((?:[^"]|"")*)"/y;
      match.lastIndex = at;
      const quoted = match.exec(text);
      if (quoted === null) return undefined;
      field = quoted[1]!.replaceAll('""', '"');
      at = match.lastIndex;
      if (at < text.length && !text.startsWith(delimiter, at)) return undefined;
    } else {
      const end = text.indexOf(delimiter, at);
      field = text.slice(at, end === -1 ? text.length : end);
      at = end === -1 ? text.length : end;
    }
    fields.push(field);
    if (at >= text.length) return fields;
    at += delimiter.length;
  }
}

const COMMON = String.raw`^(\S+) (\S+) (\S+) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}|-) (\d+|-)`;
const QUOTED = String.raw` "((?:[^"\\]|\\.)*)"`;
const COMMON_FIELDS = ['host', 'ident', 'authuser', 'datetime', 'request', 'response', 'bytes'];
const SYSLOG_REST = String.raw` (?:<\d+\.\d+> )?(\S+) ([^\s:\[]+)(?:\[(\d+)\])?: (.*)`;
const SYSLOG_FIELDS = ['timestamp', 'hostname', 'program', 'processid', 'message'];

/** The layouts by their names in the Kinesis Agent, with its names of fields. */
const FORMATS = {
  COMMONAPACHELOG: { pattern: COMMON, fields: COMMON_FIELDS },
  COMBINEDAPACHELOG: { pattern: COMMON + QUOTED + QUOTED, fields: [...COMMON_FIELDS, 'referrer', 'agent'] },
  APACHEERRORLOG: {
    pattern: String.raw`^\[([^\]]+)\] \[(?:(\w*):)?(\w+)\] \[pid (\d+)(?::tid (\d+))?\] \[client:? ([^\]]+)\] (.*)`,
    fields: ['timestamp', 'module', 'severity', 'processid', 'threadid', 'client', 'message'],
  },
  SYSLOG: {
    pattern: String.raw`^(\w{3}\s+\d{1,2} \d{2}:\d{2}:\d{2}(?:\.\d+)?)${SYSLOG_REST}`,
    fields: SYSLOG_FIELDS,
  },
  RFC3339SYSLOG: { pattern: String.raw`^(\d{4}-\d{2}-\d{2}T\S+)${SYSLOG_REST}`, fields: SYSLOG_FIELDS },
} as const;

function logToJson(option: Extract<Processing, { optionName: 'LOGTOJSON' }>): Step {
  const format = FORMATS[option.logFormat];
  const pattern = new RegExp(option.matchPattern ?? format.pattern, 's');
  const fields: readonly string[] = option.customFieldNames ?? format.fields;
  return (text) => {
    const match = pattern.exec(text);
    if (match === null || match.length - 1 !== fields.length) return undefined;
    // "-" is how these formats write that there is nothing.
    const entries = fields.map((name, at) => [name, match[at + 1] === '-' ? null : (match[at + 1] ?? null)]);
    return printed(option, Object.fromEntries(entries));
  };
}

function printed({ jsonFormat }: { jsonFormat: 'COMPACT' | 'PRETTYPRINT' }, value: unknown): string {
  return JSON.stringify(value, undefined, jsonFormat === 'PRETTYPRINT' ? 2 : undefined);
}

function withoutBreak(text: string): string {
  return text.endsWith('\n') ? text.slice(0, text.endsWith('\r\n') ? -2 : -1) : text;
}
