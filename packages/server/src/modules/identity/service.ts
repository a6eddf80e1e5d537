/**
 * Access keys. This version has one principal, `root`, whose key is made on the first start and lives in a file of the
 * data directory that only its owner may read.
 *
 * A key file that others may read is refused rather than used: its secret has to be taken as known to them.
 */
import { PlatformError } from '../../base/errors.ts';
import type { Random } from '../../ports/random.ts';
import type { SecretFile } from '../../ports/secret-file.ts';
import type { AccessKey, Identity } from './api.ts';

export interface IdentityOptions {
  readonly secretFile: SecretFile;
  readonly random: Random;
  /** 12 digits. */
  readonly accountId: string;
}

export interface RootIdentity extends Identity {
  readonly root: AccessKey;
}

export type IdentityErrorCode = 'loose-permissions' | 'damaged';

/** Reads the root key, or makes it: it is durable on return. Rejects with `loose-permissions` or `damaged`. */
export async function createIdentity({
  secretFile,
  random,
  accountId,
}: IdentityOptions): Promise<RootIdentity> {
  const found = await secretFile.read();
  if (found.kind === 'loose') throw loosePermissions(secretFile.path, found.mode);
  const credentials = found.kind === 'text' ? parse(found.text, secretFile.path) : newCredentials(random);
  if (found.kind === 'absent') await secretFile.write(`${JSON.stringify(credentials, undefined, 2)}\n`);
  const root: AccessKey = { ...credentials, principal: { accountId, name: 'root' } };
  return {
    root,
    secretOf: (accessKeyId) => (accessKeyId === root.accessKeyId ? root : undefined),
  };
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const ID_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const SECRET_BYTES = 30;

/** As AWS writes them: `AKIA` and 16 characters; a secret of 40 characters. */
function newCredentials(random: Random): Credentials {
  const id = [...random.bytes(16)].map((byte) => ID_CHARACTERS.charAt(byte % ID_CHARACTERS.length)).join('');
  return {
    accessKeyId: `AKIA${id}`,
    secretAccessKey: Buffer.from(random.bytes(SECRET_BYTES)).toString('base64'),
  };
}

function parse(text: string, path: string): Credentials {
  const damaged = (cause?: unknown) =>
    new PlatformError<IdentityErrorCode>({
      code: 'damaged',
      message: `${path} does not hold an access key`,
      hint: 'Put the file back, or remove it: the next start then makes a new key, and clients need the new one.',
      cause,
    });
  let value: Partial<Credentials> | null;
  try {
    value = JSON.parse(text) as Partial<Credentials> | null;
  } catch (cause) {
    throw damaged(cause);
  }
  const { accessKeyId, secretAccessKey } = value ?? {};
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string') throw damaged();
  if (!/^[A-Z0-9]{16,128}$/.test(accessKeyId) || secretAccessKey.length < 16) throw damaged();
  return { accessKeyId, secretAccessKey };
}

function loosePermissions(path: string, mode: string): PlatformError<IdentityErrorCode> {
  return new PlatformError<IdentityErrorCode>({
    code: 'loose-permissions',
    message: `${path} may be read by others (mode ${mode}), so its key is not safe to use`,
    hint: `Run: chmod 600 '${path}' — or remove the file to get a new key at the next start.`,
  });
}
