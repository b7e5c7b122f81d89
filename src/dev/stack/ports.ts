import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';

/**
 * Ports of 127.0.0.1 that were free a moment ago. Another process can take one before it is used: whoever starts something on
 * them tries again with others.
 */
export async function freePorts(count: number): Promise<number[]> {
  // All are held at once, so that they differ.
  const servers = await Promise.all(Array.from({ length: count }, listen));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function listen(): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
