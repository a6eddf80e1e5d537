import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { aggregate, AGGREGATED_MAGIC, deaggregate, isAggregated, type PartIn } from './aggregated-record.ts';

/** Records of the Kinesis Producer Library itself, from the tests of awslabs/kinesis-aggregation (Apache-2.0). */
const WITH_HASH_KEYS = {
  base64:
    '84mawgokZmMwM2RkODgtM2U3OS00NDhhLWIwMWEtN2NmMWJkNDdiNzg0CiRjYWU0MWIxYy1lYTYxLTQzZjItOTBiZS1iODc1NWViZj' +
    'g4ZTIKJGQ0OTA2OTBjLWU3NGQtNGRiMi1hM2M4LWQ4ZjJmMTg0ZmQyMwokYzkyNGJjMDktYjg1ZS00N2YxLWIzMmUtMzM2NTIyZWU1' +
    'M2M4EiYzODQ4NjQ5NTg2NzUwODM5OTA3ODE1OTcyMzg0NjA1MTgwNzAyMBInMTkzNzg3NjAwMDM3NjgxNzA2OTUyMTQzMzU3MDcxOT' +
    'E2MzUyNjA0EicyNjY4ODA0MzY5NjQ5MzI0MjQyNjU0NjY5MTY3MzQwNjg2ODQ0MzkSJzMzOTYwNjYwMDk0Mjk2NzM5MTg1NDYwMzU1' +
    'MjQwMjAyMTg0NzI5MhomCAAQABogUkVDT1JEIDIyIHBlZW9iaGN6YnpkbXNrYm91cGd5cQoaJggBEAEaIFJFQ09SRCAyMyB1c3dreG' +
    'Z0eHJvZXVzc2N4c2pobm8KGiYIAhACGiBSRUNPUkQgMjQgY2FzZWhkZ2l2ZmF4ZXVzdGx5c3p5ChomCAMQAxogUkVDT1JEIDI1IG52' +
    'ZmZ2cG11b2dkb3BqaGFtZXZyawpRwVPQ3go0yp4Y6kvM0q3V',
  parts: [
    [
      'fc03dd88-3e79-448a-b01a-7cf1bd47b784',
      '38486495867508399078159723846051807020',
      'RECORD 22 peeobhczbzdmskboupgyq\n',
    ],
    [
      'cae41b1c-ea61-43f2-90be-b8755ebf88e2',
      '193787600037681706952143357071916352604',
      'RECORD 23 uswkxftxroeusscxsjhno\n',
    ],
    [
      'd490690c-e74d-4db2-a3c8-d8f2f184fd23',
      '266880436964932424265466916734068684439',
      'RECORD 24 casehdgivfaxeustlyszy\n',
    ],
    [
      'c924bc09-b85e-47f1-b32e-336522ee53c8',
      '339606600942967391854603552402021847292',
      'RECORD 25 nvffvpmuogdopjhamevrk\n',
    ],
  ],
} as const;
const WITHOUT_HASH_KEYS = {
  base64:
    '84mawgokNzhmZWIxMmEtZGJhMC00NWNhLWE5MWUtYmIxZjJmMTgxOWI0CiRjMmE3NTc4Ny00NjliLTQzMTAtODQwZC1kNDg2ZGNhN2' +
    'ViNWUKJDY1MGU5MzYyLTU3MmItNDQyNy1iM2ZjLTEzNTQ5ZDdlNWFlNQokMWQ4ZDk2MDAtMDBiNy00NmYzLWE5ODMtZGU4MzQ3NzU0' +
    'MGMwCiRmMmU3MThhMC0zODliLTQ5NGEtYjc5Ni0zMzU1YjA3NTY5Y2MKJDk2NWI4ZGE0LWE2YmQtNDc1NS04MWM5LWU3MTgxYWI3ZG' +
    'M5YQokZDY5M2M1ZjAtNTc3Mi00NmM5LThkODYtMDhjNzA1NWJkYjc1CiQ4ZDkyNDc2Yi1lYjg5LTRlODEtOTlmYi1jMmJhNjNhZDZk' +
    'OTAaJAgAGiBSRUNPUkQgMTggaWtscnBzdnloeG5lcm9kZmVoZXJ1ChokCAEaIFJFQ09SRCAxOSBsbm1udWR5aHZwdmNncm9rZm16ZG' +
    'gKGiQIAhogUkVDT1JEIDIwIHBqcXJjZmJ4YWZ6ZG5kem1iZ2FuZQoaJAgDGiBSRUNPUkQgMjEgYWFmcmV5cm50d3V3eGxpeWdrYmhr' +
    'ChokCAQaIFJFQ09SRCAyMiBxc2FhZGhic2dtdnFnZGlmZ3V5b3UKGiQIBRogUkVDT1JEIDIzIHdqb2tvaXd2enpobGZ0bHpocWZqaw' +
    'oaJAgGGiBSRUNPUkQgMjQgem9wY2FzY3J0aGJicG5qaXd1aGpiChokCAcaIFJFQ09SRCAyNSB0eGJidm5venJ3c2JveHVvbXFib3EK' +
    'vV1rrLdU+Sy2v8xkgZ5YaA==',
  parts: [
    ['78feb12a-dba0-45ca-a91e-bb1f2f1819b4', undefined, 'RECORD 18 iklrpsvyhxnerodfeheru\n'],
    ['c2a75787-469b-4310-840d-d486dca7eb5e', undefined, 'RECORD 19 lnmnudyhvpvcgrokfmzdh\n'],
    ['650e9362-572b-4427-b3fc-13549d7e5ae5', undefined, 'RECORD 20 pjqrcfbxafzdndzmbgane\n'],
    ['1d8d9600-00b7-46f3-a983-de83477540c0', undefined, 'RECORD 21 aafreyrntwuwxliygkbhk\n'],
    ['f2e718a0-389b-494a-b796-3355b07569cc', undefined, 'RECORD 22 qsaadhbsgmvqgdifguyou\n'],
    ['965b8da4-a6bd-4755-81c9-e7181ab7dc9a', undefined, 'RECORD 23 wjokoiwvzzhlftlzhqfjk\n'],
    ['d693c5f0-5772-46c9-8d86-08c7055bdb75', undefined, 'RECORD 24 zopcascrthbbpnjiwuhjb\n'],
    ['8d92476b-eb89-4e81-99fb-c2ba63ad6d90', undefined, 'RECORD 25 txbbvnozrwsboxuomqboq\n'],
  ],
} as const;
/** One key and one hash key, shared by four records. */
const SHARED_KEYS = {
  base64:
    '84mawgoNMTU2MjYwMjA3NDg5NhInMzM5NjA2NjAwOTQyOTY3MzkxODU0NjAzNTUyNDAyMDIxODQ3MjkyGicIABAAGiFSRUNPUkQgMjAwNSB' +
    'wanFyY2ZieGFmemRuZHptYmdhbmUaJwgAEAAaIVJFQ09SRCAyMDA2IHBqcXJjZmJ4YWZ6ZG5kem1iZ2FuZRonCAAQABohUkVDT1JEIDIwMD' +
    'cgcGpxcmNmYnhhZnpkbmR6bWJnYW5lGicIABAAGiFSRUNPUkQgMjAwOCBwanFyY2ZieGFmemRuZHptYmdhbmUHrLqXAgpJOT8v1lp81gM/',
  parts: [2005, 2006, 2007, 2008].map(
    (n) =>
      [
        '1562602074896',
        '339606600942967391854603552402021847292',
        `RECORD ${n} pjqrcfbxafzdndzmbgane`,
      ] as const,
  ),
};

for (const [name, { base64, parts }] of Object.entries({ WITH_HASH_KEYS, WITHOUT_HASH_KEYS, SHARED_KEYS })) {
  test(`a record of the producer library is read, and made byte for byte (${name})`, () => {
    const data = Buffer.from(base64, 'base64');
    // Positions are those of the bytes that were given, wherever the record stands in them.
    const bytes = Buffer.concat([Buffer.from('key'), data, Buffer.from('next')]);
    assert.ok(isAggregated(bytes, 3, 3 + data.length));
    const read = deaggregate(bytes, 3, 3 + data.length);
    assert.ok(read.kind === 'parts');
    assert.deepEqual(
      read.parts.map((part) => [
        part.partitionKey,
        part.explicitHashKey,
        bytes.toString('utf8', part.start, part.end),
      ]),
      parts,
    );
    const made = aggregate(
      parts.map(([partitionKey, explicitHashKey, text]): PartIn => ({
        partitionKey,
        explicitHashKey,
        data: Buffer.from(text),
      })),
    );
    assert.equal(made.toString('base64'), base64);
  });
}

test('what begins otherwise, or is shorter than the magic, is no aggregated record', () => {
  const data = Buffer.from(SHARED_KEYS.base64, 'base64');
  assert.equal(isAggregated(data, 1, data.length), false);
  assert.equal(isAggregated(data, 0, 3), false);
  assert.equal(isAggregated(Buffer.from('{"a":1}'), 0, 7), false);
  assert.equal(isAggregated(Buffer.alloc(0), 0, 0), false);
});

const sealed = (...message: number[]): Buffer => {
  const body = Buffer.from(message);
  return Buffer.concat([AGGREGATED_MAGIC, body, hash('md5', body, 'buffer')]);
};
const reasonOf = (data: Buffer): string => {
  const read = deaggregate(data, 0, data.length);
  return read.kind === 'malformed' ? read.reason : `${read.parts.length} parts`;
};

test('whatever is not whole is malformed, with the reason', () => {
  const data = Buffer.from(SHARED_KEYS.base64, 'base64');
  assert.match(reasonOf(data.subarray(0, 19)), /ends before its MD5/);
  assert.match(reasonOf(data.subarray(0, -1)), /MD5 is not/);
  const flipped = Buffer.from(data);
  flipped[30]! ^= 1;
  assert.match(reasonOf(flipped), /MD5 is not/);
  const cases: readonly (readonly [number[], RegExp])[] = [
    [[0x1a], /ends within a number/],
    [[0x1a, 0x05, 0x08, 0x00], /longer than what is left/],
    [[0x1a, 0x02, 0x08, 0x00], /no data/],
    [[0x1a, 0x02, 0x1a, 0x00], /no partition key/],
    [[0x1a, 0x04, 0x08, 0x00, 0x1a, 0x00], /no partition key 0/],
    [[0x0a, 0x01, 0x61, 0x1a, 0x06, 0x08, 0x00, 0x10, 0x00, 0x1a, 0x00], /no explicit hash key 0/],
    [[0x0b], /wire type 3/],
    [[0x02, 0x00], /field 0/],
    [[0x08, ...Array<number>(10).fill(0x80), 0x01], /more than ten bytes/],
    [[0x0a, ...Array<number>(9).fill(0xff), 0x01], /longer than what is left/],
    [[0x29, 0x00], /ends within a number/],
  ];
  for (const [message, reason] of cases) assert.match(reasonOf(sealed(...message)), reason);
});

test('unknown fields and tags are skipped, and an aggregated record may be empty', () => {
  assert.equal(reasonOf(sealed()), '0 parts');
  const tag = [0x22, 0x03, 0x0a, 0x01, 0x61];
  const fixed = [0x29, 1, 2, 3, 4, 5, 6, 7, 8, 0x35, 1, 2, 3, 4];
  const record = [0x08, 0x00, ...tag, 0x1a, 0x01, 0x62];
  assert.equal(reasonOf(sealed(...fixed, 0x1a, record.length, ...record, 0x0a, 0x01, 0x61)), '1 parts');
});
