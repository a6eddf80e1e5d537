/**
 * Hadoop, and so Spark, keeps a hidden file of checksums beside each file that it writes to a local disk, and refuses to
 * read a file that the checksums beside it do not fit. Whoever replaces or removes a file takes them along.
 */
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** Removes the checksums that Hadoop may have kept of a local file; before the file is replaced, not after. */
export async function dropHadoopChecksum(file: string): Promise<void> {
  await rm(join(dirname(file), `.${basename(file)}.crc`), { force: true });
}
