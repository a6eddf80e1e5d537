import { setTimeout as pause } from 'node:timers/promises';
import { ConsumerError } from '../errors.ts';
import type { Lease } from '../core/lease.ts';
import { decodeCheckpoint, encodeCheckpoint, type LeaseScope, type LeaseStore } from './lease-store.ts';

/** The kinds of value that a lease has. */
type Value = { S: string } | { N: string } | { L: { S: string }[] };
type Item = Record<string, Value>;
// oxlint-disable-next-line typescript/no-explicit-any -- the client's own type of an item has more kinds than these
type AnyItem = Record<string, any>;

/** What is needed of a client: `DynamoDB` of `@aws-sdk/client-dynamodb` is one. */
export interface DynamoDbCalls {
  putItem(input: {
    TableName: string;
    Item: Item;
    ConditionExpression: string;
    ExpressionAttributeNames: Record<string, string>;
    ExpressionAttributeValues?: Item;
  }): Promise<unknown>;
  getItem(input: {
    TableName: string;
    Key: Item;
    ConsistentRead: boolean;
  }): Promise<{ Item?: AnyItem | undefined }>;
  query(input: {
    TableName: string;
    ConsistentRead: boolean;
    KeyConditionExpression: string;
    ExpressionAttributeNames: Record<string, string>;
    ExpressionAttributeValues: Item;
    ExclusiveStartKey?: AnyItem | undefined;
  }): Promise<{ Items?: AnyItem[] | undefined; LastEvaluatedKey?: AnyItem | undefined }>;
  deleteItem(input: {
    TableName: string;
    Key: Item;
    ConditionExpression: string;
    ExpressionAttributeNames: Record<string, string>;
    ExpressionAttributeValues: Item;
  }): Promise<unknown>;
  createTable(input: {
    TableName: string;
    BillingMode: 'PAY_PER_REQUEST';
    KeySchema: { AttributeName: string; KeyType: 'HASH' | 'RANGE' }[];
    AttributeDefinitions: { AttributeName: string; AttributeType: 'S' }[];
  }): Promise<unknown>;
  describeTable(input: {
    TableName: string;
  }): Promise<{ Table?: { TableStatus?: string | undefined } | undefined }>;
}

/** How often a table that is being made is looked at, and the pause between. */
const LOOKS_MAX = 120;
const LOOK_PAUSE_MS = 500;
/** Of one megabyte each, as DynamoDB answers. */
const PAGES_MAX = 1_000;
const NAMES = { '#counter': 'counter' };

/**
 * Leases in a table of DynamoDB, for workers on any number of machines; several applications may share it. Its key is
 * `scope` (string, partition key: application and stream) and `shardId` (string, sort key).
 */
export class DynamoDbLeaseStore implements LeaseStore {
  readonly #client: DynamoDbCalls;
  readonly #table: string;

  constructor({ client, table }: { client: DynamoDbCalls; table: string }) {
    this.#client = client;
    this.#table = table;
  }

  /** Makes the table, billed by request, unless it is there, and resolves when it can be used. */
  async createTable(): Promise<void> {
    try {
      await this.#client.createTable({
        TableName: this.#table,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: 'scope', KeyType: 'HASH' },
          { AttributeName: 'shardId', KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [
          { AttributeName: 'scope', AttributeType: 'S' },
          { AttributeName: 'shardId', AttributeType: 'S' },
        ],
      });
    } catch (error) {
      if (!isNamed(error, 'ResourceInUseException')) throw error;
    }
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const { Table } = await this.#client.describeTable({ TableName: this.#table });
      if (Table?.TableStatus === 'ACTIVE') return;
      await pause(LOOK_PAUSE_MS);
    }
    throw new ConsumerError('lease-store', `The table "${this.#table}" did not become active in a minute.`);
  }

  async list(scope: LeaseScope): Promise<Lease[]> {
    const leases: Lease[] = [];
    let from: AnyItem | undefined;
    for (let pages = 0; pages < PAGES_MAX; pages++) {
      const { Items = [], LastEvaluatedKey } = await this.#client.query({
        TableName: this.#table,
        ConsistentRead: true,
        KeyConditionExpression: '#scope = :scope',
        ExpressionAttributeNames: { '#scope': 'scope' },
        ExpressionAttributeValues: { ':scope': { S: scopeKey(scope) } },
        ...(from !== undefined && { ExclusiveStartKey: from }),
      });
      for (const item of Items) leases.push(toLease(item));
      from = LastEvaluatedKey;
      if (from === undefined) return leases;
    }
    throw new ConsumerError('lease-store', `The table "${this.#table}" has more leases than can be listed.`);
  }

  async read(scope: LeaseScope, shardId: string): Promise<Lease | undefined> {
    const { Item: item } = await this.#client.getItem({
      TableName: this.#table,
      Key: keyOf(scope, shardId),
      ConsistentRead: true,
    });
    return item === undefined ? undefined : toLease(item);
  }

  create(scope: LeaseScope, lease: Lease): Promise<boolean> {
    return conditional(
      this.#client.putItem({
        TableName: this.#table,
        Item: toItem(scope, lease),
        ConditionExpression: 'attribute_not_exists(#counter)',
        ExpressionAttributeNames: NAMES,
      }),
    );
  }

  replace(scope: LeaseScope, lease: Lease, counter: number): Promise<boolean> {
    return conditional(
      this.#client.putItem({
        TableName: this.#table,
        Item: toItem(scope, lease),
        ConditionExpression: '#counter = :expected',
        ExpressionAttributeNames: NAMES,
        ExpressionAttributeValues: { ':expected': { N: String(counter) } },
      }),
    );
  }

  delete(scope: LeaseScope, shardId: string, counter: number): Promise<boolean> {
    return conditional(
      this.#client.deleteItem({
        TableName: this.#table,
        Key: keyOf(scope, shardId),
        ConditionExpression: '#counter = :expected',
        ExpressionAttributeNames: NAMES,
        ExpressionAttributeValues: { ':expected': { N: String(counter) } },
      }),
    );
  }
}

async function conditional(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (isNamed(error, 'ConditionalCheckFailedException')) return false;
    throw error;
  }
}

const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;
const scopeKey = ({ application, stream }: LeaseScope): string => JSON.stringify([application, stream]);
const keyOf = (scope: LeaseScope, shardId: string): Item => ({
  scope: { S: scopeKey(scope) },
  shardId: { S: shardId },
});

function toItem(scope: LeaseScope, lease: Lease): Item {
  return {
    ...keyOf(scope, lease.shardId),
    counter: { N: String(lease.counter) },
    term: { N: String(lease.term) },
    checkpoint: { S: encodeCheckpoint(lease.checkpoint) },
    parents: { L: lease.parents.map((parent) => ({ S: parent })) },
    ...(lease.owner !== undefined && { owner: { S: lease.owner } }),
    ...(lease.requestedBy !== undefined && { requestedBy: { S: lease.requestedBy } }),
  };
}

function toLease(item: Item): Lease {
  const text = (name: string): string | undefined => (item[name] as { S: string } | undefined)?.S;
  const number = (name: string): number => Number((item[name] as { N: string }).N);
  return {
    shardId: text('shardId')!,
    owner: text('owner'),
    counter: number('counter'),
    term: number('term'),
    checkpoint: decodeCheckpoint(text('checkpoint')!),
    parents: (item['parents'] as { L: { S: string }[] }).L.map(({ S }) => S),
    requestedBy: text('requestedBy'),
  };
}
