import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { expect, test, type TestContext } from 'vitest';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** A message as Kafka's are: length, api key, version, correlation id, and a number to know it by. */
function message(n: number): Buffer {
  const frame = Buffer.alloc(16);
  frame.writeInt32BE(12, 0);
  frame.writeInt32BE(n, 8);
  return frame;
}

/** A server that answers each message with itself, behind a proxy, and a client of it. */
async function echo({ onTestFinished }: TestContext): Promise<Echo> {
  const [heard, got]: [number[], number[]] = [[], []];
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined).on('data', (data) => socket.write(data));
    eachMessage(socket, heard);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await startTcpProxy({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  const clients: Socket[] = [];
  const dial = (): Socket => {
    const client = connect(proxy.port, proxy.host).on('error', () => undefined);
    eachMessage(client, got);
    clients.push(client);
    return client;
  };
  onTestFinished(async () => {
    for (const client of clients) client.destroy();
    await proxy.close();
    await new Promise((resolve) => server.close(resolve));
  });
  return { proxy, client: dial(), dial, heard, got };
}

interface Echo {
  readonly proxy: TcpProxy;
  readonly client: Socket;
  readonly dial: () => Socket;
  /** What the server has, and what came back to any client. */
  readonly heard: readonly number[];
  readonly got: readonly number[];
}

function eachMessage(socket: Socket, into: number[]): void {
  let pending: Buffer = Buffer.alloc(0);
  socket.on('data', (data) => {
    pending = Buffer.concat([pending, data]);
    for (; pending.length >= 16; pending = pending.subarray(16)) into.push(pending.readInt32BE(8));
  });
}

test('delay and jitter make messages late and keep their order', async (context) => {
  const { proxy, client, got } = await echo(context);
  proxy.weather({ delayMs: 40, jitterMs: 30 });
  const began = performance.now();
  for (let n = 0; n < 50; n++) client.write(message(n));
  await expect.poll(() => got.length).toBe(50);
  expect(got).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(performance.now() - began).toBeGreaterThanOrEqual(80);
});

test('a throttled connection takes at least as long as its bytes need', async (context) => {
  const { proxy, client, got } = await echo(context);
  proxy.weather({ bytesPerSecond: 1_600 });
  const began = performance.now();
  for (let n = 0; n < 20; n++) client.write(message(n));
  await expect.poll(() => got.length).toBe(20);
  expect(performance.now() - began).toBeGreaterThanOrEqual(200);
});

test('silence one way swallows what goes that way, and nothing breaks', async (context) => {
  const { proxy, client, got } = await echo(context);
  proxy.silence('to-client');
  client.write(message(1));
  await expect.poll(() => proxy.seen(0)).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  proxy.silence(false);
  client.write(message(2));
  await expect.poll(() => got).toEqual([2]);
  expect(client.destroyed).toBe(false);
});

test('a reset breaks the connection instead of passing the message', async (context) => {
  const { proxy, client, got } = await echo(context);
  proxy.weather({ resetChance: 1 });
  client.write(message(1));
  await expect.poll(() => client.destroyed).toBe(true);
  expect(got).toEqual([]);
});

test('a held request waits, also when its client is gone; they go on one by one, or all', async (context) => {
  const { proxy, got, heard, dial } = await echo(context);
  const clients = [dial(), dial(), dial()];
  for (const [n, client] of clients.entries()) {
    const held = proxy.disturb(0, n === 0 ? 'hold-and-break' : 'hold');
    client.write(message(n));
    await held;
  }
  await expect.poll(() => clients[0]!.destroyed).toBe(true);
  expect(clients[1]!.destroyed).toBe(false);
  proxy.releaseFirst();
  await expect.poll(() => heard).toEqual([0]);
  proxy.release();
  await expect.poll(() => [...heard].sort()).toEqual([0, 1, 2]);
  await expect.poll(() => [...got].sort()).toEqual([1, 2]);
});
