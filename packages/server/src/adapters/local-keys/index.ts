/** Master keys in one file of the data directory, for those who have no key service of their own. */
import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto';
import { PlatformError } from '../../base/errors.ts';
import {
  DATA_KEY_BYTES,
  type DataKey,
  type KeyErrorCode,
  type KeyService,
  type MasterKey,
} from '../../ports/key-service.ts';
import type { SecretFile } from '../../ports/secret-file.ts';
import { deriveKey, newProtection, parseKeyFile, type KeyFile, type StoredKey } from './key-file.ts';

export interface LocalKeysOptions {
  readonly file: SecretFile;
  /** Wraps the master keys in the file; without one they are held by the file's mode alone. */
  readonly passphrase?: string | undefined;
}

/** Keys that one file has; beyond it no alias gets a key of its own. */
const KEYS_MAX = 10_000;
const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;
/** The first byte of what is wrapped. */
const WRAPPED_FORMAT = 1;
const ALIAS = /^alias\/[a-zA-Z0-9/_-]+$/;

/** The file is read when a key is first needed, so that a server without encrypted streams has none. */
export function createLocalKeys(options: LocalKeysOptions): KeyService {
  return new LocalKeys(options);
}

class LocalKeys implements KeyService {
  readonly #file: SecretFile;
  readonly #passphrase: string | undefined;
  #opened: { readonly content: KeyFile; readonly protector: Buffer | undefined } | undefined;
  /** One reading or writing of the file at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ file, passphrase }: LocalKeysOptions) {
    this.#file = file;
    this.#passphrase = passphrase;
  }

  describe(name: string): Promise<MasterKey> {
    return this.#inTurn(async () => {
      const { content } = await this.#open();
      const known = content.keys.find(({ id, aliases }) => id === name || aliases.includes(name));
      if (known !== undefined) return { id: known.id, state: known.state };
      if (!ALIAS.test(name)) throw this.#missing(name);
      return this.#create(name);
    });
  }

  async generate(keyId: string, context: string): Promise<DataKey> {
    const secret = await this.#secret(keyId);
    const plaintext = randomBytes(DATA_KEY_BYTES);
    return { plaintext, wrapped: seal(secret, plaintext, `${keyId}\n${context}`) };
  }

  async unwrap(keyId: string, wrapped: Uint8Array, context: string): Promise<Uint8Array> {
    const secret = await this.#secret(keyId);
    const plaintext = open(secret, wrapped, `${keyId}\n${context}`);
    if (plaintext === undefined)
      throw keyError('key-unusable', {
        message: `the master key "${keyId}" in ${this.#file.path} is not the one that this data key was wrapped with`,
        hint: 'Restore the file of master keys that belongs to this data directory.',
      });
    return plaintext;
  }

  async #secret(keyId: string): Promise<Buffer> {
    const { content, protector } = await this.#inTurn(() => this.#open());
    const key = content.keys.find(({ id }) => id === keyId);
    if (key === undefined) throw this.#missing(keyId);
    if (key.state === 'disabled')
      throw keyError('key-disabled', {
        message: `the master key "${keyId}" is disabled`,
        hint: `Enable it in ${this.#file.path} and start the server again.`,
      });
    return this.#unprotected(key, protector);
  }

  #unprotected({ id, secret }: StoredKey, protector: Buffer | undefined): Buffer {
    const bytes = Buffer.from(secret, 'base64');
    const plain = protector === undefined ? bytes : open(protector, bytes, id);
    if (plain?.length !== DATA_KEY_BYTES)
      throw keyError('key-unusable', {
        message: `the master key "${id}" in ${this.#file.path} can't be unlocked with the passphrase that was given`,
        hint: 'Start the server with the SLUICE_MASTER_KEY_PASSPHRASE that the file was written with.',
      });
    return plain;
  }

  async #create(alias: string): Promise<MasterKey> {
    const { content, protector } = await this.#open();
    // With a wrong passphrase the file would get keys that no single passphrase opens.
    for (const key of content.keys) this.#unprotected(key, protector);
    if (content.keys.length >= KEYS_MAX)
      throw keyError('key-unusable', {
        message: `${this.#file.path} has ${KEYS_MAX} master keys already; there is none for "${alias}"`,
      });
    const id = randomUUID();
    const plain = randomBytes(DATA_KEY_BYTES);
    const secret = (protector === undefined ? plain : seal(protector, plain, id)).toString('base64');
    const key: StoredKey = { id, aliases: [alias], state: 'enabled', createdMs: Date.now(), secret };
    await this.#save({ ...content, keys: [...content.keys, key] }, protector);
    return { id, state: 'enabled' };
  }

  async #open(): Promise<{ readonly content: KeyFile; readonly protector: Buffer | undefined }> {
    if (this.#opened !== undefined) return this.#opened;
    const found = await this.#file.read();
    if (found.kind === 'loose')
      throw keyError('key-unusable', {
        message: `${this.#file.path} has mode ${found.mode}: others than its owner may read the master keys`,
        hint: `Run: chmod 600 ${this.#file.path}`,
      });
    if (found.kind === 'absent') return this.#begin();
    const content = parseKeyFile(found.text);
    if (content === undefined)
      throw keyError('key-unusable', {
        message: `${this.#file.path} is not a file of master keys that this version can read`,
        hint: 'Restore it from a copy.',
      });
    return this.#unlock(content);
  }

  async #begin() {
    const protection = this.#passphrase === undefined ? { kind: 'none' as const } : newProtection();
    const protector = await deriveKey(protection, this.#passphrase ?? '');
    // Not kept until it is written, so that a file that is put back is found.
    return { content: { format: 1 as const, protection, keys: [] }, protector };
  }

  async #unlock(content: KeyFile) {
    const { protection } = content;
    if (protection.kind === 'scrypt') {
      if (this.#passphrase === undefined)
        throw keyError('key-unusable', {
          message: `the master keys in ${this.#file.path} are protected by a passphrase, and none was given`,
          hint: 'Start the server with SLUICE_MASTER_KEY_PASSPHRASE.',
        });
      return (this.#opened = { content, protector: await deriveKey(protection, this.#passphrase) });
    }
    if (this.#passphrase === undefined) return (this.#opened = { content, protector: undefined });
    return this.#protect(content, this.#passphrase);
  }

  /** A passphrase that is given for the first time protects the keys that are there. */
  async #protect(content: KeyFile, passphrase: string) {
    const protection = newProtection();
    const protector = await deriveKey(protection, passphrase);
    const keys = content.keys.map((key) => ({
      ...key,
      secret: seal(protector!, this.#unprotected(key, undefined), key.id).toString('base64'),
    }));
    return this.#save({ ...content, protection, keys }, protector);
  }

  async #save(content: KeyFile, protector: Buffer | undefined) {
    await this.#file.write(`${JSON.stringify(content, undefined, 2)}\n`);
    return (this.#opened = { content, protector });
  }

  #missing(name: string) {
    return keyError('key-not-found', {
      message: `there is no master key "${name}" in ${this.#file.path}`,
      hint: 'Name an alias, which gets a key on first use, or restore the file of master keys.',
    });
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function keyError(
  code: KeyErrorCode,
  about: { message: string; hint?: string },
): PlatformError<KeyErrorCode> {
  return new PlatformError({ code, ...about });
}

function seal(key: Buffer, plain: Uint8Array, context: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(context));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([Buffer.from([WRAPPED_FORMAT]), nonce, cipher.getAuthTag(), sealed]);
}

function open(key: Buffer, sealed: Uint8Array, context: string): Buffer | undefined {
  if (sealed.length < HEAD_BYTES || sealed[0] !== WRAPPED_FORMAT) return undefined;
  const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}
