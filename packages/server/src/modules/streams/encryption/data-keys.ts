/** Data keys of encrypted streams: made for those who write, unwrapped for those who read. */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { PlatformError } from '../../../base/errors.ts';
import type { KeyErrorCode, KeyService } from '../../../ports/key-service.ts';
import type { StreamEncryption, StreamsError } from '../api.ts';
import type { SealingKey } from '../core/section-seal.ts';
import { damaged, streamsError } from '../errors.ts';
import { BoundedCache } from '../journal/bounded-cache.ts';
import type { BatchSealer } from '../journal/journal.ts';
import { OPEN_DATA_KEYS_MAX } from '../limits.ts';
import type { DataKeyStore, StoredDataKey } from './data-key-store.ts';

/** A data key unwraps only for the stream that it was made for. */
const contextOf = (stream: string): string => `stream ${stream}`;

export class DataKeys {
  readonly #keys: KeyService | undefined;
  readonly #store: DataKeyStore;
  readonly #open = new BoundedCache<number, Promise<KeyObject>>(OPEN_DATA_KEYS_MAX);

  constructor(keys: KeyService | undefined, store: DataKeyStore) {
    this.#keys = keys;
    this.#store = store;
  }

  /** The master key that a name means, usable now; rejects as `Streams.startEncryption` does. */
  async describe(stream: string, name: string): Promise<string> {
    const { id, state } = await this.#with(stream, name, (keys) => keys.describe(name));
    if (state === 'disabled')
      throw streamsError({ code: 'key-disabled', message: `the master key "${name}" is disabled` });
    // A key that can't be used is told now, not to those who append.
    await this.#with(stream, id, (keys) => keys.generate(id, contextOf(stream)));
    return id;
  }

  sealer(stream: string, { masterKeyId }: StreamEncryption): StreamSealer {
    return new StreamSealer((segment) => this.#make({ stream, masterKeyId, segment }));
  }

  /** The secret of a stored data key. Rejects with an error that names the stream and the key. */
  secret(id: number): Promise<KeyObject> {
    let secret = this.#open.get(id);
    if (secret === undefined) {
      secret = this.#unwrap(id);
      secret.catch(() => this.#open.delete(id));
      this.#open.set(id, secret, 1);
    }
    return secret;
  }

  /** Forgets the data keys of segments that are gone. */
  removeBefore(segment: number): Promise<void> {
    return this.#store.removeBefore(segment);
  }

  /** Durable on return. */
  async #make(place: Omit<StoredDataKey, 'wrapped'>): Promise<SealingKey> {
    const { stream, masterKeyId } = place;
    const made = await this.#with(stream, masterKeyId, (keys) =>
      keys.generate(masterKeyId, contextOf(stream)),
    );
    const id = await this.#store.add({ ...place, wrapped: made.wrapped });
    return { id, secret: createSecretKey(made.plaintext), sections: 0 };
  }

  async #unwrap(id: number): Promise<KeyObject> {
    const found = await this.#store.find(id);
    if (found === undefined) throw damaged('the metadata', `it has no data key ${id}`);
    const { stream, masterKeyId, wrapped } = found;
    const secret = await this.#with(stream, masterKeyId, (keys) =>
      keys.unwrap(masterKeyId, wrapped, contextOf(stream)),
    );
    return createSecretKey(secret);
  }

  async #with<Result>(
    stream: string,
    key: string,
    work: (keys: KeyService) => Promise<Result>,
  ): Promise<Result> {
    if (this.#keys === undefined)
      throw streamsError({
        code: 'key-unusable',
        message: `the stream "${stream}" needs the master key "${key}", and there is no key service`,
      });
    try {
      return await work(this.#keys);
    } catch (error) {
      throw asStreamsError(stream, key, error);
    }
  }
}

/** Encrypts what is appended to one stream, with a data key of its own for each segment. */
export class StreamSealer implements BatchSealer {
  readonly #make: (segment: number) => Promise<SealingKey>;
  #segment: number | undefined;
  #key!: SealingKey;

  constructor(make: (segment: number) => Promise<SealingKey>) {
    this.#make = make;
  }

  isReady(segment: number): boolean {
    return this.#segment === segment;
  }

  async prepare(segment: number): Promise<void> {
    this.#key = await this.#make(segment);
    this.#segment = segment;
  }

  get key(): SealingKey {
    return this.#key;
  }
}

const KEY_CODES: Readonly<Record<string, KeyErrorCode | undefined>> = {
  'key-not-found': 'key-not-found',
  'key-disabled': 'key-disabled',
  'key-unusable': 'key-unusable',
};

function asStreamsError(stream: string, key: string, error: unknown): StreamsError {
  const known = error instanceof PlatformError ? error : undefined;
  const reason = error instanceof Error ? error.message : String(error);
  return streamsError({
    code: (known && KEY_CODES[known.code]) ?? 'key-unusable',
    message: `the stream "${stream}" needs the master key "${key}": ${reason}`,
    ...(known?.hint !== undefined && { hint: known.hint }),
    cause: error,
  });
}
