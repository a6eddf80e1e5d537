/** The key service of a data directory, over a file that is only in memory. */
import { createLocalKeys } from '../../../adapters/local-keys/index.ts';
import type { KeyService } from '../../../ports/key-service.ts';

export function createMemoryKeys(): KeyService {
  let text: string | undefined;
  return createLocalKeys({
    file: {
      path: 'master-keys.json',
      read: async () => (text === undefined ? { kind: 'absent' } : { kind: 'text', text }),
      write: async (next) => {
        text = next;
      },
    },
  });
}
