/** The streams and the Kinesis edge alone, behind the platform's HTTP server: the ingest bench without the rest. */
import { createNodeDisk } from '../../src/adapters/node-disk/index.ts';
import { openSqliteMetaStore } from '../../src/adapters/sqlite/index.ts';
import { createSystemClock, createSystemRandom } from '../../src/adapters/system/index.ts';
import { createDevAuthenticate, createHttpServer } from '../../src/edge/http/index.ts';
import { createKinesisService } from '../../src/edge/kinesis/index.ts';
import { createStreams } from '../../src/modules/streams/index.ts';
import { quietLogger, quietMetrics } from '../../src/modules/streams/testing/quiet.ts';

const directory = process.argv[2]!;
const clock = createSystemClock();
const parts = { clock, logger: quietLogger, metrics: quietMetrics };
const meta = await openSqliteMetaStore(':memory:');
const streams = await createStreams({
  disk: createNodeDisk(),
  directory,
  meta,
  random: createSystemRandom(),
  ...parts,
});
const server = await createHttpServer({
  host: '127.0.0.1',
  port: 0,
  services: [createKinesisService({ streams, clock })],
  routes: [],
  authenticate: createDevAuthenticate({ accountId: '000000000000', name: 'bench' }),
  ...parts,
});
console.log(`ready http://127.0.0.1:${server.port}`);
process.on('SIGTERM', () => {
  void server
    .close()
    .then(() => streams.close())
    .then(() => process.exit());
});
