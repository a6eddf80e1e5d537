/**
 * The lease store of DynamoDB with AWS's client, against dynalite. Neither is needed by the library: they are installed
 * into a temporary folder, and where that isn't possible the tests are skipped with the reason.
 */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { type DynamoDbCalls, DynamoDbLeaseStore } from '../src/index.ts';
import { leaseStoreContract } from '../src/consumer/testing/lease-store.contract.ts';

const PACKAGES = ['dynalite@4.0.0', '@aws-sdk/client-dynamodb@3.1141.0'];
const INSTALL_MS_MAX = 120_000;

const folder = await mkdtemp(join(tmpdir(), 'sluice-dynalite-'));
const closing: (() => void)[] = [];
after(async () => {
  for (const close of closing) close();
  await rm(folder, { recursive: true, force: true });
});

async function openDynalite(): Promise<DynamoDbCalls> {
  const options = { timeout: INSTALL_MS_MAX };
  await promisify(execFile)(
    'npm',
    ['install', '--no-audit', '--no-fund', '--prefix', folder, ...PACKAGES],
    options,
  );
  const load = createRequire(join(folder, 'index.js'));
  const dynalite = load('dynalite') as (options: { createTableMs: number }) => Server;
  const { DynamoDB } = load('@aws-sdk/client-dynamodb') as {
    DynamoDB: new (settings: object) => DynamoDbCalls & { destroy(): void };
  };
  const server = dynalite({ createTableMs: 10 }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new DynamoDB({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'any', secretAccessKey: 'any' },
  });
  closing.push(() => {
    client.destroy();
    server.close();
    server.closeAllConnections();
  });
  return client;
}

let client: DynamoDbCalls | undefined;
try {
  client = await openDynalite();
} catch (error) {
  test('the lease store of DynamoDB', { skip: `dynalite can't be had: ${String(error).slice(0, 300)}` });
}
if (client !== undefined) {
  const [one, other] = [
    new DynamoDbLeaseStore({ client, table: 'leases' }),
    new DynamoDbLeaseStore({ client, table: 'leases' }),
  ];
  await one.createTable();
  // The second worker finds it made.
  await other.createTable();
  leaseStoreContract('dynamodb', async () => [one, other]);
}
