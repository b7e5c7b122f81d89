import { createServer, type AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HttpClient } from '../../src/senders/http.ts';
import { isPublicAddress } from '../../src/senders/public-address.ts';
import { SsrfGuard } from '../../src/senders/ssrf-guard.ts';

const guard = new SsrfGuard();

describe('SsrfGuard.check', () => {
  it.each([
    'https://fcm.googleapis.com/fcm/send/abc',
    'https://updates.push.services.mozilla.com/wpush/v2/abc',
    'https://a.b.push.services.mozilla.com/x',
    'https://web.push.apple.com/abc',
    'https://db5p.notify.windows.com/w/?token=abc',
    'https://FCM.googleapis.com:443/x',
  ])('lets %s through', (url) => {
    expect(guard.check(url)).toMatchObject({ ok: true, dev: false });
  });

  it.each([
    ['http://fcm.googleapis.com/x', 'not_https'],
    ['ftp://fcm.googleapis.com/x', 'not_https'],
    ['javascript:alert(1)', 'not_https'],
    ['//fcm.googleapis.com/x', 'malformed'],
    ['', 'malformed'],
    ['https://', 'malformed'],
    ['https://user@fcm.googleapis.com/x', 'user_info'],
    ['https://:secret@fcm.googleapis.com/x', 'user_info'],
    ['https://fcm.googleapis.com@127.0.0.1/x', 'user_info'],
    ['https://fcm.googleapis.com:8443/x', 'port'],
    ['https://fcm.googleapis.com:80/x', 'port'],
    ['https://127.0.0.1/x', 'ip_literal'],
    ['https://2130706433/x', 'ip_literal'],
    ['https://0x7f.1/x', 'ip_literal'],
    ['https://0177.0.0.1/x', 'ip_literal'],
    ['https://127.1/x', 'ip_literal'],
    ['https://0/x', 'ip_literal'],
    ['https://8.8.8.8/x', 'ip_literal'],
    ['https://169.254.169.254/latest/meta-data', 'ip_literal'],
    ['https://[::1]/x', 'ip_literal'],
    ['https://[::ffff:127.0.0.1]/x', 'ip_literal'],
    ['https://[fd00:ec2::254]/x', 'ip_literal'],
    ['https://localhost/x', 'host_not_allowed'],
    ['https://example.com/x', 'host_not_allowed'],
    ['https://push.services.mozilla.com/x', 'host_not_allowed'],
    ['https://evilpush.apple.com.example.com/x', 'host_not_allowed'],
    ['https://notpush.apple.com/x', 'host_not_allowed'],
    ['https://fcm.googleapis.com./x', 'host_not_allowed'],
    ['https://fcm.googleapis.com%2eexample.com/x', 'host_not_allowed'],
    ['https://metadata.google.internal/x', 'host_not_allowed'],
  ])('refuses %s: %s', (url, refusal) => {
    expect(guard.check(url)).toEqual({ ok: false, refusal });
  });

  it('lets one exact development origin through besides, and no other port or scheme of its host', () => {
    const dev = new SsrfGuard({ devOrigin: { origin: 'https://127.0.0.1:8443', ca: '' } });
    expect(dev.check('https://127.0.0.1:8443/push/1')).toMatchObject({ ok: true, dev: true });
    expect(dev.check('https://127.0.0.1:8444/push/1').ok).toBe(false);
    expect(dev.check('https://127.0.0.1/push/1').ok).toBe(false);
    expect(dev.check('http://127.0.0.1:8443/push/1').ok).toBe(false);
    expect(dev.check('https://localhost:8443/push/1').ok).toBe(false);
    expect(dev.check('https://user@127.0.0.1:8443/push/1')).toEqual({ ok: false, refusal: 'user_info' });
    expect(dev.check('https://fcm.googleapis.com/x')).toMatchObject({ ok: true, dev: false });
  });

  it.each(['http://127.0.0.1:8443', 'https://127.0.0.1:8443/path', 'https://user@127.0.0.1:8443', '127.0.0.1'])(
    'takes no development origin that is not one exact https origin: %s',
    (origin) => {
      expect(() => new SsrfGuard({ devOrigin: { origin, ca: '' } })).toThrow(/expected exactly one https origin/);
    },
  );

  it.each(['*', '*.', 'https://a.example', '127.0.0.1:80', '*.com*'])('takes no allow-list entry that is not a host name: %s', (host) => {
    expect(() => new SsrfGuard({ allowHosts: [host] })).toThrow(/expected a host name/);
  });
});

describe('isPublicAddress', () => {
  it.each(['8.8.8.8', '142.250.74.10', '1.1.1.1', '2a00:1450:4001:82a::200a', '2606:4700::1111', '64:ff9b::8.8.8.8', '64:ff9b::8efa:4a0a'])(
    'takes %s for public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true);
    },
  );

  it.each([
    ...[
      '0.0.0.0',
      '10.1.2.3',
      '100.64.0.1',
      '127.0.0.1',
      '127.255.255.254',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
    ],
    ...['192.0.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'],
    ...[
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:7f00:1',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd00:ec2::254',
      'ff02::1',
    ],
    ...[
      '2001::1',
      '2001:db8::1',
      '2002:7f00:1::',
      '3fff::1',
      '64:ff9b::127.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b::',
      '64:ff9b:1::1',
      '100::1',
    ],
    ...['', 'localhost', '127.0.0.1.', '1.2.3', 'g::1'],
  ])('does not take %s for public', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

/** A listener that must see nothing: not even a connection. */
async function withListener(check: (port: number) => Promise<void>): Promise<void> {
  let seen = 0;
  const server = createServer((socket) => {
    seen++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await check((server.address() as AddressInfo).port);
    expect(seen).toBe(0);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
}

describe('SsrfGuard.lookup, in a connecting client', () => {
  const post = (client: HttpClient, url: string): ReturnType<HttpClient['post']> =>
    client.post({ url: new URL(url), headers: {}, body: null, signal: new AbortController().signal });

  async function connectWith(port: number, addresses: readonly string[]): Promise<void> {
    const resolve = async (): Promise<{ address: string; family: number }[]> =>
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const client = new HttpClient({ connections: 1, lookup: new SsrfGuard({ resolve }).lookup });
    try {
      expect(await post(client, `https://fcm.googleapis.com:${port}/x`)).toEqual({ kind: 'unsent', code: 'blocked_address' });
    } finally {
      await client.close();
    }
  }

  it.each([
    [['127.0.0.1']],
    [['::1']],
    [['::ffff:127.0.0.1']],
    [['169.254.169.254']],
    [['10.0.0.1']],
    // One bad address among good ones: the connection could be steered to it.
    [['8.8.8.8', '127.0.0.1']],
  ])('opens no connection to a name that resolves to %j', (addresses) => withListener((port) => connectWith(port, addresses)));

  it('judges the addresses of each connection anew, so that a rebinding name gains nothing', () =>
    withListener(async (port) => {
      // Whatever the name said before: what it says now is what would be connected to.
      const answers = ['127.0.0.1', '192.168.0.1'];
      const resolve = async (): Promise<{ address: string; family: number }[]> => [{ address: answers.shift() ?? '::1', family: 4 }];
      const client = new HttpClient({ connections: 1, lookup: new SsrfGuard({ resolve }).lookup });
      try {
        for (let i = 0; i < 3; i++)
          expect(await post(client, `https://fcm.googleapis.com:${port}/x`)).toMatchObject({ code: 'blocked_address' });
        expect(answers).toEqual([]);
      } finally {
        await client.close();
      }
    }));
});
