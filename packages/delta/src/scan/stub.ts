import { fileURLToPath } from 'node:url';

/**
 * Absolute path of a Parquet file with no rows. A planner that may not read outside its own directories can copy it
 * and pass the copy's path to `scan({ stubFile })`.
 */
export const STUB_FILE: string = fileURLToPath(new URL('stub.parquet', import.meta.url));
