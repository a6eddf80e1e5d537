/** Z85 (ZeroMQ RFC 32): four bytes as five printable characters. */

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#';
const VALUES = new Map(ALPHABET.split('').map((character, value) => [character, value]));

/** `bytes` must be a multiple of 4 long. */
export function z85Encode(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    let word = view.getUint32(at);
    let characters = '';
    for (let digit = 0; digit < 5; digit += 1) {
      characters = (ALPHABET[word % 85] as string) + characters;
      word = Math.floor(word / 85);
    }
    text += characters;
  }
  return text;
}

/** Undefined for a text that is not Z85. */
export function z85Decode(text: string): Uint8Array | undefined {
  if (text.length % 5 !== 0) return undefined;
  const bytes = new Uint8Array((text.length / 5) * 4);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < text.length; at += 5) {
    let word = 0;
    for (const character of text.slice(at, at + 5)) {
      const value = VALUES.get(character);
      if (value === undefined) return undefined;
      word = word * 85 + value;
    }
    if (word > 0xff_ff_ff_ff) return undefined;
    view.setUint32((at / 5) * 4, word);
  }
  return bytes;
}
