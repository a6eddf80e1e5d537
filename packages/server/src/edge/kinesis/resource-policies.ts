/**
 * Resource policies of streams: kept as they were given, once they are policies of that stream. Every request is of the
 * one account, whose principals are authorised elsewhere: a policy gives nobody access.
 */
import type { Streams } from '../../modules/streams/index.ts';
import { AwsError } from '../aws-json/index.ts';
import { invalid } from './errors.ts';
import type { PutPolicyInput, ResourceInput } from './inputs.ts';
import { describeActive, describePublic, foundLater, streamOfResource } from './names.ts';

/** Of the text of a policy. */
const POLICY_BYTES_MAX = 20_480;
const STATEMENTS_MAX = 100;
const VERSIONS: readonly unknown[] = ['2012-10-17', '2008-10-17'];
/** What a stream's policy may allow, from the developer guide, "Sharing access using resource-based policies". */
const ACTIONS = new Set(
  [
    'DescribeStream',
    'DescribeStreamSummary',
    'GetRecords',
    'GetShardIterator',
    'ListShards',
    'PutRecord',
    'PutRecords',
  ].map((action) => `kinesis:${action}`.toLowerCase()),
);

export class ResourcePolicies {
  readonly #streams: Streams;

  constructor(streams: Streams) {
    this.#streams = streams;
  }

  readonly put = async (input: PutPolicyInput): Promise<object> => {
    const name = this.#active(input);
    checkPolicy(input.Policy, input.ResourceARN);
    return this.#set(name, input.Policy);
  };

  readonly get = async (input: ResourceInput): Promise<object> => {
    const { settings } = describePublic(this.#streams, streamOfResource(input.ResourceARN));
    return { Policy: settings.policy ?? '{}' };
  };

  readonly delete = async (input: ResourceInput): Promise<object> => {
    const name = this.#active(input);
    if (describePublic(this.#streams, name).settings.policy === undefined)
      throw new AwsError(
        'ResourceNotFoundException',
        `No resource policy found for resource ARN ${input.ResourceARN}.`,
      );
    return this.#set(name, undefined);
  };

  #active(input: ResourceInput): string {
    return describeActive(this.#streams, streamOfResource(input.ResourceARN)).name;
  }

  async #set(name: string, policy: string | undefined): Promise<object> {
    await foundLater(name, () => this.#streams.configure(name, { policy }));
    return {};
  }
}

function checkPolicy(text: string, resource: string): void {
  if (Buffer.byteLength(text) > POLICY_BYTES_MAX)
    throw invalid(`The policy has more than ${POLICY_BYTES_MAX} bytes.`);
  const policy = parse(text);
  if (!isObject(policy)) throw invalid('The policy is not a JSON object.');
  if (policy['Version'] !== undefined && !VERSIONS.includes(policy['Version']))
    throw invalid(`The Version of the policy is not one of ${VERSIONS.join(', ')}.`);
  const statements = listOf(policy['Statement']);
  if (statements.length === 0 || statements.length > STATEMENTS_MAX)
    throw invalid(`The policy has no Statement, or more than ${STATEMENTS_MAX}.`);
  for (const statement of statements) checkStatement(statement, resource);
}

function checkStatement(statement: unknown, resource: string): void {
  if (!isObject(statement)) throw invalid('A Statement of the policy is not an object.');
  const { Effect: effect, Principal: principal, NotPrincipal: notPrincipal } = statement;
  if (effect !== 'Allow' && effect !== 'Deny') throw invalid('The Effect of a Statement is Allow or Deny.');
  if (principal === undefined && notPrincipal === undefined)
    throw invalid('A Statement of a resource policy names a Principal.');
  const actions = listOf(statement['Action']);
  if (actions.length === 0) throw invalid('A Statement of the policy names no Action.');
  for (const action of actions)
    if (typeof action !== 'string' || !ACTIONS.has(action.toLowerCase()))
      throw invalid(`The policy of a stream can't name the Action ${JSON.stringify(action)}.`);
  const resources = listOf(statement['Resource']);
  if (resources.length === 0 || resources.some((named) => named !== resource))
    throw invalid(`The Resource of a Statement is not the stream's own: ${resource}.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}
