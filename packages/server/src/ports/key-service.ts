import type { PlatformError } from '../base/errors.ts';

/**
 * Keeps master keys, which never leave it, and wraps data keys under them. Calls resolve or reject within seconds: who
 * writes waits for them.
 */
export interface KeyService {
  /**
   * The master key that a name means: `alias/…` or a key's id. A service may make a key for an alias that is new; it is
   * durable on return. Rejects with `key-not-found`; gives a disabled key with its state.
   */
  describe(name: string): Promise<MasterKey>;
  /** A new data key of 32 random bytes, in the clear and wrapped. Only the same `context` unwraps it. */
  generate(keyId: string, context: string): Promise<DataKey>;
  /** The plaintext of a wrapped data key; `key-unusable` when it was not wrapped so, by this key, in this context. */
  unwrap(keyId: string, wrapped: Uint8Array, context: string): Promise<Uint8Array>;
}

export interface MasterKey {
  readonly id: string;
  readonly state: 'enabled' | 'disabled';
}

export interface DataKey {
  readonly plaintext: Uint8Array;
  readonly wrapped: Uint8Array;
}

export const DATA_KEY_BYTES = 32;

/** `key-unusable` is for a key that is there and can't be used: its file or its passphrase is not the right one. */
export type KeyErrorCode = 'key-not-found' | 'key-disabled' | 'key-unusable';
export type KeyError = PlatformError<KeyErrorCode>;
