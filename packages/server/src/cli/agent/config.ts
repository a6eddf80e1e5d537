/**
 * The agent's configuration: the `agent.json` of the Amazon Kinesis Agent, as far as its options mean something here.
 * An option that doesn't is refused by its name rather than ignored.
 */
import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { CliError, EXIT } from '../exit.ts';
import { messageOf } from '../connection.ts';
import { delimiterOf } from './csv.ts';
import { FLOWS_MAX, SERVICE_LIMITS } from './limits.ts';
import { FORMATS } from './log-formats.ts';

const fieldNames = z.array(z.string().min(1)).min(1);
const jsonFormat = z.enum(['COMPACT', 'PRETTYPRINT']).default('COMPACT');
const pattern = z
  .string()
  .min(1)
  .superRefine((text, context) => {
    const problem = problemOfPattern(text);
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
  });

function problemOfPattern(text: string): string | undefined {
  try {
    RegExp(text);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** Names that don't fit would make every record one that can't be processed. */
function problemOfNames(given: {
  readonly logFormat: keyof typeof FORMATS;
  readonly matchPattern: string | undefined;
  readonly customFieldNames: readonly string[] | undefined;
}): string | undefined {
  const { logFormat, matchPattern, customFieldNames } = given;
  if (matchPattern !== undefined && customFieldNames === undefined)
    return 'it is required with matchPattern: a name for each of its groups';
  if (customFieldNames === undefined) return undefined;
  const fields = matchPattern === undefined ? FORMATS[logFormat].fields.length : groupsOf(matchPattern);
  if (fields === undefined || fields === customFieldNames.length) return undefined;
  return `${customFieldNames.length} names for the ${fields} fields of ${matchPattern === undefined ? logFormat : 'matchPattern'}`;
}

/** Undefined for what is no regular expression, which is told elsewhere. */
function groupsOf(text: string): number | undefined {
  if (problemOfPattern(text) !== undefined) return undefined;
  return RegExp(`${text}|`).exec('')!.length - 1;
}

const processing = z.discriminatedUnion('optionName', [
  z.strictObject({ optionName: z.literal('SINGLELINE') }),
  z.strictObject({ optionName: z.literal('ADDBRACKETS') }),
  z.strictObject({
    optionName: z.literal('CSVTOJSON'),
    customFieldNames: fieldNames,
    delimiter: z
      .string()
      .min(1)
      .refine(
        (text) => delimiterOf(text) !== undefined,
        'it is a regular expression; only one that stands for a single text is taken, such as ";", "\\t" or "\\|"',
      )
      .default(','),
    jsonFormat,
  }),
  z
    .strictObject({
      optionName: z.literal('LOGTOJSON'),
      logFormat: z.enum([
        'COMMONAPACHELOG',
        'COMBINEDAPACHELOG',
        'APACHEERRORLOG',
        'SYSLOG',
        'RFC3339SYSLOG',
      ]),
      matchPattern: pattern.optional(),
      customFieldNames: fieldNames.optional(),
      jsonFormat,
    })
    .superRefine(({ logFormat, matchPattern, customFieldNames }, context) => {
      const problem = problemOfNames({ logFormat, matchPattern, customFieldNames });
      if (problem !== undefined)
        context.addIssue({ code: 'custom', path: ['customFieldNames'], message: problem });
    }),
  z.strictObject({
    optionName: z.literal('ADDMETADATA'),
    metadata: z.record(z.string(), z.unknown()),
    jsonFormat,
  }),
]);

const { kinesis, firehose } = SERVICE_LIMITS;
const flow = z
  .strictObject({
    filePattern: z.string().min(1),
    kinesisStream: z.string().min(1).optional(),
    deliveryStream: z.string().min(1).optional(),
    partitionKeyOption: z.enum(['RANDOM', 'DETERMINISTIC']).default('RANDOM'),
    initialPosition: z.enum(['START_OF_FILE', 'END_OF_FILE']).default('END_OF_FILE'),
    maxBufferAgeMillis: z.number().int().min(0).max(900_000).default(1_000),
    maxBufferSizeBytes: z.number().int().min(1).max(kinesis.batchBytesMax).optional(),
    maxBufferSizeRecords: z.number().int().min(1).max(kinesis.batchRecordsMax).default(500),
    minTimeBetweenFilePollsMillis: z.number().int().min(10).max(60_000).default(100),
    maxTimeBetweenFileTrackerRefreshMillis: z.number().int().min(100).max(600_000).default(10_000),
    retryInitialBackoffMillis: z.number().int().min(1).max(60_000).default(100),
    retryMaxBackoffMillis: z.number().int().min(1).max(600_000).default(10_000),
    multiLineStartPattern: pattern.optional(),
    skipHeaderLines: z.number().int().min(0).max(1_000).default(0),
    truncatedRecordTerminator: z.string().max(100).default('\n'),
    dataProcessingOptions: z.array(processing).max(10).default([]),
  })
  .superRefine((given, context) => {
    if ((given.kinesisStream === undefined) === (given.deliveryStream === undefined))
      context.addIssue({ code: 'custom', message: 'give one of kinesisStream and deliveryStream' });
    if (given.deliveryStream !== undefined && (given.maxBufferSizeBytes ?? 0) > firehose.batchBytesMax)
      context.addIssue({
        code: 'custom',
        path: ['maxBufferSizeBytes'],
        message: `a delivery takes ${firehose.batchBytesMax} bytes at once`,
      });
  });

const endpoint = z.string().optional();
const agent = z.strictObject({
  flows: z.array(flow).min(1).max(FLOWS_MAX),
  checkpointFile: z.string().min(1).optional(),
  checkpointTimeToLiveDays: z.number().int().min(1).max(3_650).default(7),
  shutdownTimeoutMillis: z.number().int().min(0).max(600_000).default(10_000),
  'kinesis.endpoint': endpoint,
  'firehose.endpoint': endpoint,
  'kinesis.region': z.string().optional(),
  awsAccessKeyId: z.string().optional(),
  awsSecretAccessKey: z.string().optional(),
  'cloudwatch.emitMetrics': z
    .literal(false, 'there is no CloudWatch here: set it to false and use --metrics-port for Prometheus')
    .optional(),
});

export type FlowConfig = z.infer<typeof flow>;
export type Processing = z.infer<typeof processing>;
export type AgentConfig = Omit<z.infer<typeof agent>, 'checkpointFile'> & {
  readonly checkpointFile: string;
};

/** Rejects with exit code 2 and the file, the option and what is wrong with it. Relative paths are the file's. */
export function loadAgentConfig(file: string): AgentConfig {
  const path = resolve(file);
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new CliError(`the configuration file ${file} can't be read: ${messageOf(cause)}`, {
      exitCode: EXIT.usage,
      hint: 'It is a JSON object such as {"flows": [{"filePattern": "/var/log/app.log*", "kinesisStream": "logs"}]}.',
      cause,
    });
  }
  const result = agent.safeParse(value);
  if (!result.success)
    throw new CliError(`${file}: ${z.prettifyError(result.error)}`, {
      exitCode: EXIT.usage,
      hint: 'The options are in docs/agent.md.',
    });
  const from = dirname(path);
  const flows = result.data.flows.map((each) => ({
    ...each,
    filePattern: resolve(from, each.filePattern) + slash(each.filePattern),
  }));
  const twice = flows.find((each, at) => flows.findIndex((other) => idOf(other) === idOf(each)) !== at);
  if (twice !== undefined)
    throw new CliError(`${file}: two flows read ${twice.filePattern} into ${destinationOf(twice).name}`, {
      exitCode: EXIT.usage,
    });
  const checkpointFile = resolve(
    from,
    result.data.checkpointFile ?? join(homedir(), '.sluice-agent', 'checkpoints.json'),
  );
  return { ...result.data, flows, checkpointFile };
}

/** `resolve` drops the slash that makes a pattern a directory. */
function slash(text: string): string {
  return text.endsWith('/') ? '/' : '';
}

export function destinationOf({ kinesisStream, deliveryStream }: FlowConfig) {
  return kinesisStream === undefined
    ? ({ service: 'firehose', name: deliveryStream! } as const)
    : ({ service: 'kinesis', name: kinesisStream } as const);
}

/** What positions are kept under; it changes with what is read and where it goes. */
export function idOf(config: FlowConfig): string {
  const { service, name } = destinationOf(config);
  return `${service}:${name}:${config.filePattern}`;
}
