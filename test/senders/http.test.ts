import { createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { HttpClient, type HttpResult } from '../../src/senders/http.ts';
import { reply, startFakeServer, type Behaviour, type FakeServer } from '../setup/fakes/fake-server.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Rig {
  readonly server: FakeServer;
  readonly client: HttpClient;
  readonly seen: string[];
  post(path?: string, signal?: AbortSignal): Promise<HttpResult>;
}

async function rig(onPost: (path: string, nth: number) => Behaviour, deadlineMs = 10_000, connections = 4): Promise<Rig> {
  const seen: string[] = [];
  const server = await startFakeServer((post) => onPost(post.path, seen.push(post.path)));
  const client = new HttpClient({ connections, deadlineMs, ca: server.ca });
  closers.push(
    () => server.stop(),
    () => client.close(),
  );
  return { server, client, seen, post: (path = '/', signal) => postTo(client, `${server.origin}${path}`, signal) };
}

function postTo(client: HttpClient, url: string, signal = new AbortController().signal): Promise<HttpResult> {
  return client.post({ url: new URL(url), headers: { 'content-type': 'text/plain' }, body: Buffer.from('hello'), signal });
}

/** A raw listener, for what happens before HTTP does. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return (server.address() as AddressInfo).port;
}

describe('HttpClient', () => {
  it('gives status, headers and body of a reply', async () => {
    const { post } = await rig(() => reply(202, 'thanks', { 'retry-after': '7' }));
    const result = await post();
    expect(result).toMatchObject({ kind: 'reply', status: 202, body: 'thanks', complete: true });
    if (result.kind === 'reply') expect(result.headers.get('retry-after')).toBe('7');
  });

  it('uses connections again for later requests', async () => {
    const { post, server } = await rig(() => reply(200));
    for (let i = 0; i < 20; i++) await post();
    expect(server.connections()).toBeLessThanOrEqual(4);
  });

  it('never follows a redirect', async () => {
    const { post, seen } = await rig((path) => (path === '/' ? reply(307, '', { location: '/elsewhere' }) : reply(200)));
    expect(await post()).toMatchObject({ kind: 'reply', status: 307 });
    expect(seen).toEqual(['/']);
  });

  it('cuts a reply without end at the cap and keeps its status', async () => {
    const { post } = await rig(() => ({ kind: 'endless', status: 201 }));
    const result = await post();
    expect(result).toMatchObject({ kind: 'reply', status: 201, complete: false });
    if (result.kind === 'reply') expect(result.body.length).toBe(65_536);
  });

  it('keeps the status of a reply that was reset in its body', async () => {
    const { post } = await rig(() => ({ kind: 'cut', status: 410, body: 'gon' }));
    expect(await post()).toMatchObject({ kind: 'reply', status: 410, complete: false });
  });

  describe('before the first byte is written', () => {
    it('says unsent when the connection is refused', async () => {
      const { client, server } = await rig(() => reply(200));
      await server.stop();
      expect(await postTo(client, server.origin)).toEqual({ kind: 'unsent', code: 'refused' });
    });

    it('says unsent when the name does not resolve', async () => {
      const lookup = (
        _host: string,
        _options: unknown,
        done: (error: NodeJS.ErrnoException, address: string, family: number) => void,
      ): void => done(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '', 0);
      const client = new HttpClient({ connections: 1, lookup });
      closers.push(() => client.close());
      expect(await postTo(client, 'https://push.example/x')).toEqual({ kind: 'unsent', code: 'dns' });
    });

    it('says unsent when the certificate is not trusted, and the server saw no request', async () => {
      const { server, seen } = await rig(() => reply(200));
      const stranger = new HttpClient({ connections: 1 });
      closers.push(() => stranger.close());
      expect(await postTo(stranger, server.origin)).toEqual({ kind: 'unsent', code: 'tls' });
      expect(seen).toEqual([]);
    });

    it('says unsent when the peer resets in the middle of the handshake', async () => {
      const port = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
      const client = new HttpClient({ connections: 1 });
      closers.push(() => client.close());
      expect(await postTo(client, `https://127.0.0.1:${port}/`)).toMatchObject({ kind: 'unsent' });
    });

    it('says unsent when the handshake takes longer than the deadline', async () => {
      const port = await listen(() => {});
      const client = new HttpClient({ connections: 1, deadlineMs: 100 });
      closers.push(() => client.close());
      expect(await postTo(client, `https://127.0.0.1:${port}/`)).toEqual({ kind: 'unsent', code: 'timeout' });
    });

    it('says unsent for a request that waited for a socket past its deadline, and never writes it later', async () => {
      let release = (_behaviour: Behaviour): void => {};
      const until = new Promise<Behaviour>((resolve) => (release = resolve));
      const { post, seen, client, server } = await rig((path) => (path === '/first' ? { kind: 'hold', until } : reply(200)), 10_000, 1);
      const first = post('/first');
      await expect.poll(() => seen).toEqual(['/first']);
      const given = new AbortController();
      const second = post('/second', given.signal);
      given.abort();
      expect(await second).toEqual({ kind: 'unsent', code: 'aborted' });
      release(reply(200));
      await first;
      await postTo(client, `${server.origin}/third`);
      expect(seen).toEqual(['/first', '/third']);
    });
  });

  describe('once the first byte may have been written', () => {
    it('says ambiguous when the peer resets after the request, and does not send it again', async () => {
      const { post, seen } = await rig(() => ({ kind: 'reset' }));
      expect(await post()).toEqual({ kind: 'ambiguous', code: 'reset' });
      expect(seen).toEqual(['/']);
    });

    it('says ambiguous when the peer closes cleanly without an answer', async () => {
      const { post, seen } = await rig(() => ({ kind: 'fin' }));
      expect(await post()).toEqual({ kind: 'ambiguous', code: 'reset' });
      expect(seen).toEqual(['/']);
    });

    it('says ambiguous when no answer comes within the deadline', async () => {
      const { post, seen } = await rig(() => ({ kind: 'stall' }), 300);
      expect(await post()).toEqual({ kind: 'ambiguous', code: 'timeout' });
      expect(seen).toEqual(['/']);
    });

    it('says ambiguous when the caller gives up while it waits', async () => {
      const { post, seen } = await rig(() => ({ kind: 'stall' }));
      const given = new AbortController();
      const result = post('/', given.signal);
      await expect.poll(() => seen.length).toBe(1);
      given.abort();
      expect(await result).toEqual({ kind: 'ambiguous', code: 'aborted' });
    });

    it('says ambiguous when the answer is not HTTP', async () => {
      const port = await listen((socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n')));
      const client = new HttpClient({ connections: 1 });
      closers.push(() => client.close());
      expect(await postTo(client, `http://127.0.0.1:${port}/`)).toEqual({ kind: 'ambiguous', code: 'protocol' });
    });

    it('says ambiguous for a reset on a connection that had worked before, with one request on the wire', async () => {
      const { post, seen } = await rig((_path, nth) => (nth === 1 ? reply(200) : { kind: 'reset' }));
      await post('/one');
      expect(await post('/two')).toEqual({ kind: 'ambiguous', code: 'reset' });
      expect(seen).toEqual(['/one', '/two']);
    });
  });
});
