/** What `GET /status` answers, read so that a server of another version is shown as far as it is understood. */
import type { ServerStatus } from '../../edge/admin/index.ts';
import type { Connection } from '../connection.ts';
import { CliError } from '../exit.ts';
import { getJson } from '../signed-get.ts';

type StreamFacts = ServerStatus['streams'][number];

/** An older server knows nothing of what goes through a stream. */
export type StreamReport = Pick<
  StreamFacts,
  'name' | 'mode' | 'shards' | 'retentionHours' | 'createdMs' | 'records'
> &
  Partial<StreamFacts>;

export type StatusReport = Omit<ServerStatus, 'streams'> & { readonly streams: readonly StreamReport[] };

export async function readStatus(connection: Connection): Promise<StatusReport> {
  const answer = await getJson(connection, '/status');
  if (typeof answer !== 'object' || answer === null || !('version' in answer)) {
    throw new CliError(`${connection.endpoint}/status does not answer as Sluice does`, {
      hint: 'Check the URL: another program may listen there.',
    });
  }
  const { version, uptimeMs, roles, streams, deliveries, tables, upkeep, consumers } =
    answer as Partial<StatusReport>;
  return {
    version: version ?? '?',
    uptimeMs: uptimeMs ?? 0,
    roles: roles ?? [],
    streams: streams ?? [],
    deliveries: deliveries ?? [],
    tables: tables ?? [],
    upkeep: upkeep ?? { tables: [] },
    consumers: consumers ?? [],
  };
}
