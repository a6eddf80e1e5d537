/** The text of the file of master keys, and the key that a passphrase gives. */
import { randomBytes, scrypt } from 'node:crypto';

export interface KeyFile {
  readonly format: 1;
  readonly protection: Protection;
  readonly keys: readonly StoredKey[];
}

export type Protection =
  | { readonly kind: 'none' }
  /** Parameters of RFC 7914; `salt` is base64. */
  | {
      readonly kind: 'scrypt';
      readonly salt: string;
      readonly cost: number;
      readonly blockSize: number;
      readonly parallelization: number;
    };

export interface StoredKey {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly state: 'enabled' | 'disabled';
  readonly createdMs: number;
  /** Base64; of the key itself, or of what the passphrase's key made of it. */
  readonly secret: string;
}

const KEY_BYTES = 32;
const SALT_BYTES = 16;
/** Takes 64 MiB and a tenth of a second or so. */
const COST = { cost: 2 ** 16, blockSize: 8, parallelization: 1 };
/** What a file may ask for: a foreign one must not take all memory. */
const MEMORY_BYTES_MAX = 256 * 2 ** 20;

export function newProtection(): Protection {
  return { kind: 'scrypt', salt: randomBytes(SALT_BYTES).toString('base64'), ...COST };
}

/** Undefined where nothing protects. */
export async function deriveKey(protection: Protection, passphrase: string): Promise<Buffer | undefined> {
  if (protection.kind === 'none') return undefined;
  const { salt, cost, blockSize, parallelization } = protection;
  return new Promise((resolve, reject) => {
    const options = { cost, blockSize, parallelization, maxmem: MEMORY_BYTES_MAX };
    scrypt(passphrase, Buffer.from(salt, 'base64'), KEY_BYTES, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

/** Undefined when it is not such a file. */
export function parseKeyFile(text: string): KeyFile | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const file = value as Partial<KeyFile> | null;
  if (typeof file !== 'object' || file === null || file.format !== 1 || !Array.isArray(file.keys))
    return undefined;
  return isProtection(file.protection) && file.keys.every(isStoredKey) ? (file as KeyFile) : undefined;
}

function isProtection(protection: Protection | undefined): boolean {
  if (protection?.kind === 'none') return true;
  if (protection?.kind !== 'scrypt' || typeof protection.salt !== 'string') return false;
  const { cost, blockSize, parallelization } = protection;
  return (
    [cost, blockSize, parallelization].every((number) => Number.isInteger(number) && number > 0) &&
    // As scrypt counts what it needs, with room to spare.
    128 * blockSize * (cost + parallelization + 2) <= MEMORY_BYTES_MAX
  );
}

function isStoredKey(key: Partial<StoredKey> | null): boolean {
  return (
    typeof key?.id === 'string' &&
    typeof key.secret === 'string' &&
    (key.state === 'enabled' || key.state === 'disabled') &&
    Array.isArray(key.aliases) &&
    key.aliases.every((alias) => typeof alias === 'string')
  );
}
