/** StartStreamEncryption and StopStreamEncryption, and how a stream's encryption is described. */
import type { StreamDescription, Streams } from '../../modules/streams/index.ts';
import { AwsError } from '../aws-json/index.ts';
import { ACCOUNT_ID, invalid } from './errors.ts';
import type { EncryptionInput } from './inputs.ts';
import { describeActive, foundLater, nameOf } from './names.ts';

const KEY_ARN = /^arn:aws[^:]*:kms:[^:]*:(\d{12}):(?:key\/([^/]+)|(alias\/.+))$/;
/** Of the key that AWS keeps for the service; only the account's own aliases are looked up beside it. */
const RESERVED = /^alias\/aws\/(?!kinesis$)/;

export class Encryption {
  readonly #streams: Streams;

  constructor(streams: Streams) {
    this.#streams = streams;
  }

  readonly start = async (input: EncryptionInput): Promise<object> => {
    const { name } = this.#active(input);
    if (input.EncryptionType !== 'KMS') throw notKms();
    const key = keyOf(input.KeyId);
    await foundLater(name, () => this.#streams.startEncryption(name, { key, named: input.KeyId }));
    return {};
  };

  readonly stop = async (input: EncryptionInput): Promise<object> => {
    const { name } = this.#active(input);
    if (input.EncryptionType !== 'KMS') throw notKms();
    keyOf(input.KeyId);
    await foundLater(name, () => this.#streams.stopEncryption(name));
    return {};
  };

  #active(input: EncryptionInput): StreamDescription {
    return describeActive(this.#streams, nameOf(input));
  }
}

/** Members of a description; a stream in the clear has no key. */
export function describeEncryption({ settings }: StreamDescription): object {
  const { encryption } = settings;
  return encryption === undefined
    ? { EncryptionType: 'NONE' }
    : { EncryptionType: 'KMS', KeyId: encryption.key };
}

/** `alias/…` or an id, of any of the forms that the operation takes. */
function keyOf(keyId: string): string {
  if (!keyId.startsWith('arn:')) return notReserved(keyId, keyId);
  const [, account, key, alias] = KEY_ARN.exec(keyId) ?? [];
  if (account === undefined) throw invalid(`The KeyId ${keyId} is not the ARN of a key or of an alias.`);
  if (account !== ACCOUNT_ID)
    throw new AwsError('KMSNotFoundException', `There is no key ${keyId}: it is of another account.`);
  return notReserved(key ?? alias!, keyId);
}

function notReserved(key: string, keyId: string): string {
  if (RESERVED.test(key))
    throw new AwsError(
      'KMSNotFoundException',
      `Alias ${keyId} is not found: alias/aws/ is reserved, and alias/aws/kinesis is the only one for streams.`,
    );
  return key;
}

function notKms() {
  return invalid('EncryptionType must be KMS.');
}
