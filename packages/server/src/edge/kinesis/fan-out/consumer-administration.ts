import { PlatformError } from '../../../base/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Consumer, Streams } from '../../../modules/streams/index.ts';
import { AwsError, type RequestContext } from '../../aws-json/index.ts';
import { ACCOUNT_ID, invalid } from '../errors.ts';
import type { ResourceInput, TagResourceInput, UntagResourceInput } from '../inputs.ts';
import { arnOf, asMissing, describePublic, nameOf } from '../names.ts';
import { checkTags } from '../tags.ts';
import type { Tokens } from '../tokens.ts';
import { consumerArnOf, consumerOf } from './consumer-names.ts';
import type { ConsumerInput, ListConsumersInput, RegisterConsumerInput } from './inputs.ts';

const LISTED_CONSUMERS_DEFAULT = 100;

/** A consumer is ACTIVE from the moment that it is registered, and gone from the moment that it is not. */
const ACTIVE = 'ACTIVE';

export class ConsumerAdministration {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #tokens: Tokens;

  constructor(streams: Streams, clock: Clock, tokens: Tokens) {
    this.#streams = streams;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  readonly register = async (input: RegisterConsumerInput, context: RequestContext): Promise<object> => {
    const { name: stream } = describePublic(this.#streams, nameOf(input));
    const tags = input.Tags ?? {};
    checkTags(stream, tags, tags);
    try {
      const consumer = await this.#streams.consumers.register(stream, input.ConsumerName, tags);
      return { Consumer: describeConsumer(consumer, context.region) };
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'consumer-exists'))
        throw asMissing(stream, error);
      throw new AwsError(
        'ResourceInUseException',
        `Consumer ${input.ConsumerName} under stream ${stream} already exists for account ${ACCOUNT_ID}.`,
      );
    }
  };

  readonly deregister = async (input: ConsumerInput): Promise<object> => {
    await this.#streams.consumers.deregister(consumerOf(this.#streams, input));
    return {};
  };

  readonly describe = async (input: ConsumerInput, { region }: RequestContext): Promise<object> => {
    const consumer = consumerOf(this.#streams, input);
    const StreamARN = arnOf(consumer.stream, region);
    return { ConsumerDescription: { ...describeConsumer(consumer, region), StreamARN } };
  };

  readonly list = async (input: ListConsumersInput, { region }: RequestContext): Promise<object> => {
    const nowMs = this.#clock.nowMs();
    const { StreamCreationTimestamp: created, NextToken: token } = input;
    const { name: stream, createdMs } = describePublic(this.#streams, nameOf(input));
    if (token !== undefined && created !== undefined)
      throw invalid('NextToken and StreamCreationTimestamp cannot be provided together.');
    if (created !== undefined && Math.floor(created) !== Math.floor(createdMs / 1000))
      throw new AwsError('ResourceNotFoundException', `Stream ${stream} was not created at ${created}.`);
    const page = token === undefined ? undefined : this.#tokens.openPage(token, 'consumers', nowMs);
    if (page !== undefined && (page.stream !== stream || page.createdMs !== createdMs))
      throw invalid('Invalid NextToken.');
    const rest = this.#streams.consumers.list(stream).filter(({ name }) => name > (page?.after ?? ''));
    const limit = input.MaxResults ?? LISTED_CONSUMERS_DEFAULT;
    const shown = rest.slice(0, limit);
    const after = shown.at(-1)?.name ?? '';
    return {
      Consumers: shown.map((consumer) => describeConsumer(consumer, region)),
      ...(rest.length > limit && {
        NextToken: this.#tokens.page({ kind: 'consumers', stream, after, createdMs }, nowMs),
      }),
    };
  };

  readonly tag = ({ ResourceARN: arn, Tags: added }: TagResourceInput): Promise<object> => {
    const consumer = consumerOf(this.#streams, { ConsumerARN: arn });
    const all = { ...consumer.tags, ...added };
    checkTags(consumer.stream, added, all);
    return this.#setTags(consumer, all);
  };

  readonly untag = ({ ResourceARN: arn, TagKeys: keys }: UntagResourceInput): Promise<object> => {
    const consumer = consumerOf(this.#streams, { ConsumerARN: arn });
    const kept = Object.entries(consumer.tags).filter(([key]) => !keys.includes(key));
    return this.#setTags(consumer, Object.fromEntries(kept));
  };

  readonly listTags = async ({ ResourceARN: arn }: ResourceInput): Promise<object> => {
    const { tags } = consumerOf(this.#streams, { ConsumerARN: arn });
    return {
      Tags: Object.keys(tags)
        .sort()
        .map((key) => ({ Key: key, Value: tags[key] })),
    };
  };

  async #setTags(consumer: Consumer, tags: Readonly<Record<string, string>>): Promise<object> {
    await this.#streams.consumers.setTags(consumer, tags);
    return {};
  }
}

function describeConsumer(consumer: Consumer, region: string): object {
  return {
    ConsumerName: consumer.name,
    ConsumerARN: consumerArnOf(consumer, region),
    ConsumerStatus: ACTIVE,
    ConsumerCreationTimestamp: consumer.createdMs / 1000,
  };
}
