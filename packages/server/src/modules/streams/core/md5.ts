/**
 * MD5 of partition keys (RFC 1321), which Kinesis maps to hash keys. Written out because the hash of a short key is on
 * the path of every record, where a call into node:crypto costs more than the hash.
 */
import { hash } from 'node:crypto';

/** Longest key, in bytes, whose padded message is one block. */
const SINGLE_BLOCK_BYTES_MAX = 55;

const words = new Int32Array(16);
const state = new Int32Array(4);

/** The upper 32 bits of the key's 128-bit hash; `md5Rest` gives the others until the next call. */
export function md5Top(key: string): number {
  if (key.length > SINGLE_BLOCK_BYTES_MAX || !fillAscii(key)) return ofCrypto(key);
  compress();
  return swapped(state[0]!);
}

/** The lower 96 bits of the hash that the last `md5Top` computed. */
export function md5Rest(): bigint {
  const word = (index: number) => BigInt(swapped(state[index]!));
  return (word(1) << 64n) | (word(2) << 32n) | word(3);
}

/** The key's whole hash, 0 … 2^128 - 1. */
export function md5(key: string): bigint {
  const top = md5Top(key);
  return (BigInt(top) << 96n) | md5Rest();
}

/** False when the key isn't plain ASCII: its bytes are then not its characters. */
function fillAscii(key: string): boolean {
  const length = key.length;
  words.fill(0);
  for (let index = 0; index < length; index++) {
    const code = key.charCodeAt(index);
    if (code > 0x7f) return false;
    words[index >> 2]! |= code << ((index & 3) << 3);
  }
  words[length >> 2]! |= 0x80 << ((length & 3) << 3);
  words[14] = length << 3;
  return true;
}

/** Hex, because the buffer form of `hash` costs several times as much. */
function ofCrypto(key: string): number {
  const hex = hash('md5', key, 'hex');
  for (let index = 0; index < 4; index++)
    state[index] = swapped(Number.parseInt(hex.slice(index * 8, index * 8 + 8), 16));
  return swapped(state[0]!);
}

function swapped(word: number): number {
  return (((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0;
}

/** One block from the initial state (section 3.4); constants are floor(2^32 × |sin(i + 1)|). */
function compress(): void {
  const w0 = words[0]!;
  const w1 = words[1]!;
  const w2 = words[2]!;
  const w3 = words[3]!;
  const w4 = words[4]!;
  const w5 = words[5]!;
  const w6 = words[6]!;
  const w7 = words[7]!;
  const w8 = words[8]!;
  const w9 = words[9]!;
  const w10 = words[10]!;
  const w11 = words[11]!;
  const w12 = words[12]!;
  const w13 = words[13]!;
  const w14 = words[14]!;
  const w15 = words[15]!;
  let a = 0x67452301;
  let b = 0xefcdab89 | 0;
  let c = 0x98badcfe | 0;
  let d = 0x10325476;
  a = (a + ((b & c) | (~b & d)) + w0 + -680876936) | 0;
  a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + ((a & b) | (~a & c)) + w1 + -389564586) | 0;
  d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + ((d & a) | (~d & b)) + w2 + 606105819) | 0;
  c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + ((c & d) | (~c & a)) + w3 + -1044525330) | 0;
  b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + ((b & c) | (~b & d)) + w4 + -176418897) | 0;
  a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + ((a & b) | (~a & c)) + w5 + 1200080426) | 0;
  d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + ((d & a) | (~d & b)) + w6 + -1473231341) | 0;
  c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + ((c & d) | (~c & a)) + w7 + -45705983) | 0;
  b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + ((b & c) | (~b & d)) + w8 + 1770035416) | 0;
  a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + ((a & b) | (~a & c)) + w9 + -1958414417) | 0;
  d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + ((d & a) | (~d & b)) + w10 + -42063) | 0;
  c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + ((c & d) | (~c & a)) + w11 + -1990404162) | 0;
  b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + ((b & c) | (~b & d)) + w12 + 1804603682) | 0;
  a = (b + ((a << 7) | (a >>> 25))) | 0;
  d = (d + ((a & b) | (~a & c)) + w13 + -40341101) | 0;
  d = (a + ((d << 12) | (d >>> 20))) | 0;
  c = (c + ((d & a) | (~d & b)) + w14 + -1502002290) | 0;
  c = (d + ((c << 17) | (c >>> 15))) | 0;
  b = (b + ((c & d) | (~c & a)) + w15 + 1236535329) | 0;
  b = (c + ((b << 22) | (b >>> 10))) | 0;
  a = (a + ((d & b) | (~d & c)) + w1 + -165796510) | 0;
  a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + ((c & a) | (~c & b)) + w6 + -1069501632) | 0;
  d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + ((b & d) | (~b & a)) + w11 + 643717713) | 0;
  c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + ((a & c) | (~a & d)) + w0 + -373897302) | 0;
  b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + ((d & b) | (~d & c)) + w5 + -701558691) | 0;
  a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + ((c & a) | (~c & b)) + w10 + 38016083) | 0;
  d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + ((b & d) | (~b & a)) + w15 + -660478335) | 0;
  c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + ((a & c) | (~a & d)) + w4 + -405537848) | 0;
  b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + ((d & b) | (~d & c)) + w9 + 568446438) | 0;
  a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + ((c & a) | (~c & b)) + w14 + -1019803690) | 0;
  d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + ((b & d) | (~b & a)) + w3 + -187363961) | 0;
  c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + ((a & c) | (~a & d)) + w8 + 1163531501) | 0;
  b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + ((d & b) | (~d & c)) + w13 + -1444681467) | 0;
  a = (b + ((a << 5) | (a >>> 27))) | 0;
  d = (d + ((c & a) | (~c & b)) + w2 + -51403784) | 0;
  d = (a + ((d << 9) | (d >>> 23))) | 0;
  c = (c + ((b & d) | (~b & a)) + w7 + 1735328473) | 0;
  c = (d + ((c << 14) | (c >>> 18))) | 0;
  b = (b + ((a & c) | (~a & d)) + w12 + -1926607734) | 0;
  b = (c + ((b << 20) | (b >>> 12))) | 0;
  a = (a + (b ^ c ^ d) + w5 + -378558) | 0;
  a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + (a ^ b ^ c) + w8 + -2022574463) | 0;
  d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + (d ^ a ^ b) + w11 + 1839030562) | 0;
  c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + (c ^ d ^ a) + w14 + -35309556) | 0;
  b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + (b ^ c ^ d) + w1 + -1530992060) | 0;
  a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + (a ^ b ^ c) + w4 + 1272893353) | 0;
  d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + (d ^ a ^ b) + w7 + -155497632) | 0;
  c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + (c ^ d ^ a) + w10 + -1094730640) | 0;
  b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + (b ^ c ^ d) + w13 + 681279174) | 0;
  a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + (a ^ b ^ c) + w0 + -358537222) | 0;
  d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + (d ^ a ^ b) + w3 + -722521979) | 0;
  c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + (c ^ d ^ a) + w6 + 76029189) | 0;
  b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + (b ^ c ^ d) + w9 + -640364487) | 0;
  a = (b + ((a << 4) | (a >>> 28))) | 0;
  d = (d + (a ^ b ^ c) + w12 + -421815835) | 0;
  d = (a + ((d << 11) | (d >>> 21))) | 0;
  c = (c + (d ^ a ^ b) + w15 + 530742520) | 0;
  c = (d + ((c << 16) | (c >>> 16))) | 0;
  b = (b + (c ^ d ^ a) + w2 + -995338651) | 0;
  b = (c + ((b << 23) | (b >>> 9))) | 0;
  a = (a + (c ^ (b | ~d)) + w0 + -198630844) | 0;
  a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + (b ^ (a | ~c)) + w7 + 1126891415) | 0;
  d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + (a ^ (d | ~b)) + w14 + -1416354905) | 0;
  c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + (d ^ (c | ~a)) + w5 + -57434055) | 0;
  b = (c + ((b << 21) | (b >>> 11))) | 0;
  a = (a + (c ^ (b | ~d)) + w12 + 1700485571) | 0;
  a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + (b ^ (a | ~c)) + w3 + -1894986606) | 0;
  d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + (a ^ (d | ~b)) + w10 + -1051523) | 0;
  c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + (d ^ (c | ~a)) + w1 + -2054922799) | 0;
  b = (c + ((b << 21) | (b >>> 11))) | 0;
  a = (a + (c ^ (b | ~d)) + w8 + 1873313359) | 0;
  a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + (b ^ (a | ~c)) + w15 + -30611744) | 0;
  d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + (a ^ (d | ~b)) + w6 + -1560198380) | 0;
  c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + (d ^ (c | ~a)) + w13 + 1309151649) | 0;
  b = (c + ((b << 21) | (b >>> 11))) | 0;
  a = (a + (c ^ (b | ~d)) + w4 + -145523070) | 0;
  a = (b + ((a << 6) | (a >>> 26))) | 0;
  d = (d + (b ^ (a | ~c)) + w11 + -1120210379) | 0;
  d = (a + ((d << 10) | (d >>> 22))) | 0;
  c = (c + (a ^ (d | ~b)) + w2 + 718787259) | 0;
  c = (d + ((c << 15) | (c >>> 17))) | 0;
  b = (b + (d ^ (c | ~a)) + w9 + -343485551) | 0;
  b = (c + ((b << 21) | (b >>> 11))) | 0;
  state[0] = (a + 0x67452301) | 0;
  state[1] = (b + 0xefcdab89) | 0;
  state[2] = (c + 0x98badcfe) | 0;
  state[3] = (d + 0x10325476) | 0;
}
