/** A way to a server whose connections can fall silent, as when a machine loses power: nothing passes, nothing fails. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface SilentProxy {
  readonly url: string;
  /** No byte passes any more on the connections that are there; later ones work, unless `newToo`. */
  silence(options?: { newToo: boolean }): void;
  /** Connections work that are made from now on. */
  recover(): void;
  close(): void;
}

export async function startSilentProxy(serverUrl: string): Promise<SilentProxy> {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let isSilent = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    // Who is silent doesn't say either that the other side went away.
    client.on('close', () => !silenced.has(client) && upstream.destroy());
    upstream.on('close', () => !silenced.has(client) && client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
    if (isSilent) mute(client, upstream);
    pairs.set(client, upstream);
  });
  const pairs = new Map<Socket, Socket>();
  const silenced = new Set<Socket>();
  const mute = (client: Socket, upstream: Socket): void => {
    silenced.add(client);
    for (const socket of [client, upstream]) {
      socket.unpipe();
      socket.pause();
    }
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence({ newToo } = { newToo: false }) {
      isSilent = newToo;
      for (const [client, upstream] of pairs) mute(client, upstream);
    },
    recover() {
      isSilent = false;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
