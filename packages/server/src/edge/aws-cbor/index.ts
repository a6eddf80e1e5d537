export { CborProblem, decodeCbor, type DecodedCbor } from './decode.ts';
export {
  encodeCbor,
  EPOCH_BYTES_MAX,
  HEAD_BYTES_MAX,
  writeEpoch,
  writeHead,
  type EncodeOptions,
} from './encode.ts';
export { ARRAY, BYTES, MAP, TEXT, UNSIGNED } from './format.ts';
