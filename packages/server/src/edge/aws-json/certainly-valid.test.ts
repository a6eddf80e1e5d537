import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLES, type ServiceName } from '../../../../conformance/src/samples.ts';
import { createAthenaService } from '../athena/index.ts';
import { createFirehoseService } from '../firehose/index.ts';
import { createGlueService } from '../glue/index.ts';
import { createKinesisService } from '../kinesis/index.ts';
import { isBase64 } from './text-rules.ts';
import { InputCheck } from './validate.ts';
import type { AwsService } from './index.ts';

const unused = {} as never;
const SERVICES: readonly AwsService[] = [
  createKinesisService({ streams: unused, clock: unused }),
  createFirehoseService({ delivery: unused }),
  createGlueService({ catalog: unused }),
  createAthenaService({ query: unused }),
];

/**
 * Values that stand on or over some bound, or have another type. Data stays base64: a fast way may leave its alphabet to
 * the decoder, and the dispatcher then answers as the table would.
 */
const VALUES: readonly unknown[] = [
  null,
  0,
  -1,
  1.5,
  true,
  '',
  'a',
  'a b',
  'aaaa',
  'a'.repeat(64),
  'a'.repeat(65),
  'a'.repeat(128),
  'a'.repeat(129),
  'a'.repeat(256),
  'a'.repeat(257),
  '💥'.repeat(256),
  '340282366920938463463374607431768211456',
  '00',
  Buffer.alloc(0),
  Buffer.alloc(1024 * 1024),
  Buffer.alloc(1024 * 1024 + 1),
  Buffer.alloc(10 * 1024 * 1024 + 1),
  Buffer.alloc(1024 * 1024).toString('base64'),
  Buffer.alloc(1024 * 1024 + 1).toString('base64'),
  Buffer.alloc(10 * 1024 * 1024 + 1).toString('base64'),
  [],
  {},
  [null],
  ['a'],
  Array.from({ length: 501 }, () => ({ Data: '', PartitionKey: 'a' })),
];
const RUNS = 4_000;

for (const service of SERVICES) {
  for (const [name, operation] of Object.entries(service.operations)) {
    const { certainlyValid } = operation;
    if (certainlyValid === undefined) continue;
    test(`${service.name} ${name}: what is certainly valid is valid by the table`, () => {
      const check = new InputCheck(service, name, operation);
      const sample = usual(SAMPLES[service.name as ServiceName].operations[name]!);
      assert.ok(certainlyValid(sample), 'the sample takes the fast way');
      const random = seeded(7);
      let certain = 0;
      for (let run = 0; run < RUNS; run++) {
        const input = structuredClone(sample);
        const changes = 1 + Math.floor(random() * 2);
        for (let change = 0; change < changes; change++) mutate(input, random);
        if (!certainlyValid(input)) continue;
        certain++;
        if (!check.accepts(input)) assert.fail(JSON.stringify(input).slice(0, 500));
      }
      assert.ok(certain > 0, 'some mutants are valid');
      assert.ok(certain < RUNS, 'some mutants are not');
    });
  }
}

/** Without what is left to the table. */
function usual(sample: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { StreamARN: _, SequenceNumberForOrdering: __, ...members } = sample;
  return members;
}

function mutate(value: unknown, random: () => number): void {
  const pick = <Item>(from: readonly Item[]): Item => from[Math.floor(random() * from.length)]!;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  const holder = value as Record<string, unknown>;
  const keys = Object.keys(holder);
  const roll = random();
  const key = keys.length === 0 ? undefined : pick(keys);
  if (key !== undefined && roll < 0.5 && typeof holder[key] === 'object') return mutate(holder[key], random);
  if (Array.isArray(value)) {
    value.push(roll < 0.7 ? structuredClone(value[0]) : pick(VALUES));
  } else if (key === undefined || roll < 0.1) {
    set(holder, pick(['StreamARN', 'Other', '__proto', 'Data', 'Records']), pick(VALUES));
  } else if (roll < 0.2) {
    delete holder[key];
  } else {
    set(holder, key, pick(VALUES));
  }
}

function set(holder: Record<string, unknown>, key: string, value: unknown): void {
  holder[key] = key === 'Data' && typeof value === 'string' && !isBase64(value) ? '' : value;
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
