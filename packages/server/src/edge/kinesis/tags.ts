/** Tags of streams, by both of the operations that Kinesis has for each purpose. */
import type { Streams } from '../../modules/streams/index.ts';
import { ACCOUNT_ID, invalid } from './errors.ts';
import type {
  AddTagsInput,
  ListTagsInput,
  RemoveTagsInput,
  ResourceInput,
  StreamInput,
  TagResourceInput,
  UntagResourceInput,
} from './inputs.ts';
import { describePublic, foundLater, nameOf, streamOfResource } from './names.ts';

const TAGS_MAX = 50;
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@%]*$/u;

export class Tags {
  readonly #streams: Streams;

  constructor(streams: Streams) {
    this.#streams = streams;
  }

  readonly add = (input: AddTagsInput): Promise<object> => this.#add(nameOf(input), input.Tags);

  readonly remove = (input: RemoveTagsInput): Promise<object> => this.#remove(nameOf(input), input.TagKeys);

  readonly list = async (input: ListTagsInput): Promise<object> => {
    const start = input.ExclusiveStartTagKey;
    const rest = this.#all(input).filter(({ Key: key }) => start === undefined || key > start);
    const limit = input.Limit ?? TAGS_MAX;
    return { Tags: rest.slice(0, limit), HasMoreTags: rest.length > limit };
  };

  readonly tagResource = (input: TagResourceInput): Promise<object> =>
    this.#add(streamOfResource(input.ResourceARN), input.Tags);

  readonly untagResource = (input: UntagResourceInput): Promise<object> =>
    this.#remove(streamOfResource(input.ResourceARN), input.TagKeys);

  readonly listOfResource = async (input: ResourceInput): Promise<object> => ({
    Tags: this.#all({ StreamName: streamOfResource(input.ResourceARN) }),
  });

  #all(input: StreamInput): { Key: string; Value: string }[] {
    const { tags } = describePublic(this.#streams, nameOf(input));
    return Object.keys(tags)
      .sort()
      .map((key) => ({ Key: key, Value: tags[key]! }));
  }

  async #add(stream: string, added: Readonly<Record<string, string>>): Promise<object> {
    const { tags } = describePublic(this.#streams, stream);
    const all = { ...tags, ...added };
    checkTags(stream, added, all);
    return this.#set(stream, all);
  }

  async #remove(stream: string, keys: readonly string[]): Promise<object> {
    const { tags } = describePublic(this.#streams, stream);
    return this.#set(stream, Object.fromEntries(Object.entries(tags).filter(([key]) => !keys.includes(key))));
  }

  async #set(stream: string, tags: Readonly<Record<string, string>>): Promise<object> {
    await foundLater(stream, () => this.#streams.setTags(stream, tags));
    return {};
  }
}

export function checkTags(
  stream: string,
  added: Readonly<Record<string, string>>,
  all: Readonly<Record<string, string>>,
): void {
  for (const [key, value] of Object.entries(added))
    if (!TAG_TEXT.test(key) || !TAG_TEXT.test(value))
      throw invalid(
        'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @ :.',
      );
  if (Object.keys(all).length > TAGS_MAX)
    throw invalid(
      `Failed to add tags to stream ${stream} under account ${ACCOUNT_ID} because a given stream cannot have more than ${TAGS_MAX} tags associated with it.`,
    );
}
