/** What `dataProcessingOptions` do to a record before it is sent; each result is one line. */
import type { Processing } from './config.ts';
import { delimiterOf, splitCsv } from './csv.ts';
import { FORMATS } from './log-formats.ts';

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
  const delimiter = delimiterOf(option.delimiter)!;
  return (text) => {
    const columns = splitCsv(text, delimiter);
    if (columns === undefined) return undefined;
    const entries = option.customFieldNames.map((name, at) => [name, columns[at] ?? null]);
    return printed(option, Object.fromEntries(entries));
  };
}

function logToJson(option: Extract<Processing, { optionName: 'LOGTOJSON' }>): Step {
  const format = FORMATS[option.logFormat];
  // All of the record has to meet it, as in the Kinesis Agent.
  const own = option.matchPattern === undefined ? undefined : `^(?:${option.matchPattern})$`;
  const pattern = new RegExp(own ?? format.pattern, 's');
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
