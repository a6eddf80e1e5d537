/** Concise Binary Object Representation (RFC 8949) as far as the AWS protocols use it. */
export const UNSIGNED = 0;
export const NEGATIVE = 1;
export const BYTES = 2;
export const TEXT = 3;
export const ARRAY = 4;
export const MAP = 5;
export const TAG = 6;
export const SIMPLE = 7;

/** Minor of a head whose argument follows in 1, 2, 4, 8 bytes; and of one without a length. */
export const IN_1_BYTE = 24;
export const IN_2_BYTES = 25;
export const IN_4_BYTES = 26;
export const IN_8_BYTES = 27;
export const INDEFINITE = 31;

export const FALSE = 20;
export const TRUE = 21;
export const NULL = 22;
export const UNDEFINED = 23;
export const BREAK = 0xff;

/** Seconds since 1970, says RFC 8949; milliseconds, say the AWS SDKs in `application/x-amz-cbor-1.1`. */
export const EPOCH_TAG = 1;
/** Head of a tagged timestamp. */
export const EPOCH_TAG_BYTE = (TAG << 5) | EPOCH_TAG;

export const TWO_32 = 2 ** 32;
