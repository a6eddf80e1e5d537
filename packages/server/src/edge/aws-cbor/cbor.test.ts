import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  blob,
  boolean,
  integer,
  list,
  map,
  required,
  string,
  structure,
  timestamp,
  type Shape,
} from '../aws-json/index.ts';
import { DEPTH_MAX, VALUES_MAX } from './decode.ts';
import { CborProblem, decodeCbor, encodeCbor } from './index.ts';

const INPUT = structure({
  Name: required(string()),
  Data: blob(),
  Count: integer(),
  On: boolean(),
  At: timestamp(),
  Tags: map(string(), string()),
  Items: list(structure({ Data: blob(), Key: string() })),
});
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
const decode = (bytes: Buffer, shape: Shape = INPUT) =>
  decodeCbor(bytes, shape, { timestampsPerSecond: 1000 }).value;
const options = { timestampMembers: new Set(['At']), timestampsPerSecond: 1000 } as const;
const refused = (bytes: Buffer, why: RegExp, shape?: Shape) =>
  assert.throws(
    () => decode(bytes, shape),
    (error) => error instanceof CborProblem && why.test(error.message),
    bytes.subarray(0, 40).toString('hex'),
  );

suite('CBOR that is read', () => {
  /** RFC 8949, appendix A, as far as the shapes have such values. */
  const numbers: [string, number][] = [
    ['00', 0],
    ['17', 23],
    ['1818', 24],
    ['1903e8', 1000],
    ['1a000f4240', 1_000_000],
    ['1b000000e8d4a51000', 1_000_000_000_000],
    ['20', -1],
    ['3863', -100],
    ['3903e7', -1000],
    ['f90000', 0],
    ['f93c00', 1],
    ['f97bff', 65_504],
    ['f90001', 5.960464477539063e-8],
    ['f9c400', -4],
    ['fa47c35000', 100_000],
    ['fb3ff199999999999a', 1.1],
    ['fbc010666666666666', -4.1],
  ];
  for (const [bytes, value] of numbers) {
    test(`the number ${bytes}`, () => assert.equal(decode(hex(bytes), integer()), value));
  }
  test('infinities and what is no number', () => {
    assert.equal(decode(hex('f97c00'), integer()), Infinity);
    assert.equal(decode(hex('fbfff0000000000000'), integer()), -Infinity);
    assert.ok(Number.isNaN(decode(hex('f97e00'), integer())));
  });
  test('texts and byte strings, of definite and indefinite length', () => {
    assert.equal(decode(hex('60'), string()), '');
    assert.equal(decode(hex('6449455446'), string()), 'IETF');
    assert.equal(decode(hex('63e6b0b4'), string()), '水');
    assert.equal(decode(hex('7f657374726561646d696e67ff'), string()), 'streaming');
    const long = 'é'.repeat(200);
    assert.equal(decode(encodeCbor([long], options), list(string()))?.toString(), long);
    assert.deepEqual(decode(hex('4401020304'), blob()), hex('01020304'));
    assert.deepEqual(decode(hex('5f42010243030405ff'), blob()), hex('0102030405'));
  });
  test('maps and lists of indefinite length, as the SDKs for Java write them', () => {
    assert.deepEqual(
      decode(hex('bf 64 4e616d65 61 61 65 4974656d73 9f bf 64 44617461 41 ff 63 4b6579 61 62 ff ff ff')),
      { Name: 'a', Items: [{ Data: hex('ff'), Key: 'b' }] },
    );
  });
  test('timestamps are seconds, whatever the protocol counts', () => {
    const milliseconds = hex('a1 62 4174 c1 1b 000001a013accc38');
    assert.deepEqual(decode(milliseconds), { At: 1_787_036_486.712 });
    const seconds = hex('a1 62 4174 c1 fb 41d4530b5b800000');
    const { value } = decodeCbor(seconds, INPUT, { timestampsPerSecond: 1 });
    assert.deepEqual(value, { At: 1_363_946_862 });
  });
  test('members that are null are told', () => {
    for (const simple of ['f6', 'f7']) {
      const decoded = decodeCbor(hex(`a1 62 4f6e ${simple}`), INPUT, { timestampsPerSecond: 1000 });
      assert.deepEqual(decoded, { value: { On: null }, nulls: true });
      assert.deepEqual(decodeCbor(hex(`a1 61 78 ${simple}`), INPUT, { timestampsPerSecond: 1000 }), {
        value: { x: null },
        nulls: true,
      });
    }
  });
  test('what the shape does not know is skipped, and its name kept', () => {
    assert.deepEqual(decode(hex('a2 61 78 83 01 a1 61 61 d8 20 61 62 5f 41 00 ff 64 4e616d65 61 61')), {
      x: undefined,
      Name: 'a',
    });
    const proto = decode(hex('a1 69 5f5f70726f746f5f5f a0')) as object;
    assert.deepEqual(Object.keys(proto), ['__proto__']);
    assert.equal(Object.getPrototypeOf(proto), Object.prototype);
  });
  test('a value of another type is an empty one of its type', () => {
    assert.deepEqual(decode(hex('a1 64 4e616d65 82 01 02')), { Name: [] });
    assert.deepEqual(decode(hex('a1 65 4974656d73 a1 01 02')), { Items: {} });
    assert.deepEqual(decode(hex('a1 64 54616773 01')), { Tags: 1 });
  });
  test('blobs are views of the body', () => {
    const body = hex('a1 64 44617461 43 010203');
    const { Data: data } = decode(body) as { Data: Buffer };
    assert.equal(data.buffer, body.buffer);
    assert.equal(data.length, 3);
  });
  test('a known member may be named in any form of its text', () => {
    assert.deepEqual(decode(hex('a1 7f 62 4e61 62 6d65 ff 61 61')), { Name: 'a' });
    assert.deepEqual(decode(hex('a1 79 0004 4e616d65 61 61')), { Name: 'a' });
  });
});

suite('CBOR that is refused', () => {
  const bad: [string, string, RegExp][] = [
    ['nothing', '', /ends too early/],
    ['a value cut off', 'a1 64 4e616d', /announced and not there/],
    ['an argument cut off', '1a 0000', /ends too early/],
    ['a float cut off', 'fb 00', /ends too early/],
    ['bytes after the value', 'a0 00', /bytes follow/],
    ['a map that does not end', 'bf', /ends too early/],
    ['a map that ends after a key', 'bf 64 4e616d65 ff', /nothing is there to end/],
    ['a text that does not end', 'a1 64 4e616d65 7f 61 61', /ends too early/],
    ['a huge list', '9b ffffffffffffffff', /announced and not there/],
    ['a huge map', 'bb 00000000ffffffff', /announced and not there/],
    ['a huge text', 'a1 64 4e616d65 7b 7fffffffffffffff', /announced and not there/],
    ['a huge byte string', 'a1 64 44617461 5a ffffffff', /announced and not there/],
    ['a reserved length form', '1c', /reserved/],
    ['a number without a length', '1f', /a length is missing/],
    ['a break alone', 'ff', /nothing is there to end/],
    ['a simple value without a meaning', 'a1 62 4f6e e0', /no meaning/],
    ['a simple value of two bytes', 'a1 62 4f6e f8 14', /no meaning/],
    ['a key that is no text', 'a1 01 02', /key is not a text/],
    ['a text in pieces of bytes', 'a1 64 4e616d65 7f 41 61 ff', /piece of a string/],
    ['pieces without a length', 'a1 64 4e616d65 7f 7f 61 61 ff ff', /piece of a string/],
    ['a text that is not UTF-8', 'a1 64 4e616d65 61 ff', /not UTF-8/],
    ['a piece that cuts a character', 'a1 64 4e616d65 7f 61 c3 61 a9 ff', /not UTF-8/],
    ['a text for a blob', 'a1 64 44617461 64 41414141', /byte string is expected/],
    ['a byte string for a text', 'a1 64 4e616d65 41 61', /byte string is found/],
    ['a tag before a text', 'a1 64 4e616d65 c0 61 61', /tag 0 is found/],
    ['a tag before the value', 'd9d9f7 a0', /tag 55799 is found/],
    ['a big number', 'a1 65 436f756e74 c2 41 01', /tag 2 is found/],
    ['a timestamp without a tag', 'a1 62 4174 1b 000001a013accc38', /has to have the tag/],
    ['a timestamp as text', 'a1 62 4174 c1 61 31', /has to be a number/],
    ['a timestamp that is no number', 'a1 62 4174 c1 f9 7e00', /has to be a number/],
    ['a member twice', 'a2 64 4e616d65 61 61 64 4e616d65 61 62', /there twice/],
    ['an unknown member twice', 'a2 61 78 01 61 78 02', /there twice/],
    ['a key of a map twice', 'a1 64 54616773 a2 61 61 61 62 61 61 61 63', /there twice/],
  ];
  for (const [name, bytes, why] of bad) test(name, () => refused(hex(bytes), why));

  test('deep nesting, in what is known and what is not', () => {
    const deep = (unit: string, times = 1_000_000) => Buffer.from(unit.repeat(times), 'hex');
    for (const unit of ['81', '9f', 'a16161', 'bf6161']) refused(deep(unit), /nests deeper/);
    for (const unit of ['c1', 'd820']) refused(deep(unit), /tag \d+ is found/);
    refused(Buffer.concat([hex('a1 61 78'), deep('81')]), /nests deeper/);
    refused(Buffer.concat([hex('a1 61 78'), deep('d820')]), /nests deeper/);
    refused(Buffer.concat([hex('a1 64 4e616d65'), deep('9f')]), /nests deeper/);
    const fits = Buffer.concat([hex('a1 61 78'), deep('81', DEPTH_MAX - 1), hex('00')]);
    assert.deepEqual(decode(fits), { x: undefined });
    refused(Buffer.concat([hex('a1 61 78'), deep('81', DEPTH_MAX), hex('00')]), /nests deeper/);
  });
  test('more values than it takes, kept and skipped', () => {
    const many = Buffer.concat([hex('9f'), Buffer.alloc(VALUES_MAX + 1, 0x60), hex('ff')]);
    refused(many, /more than/, list(string()));
    refused(Buffer.concat([hex('a1 61 78'), many]), /more than/);
  });
  test('every cut and every changed byte of a body is read or refused, and never something else', () => {
    const body = encodeCbor(
      {
        Name: 'a name that is longer than twenty-three bytes',
        At: 1.5,
        On: true,
        Count: 500,
        Tags: { é: 'v' },
        Items: [{ Data: Buffer.alloc(30), Key: 'k' }, {}],
      },
      options,
    );
    assert.doesNotThrow(() => decode(body));
    for (let end = 0; end < body.length; end++) refused(body.subarray(0, end), /./);
    for (let at = 0; at < body.length; at++) {
      for (let value = 0; value < 256; value++) {
        const changed = Buffer.from(body);
        changed[at] = value;
        try {
          decode(changed);
        } catch (error) {
          assert.ok(error instanceof CborProblem, `byte ${at} as ${value}: ${String(error)}`);
        }
      }
    }
  });
});

suite('CBOR that is written', () => {
  test('as RFC 8949 has it', () => {
    const written: [object, string][] = [
      [
        [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1],
        '8a00171818 18ff 190100 19ffff 1a00010000 1affffffff 1b0000000100000000 1b001fffffffffffff',
      ],
      [[-1, -24, -25, -(2 ** 31)], '84 20 37 3818 3a7fffffff'],
      [[1.1, 2 ** 53], '82 fb3ff199999999999a fb4340000000000000'],
      [[true, false, null], '83 f5 f4 f6'],
      [{ a: 'IETF', b: undefined, c: '水' }, 'a2 61 61 64 49455446 61 63 63 e6b0b4'],
      [{ a: Buffer.from([1, 2]) }, 'a1 61 61 42 0102'],
    ];
    for (const [value, bytes] of written)
      assert.equal(encodeCbor(value, options).toString('hex'), hex(bytes).toString('hex'));
  });
  test('timestamps count what the protocol does', () => {
    assert.equal(
      encodeCbor({ At: 1_787_036_486.712 }, options).toString('hex'),
      'a1624174c11b000001a013accc38',
    );
    assert.equal(
      encodeCbor({ At: 1.5, Count: 1.5 }, { ...options, timestampsPerSecond: 1 }).toString('hex'),
      hex('a2 624174 c1 fb3ff8000000000000 65436f756e74 fb3ff8000000000000').toString('hex'),
    );
  });
  test('what is larger than the first buffer', () => {
    const value = {
      Items: Array.from({ length: 400 }, (_, at) => ({ Data: Buffer.alloc(at, at), Key: 'é'.repeat(at) })),
    };
    assert.deepEqual(decode(encodeCbor(value, options)), value);
  });
});
