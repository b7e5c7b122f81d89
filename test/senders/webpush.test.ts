import { randomUUID } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import webpush from 'web-push';
import type { SendCommand } from '../../src/core/output.ts';
import type { Answer } from '../../src/senders/provider.ts';
import { topicOf, WebPushProvider, type WebPushOptions } from '../../src/senders/webpush.ts';
import { reply, type Behaviour } from '../setup/fakes/fake-server.ts';
import { startFakeWebPush, type FakeWebPush, type WebPushPost } from '../setup/fakes/fake-webpush.ts';
import { command, device } from './commands.ts';

const vapid = { subject: 'mailto:push@shop.example', keys: [webpush.generateVAPIDKeys()] } as const;
const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Rig {
  readonly fake: FakeWebPush;
  readonly provider: WebPushProvider;
  /** One attempt to a fresh subscriber (or the given value). */
  send(changes?: Partial<SendCommand>, value?: string): Promise<Answer>;
}

async function rig(answer?: (post: WebPushPost, nth: number) => Behaviour, options: Partial<WebPushOptions> = {}): Promise<Rig> {
  const fake = await startFakeWebPush(answer);
  const provider = new WebPushProvider({ vapid, guard: { devOrigin: { origin: fake.origin, ca: fake.ca } }, ...options });
  closers.push(
    () => fake.stop(),
    () => provider.close(),
  );
  return { fake, provider, send: (changes, value) => sendTo(provider, value ?? fake.subscribe(randomUUID()), changes) };
}

function sendTo(provider: WebPushProvider, value: string, changes: Partial<SendCommand> = {}): Promise<Answer> {
  const target = device({ kind: 'webpush', value });
  const sent = command({ channel: 'webpush', devices: [target], ...changes });
  return provider.deliver(sent, target, { attempt: 1, ttlMs: sent.ttlMs, signal: new AbortController().signal });
}

describe('WebPushProvider', () => {
  it('encrypts a declarative message that the subscriber can read, with its command and device', async () => {
    const { fake, send } = await rig();
    const commandId = randomUUID();
    expect(await send({ commandId, collapseKey: 'cart' })).toMatchObject({ class: 'ok', code: 'http_201' });
    expect(fake.posts[0]?.payload).toEqual({
      web_push: 8030,
      notification: {
        title: 'Your cart is waiting',
        body: 'Two things are still in it.',
        navigate: 'https://shop.example/cart',
        tag: 'cart',
        data: { journey: 'cart_abandoned', commandId, deviceId: 'device-1' },
      },
    });
  });

  it('sends TTL, urgency, topic and encoding as RFC 8030 wants them', async () => {
    const { fake, send } = await rig();
    await send({ collapseKey: 'a key with spaces, longer than thirty-two characters', ttlMs: 90_500 });
    await send({ promise: 'at_least_once', ttlMs: 99_999_999_999 });
    const [first, second] = fake.posts;
    expect(first?.headers).toMatchObject({ ttl: '90', urgency: 'normal', 'content-encoding': 'aes128gcm' });
    expect(first?.headers['topic']).toBe(topicOf('a key with spaces, longer than thirty-two characters'));
    expect(first?.headers['topic']).toMatch(/^[\w-]{32}$/);
    expect(second?.headers).toMatchObject({ ttl: '2419200', urgency: 'high' });
    expect(second?.headers).not.toHaveProperty('topic');
  });

  it('says how long the service keeps the message', async () => {
    const { send } = await rig(() => reply(201, '', { ttl: '60' }));
    expect(await send()).toEqual({ class: 'ok', code: 'http_201', grantedTtlMs: 60_000 });
  });

  it('signs once per origin and key, and anew before the token expires', async () => {
    let now = Date.now();
    const { fake, send } = await rig(undefined, { nowMs: () => now });
    await send();
    await send();
    now += 10.5 * 3_600_000;
    await send();
    const [first, second, third] = fake.posts.map((post) => post.headers.authorization);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    const [, payload = ''] = /vapid t=([^,]+)/.exec(first ?? '')?.[1]?.split('.') ?? [];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { aud: string; exp: number; sub: string };
    expect(claims).toMatchObject({ aud: fake.origin, sub: 'mailto:push@shop.example' });
    expect(claims.exp * 1_000 - Date.now()).toBeLessThanOrEqual(12 * 3_600_000);
  });

  it('signs with the key that the subscription was made with', async () => {
    const older = webpush.generateVAPIDKeys();
    const { fake, send } = await rig(undefined, { vapid: { ...vapid, keys: [vapid.keys[0], older] } });
    await send({}, fake.subscribe('old', { applicationServerKey: older.publicKey }));
    await send({}, fake.subscribe('new'));
    expect(fake.posts[0]?.headers.authorization).toContain(`k=${older.publicKey}`);
    expect(fake.posts[1]?.headers.authorization).toContain(`k=${vapid.keys[0].publicKey}`);
  });

  it('refuses to start with a key or a subject that RFC 8292 does not allow', () => {
    expect(() => new WebPushProvider({ vapid: { ...vapid, subject: 'push@shop.example' } })).toThrow(/not a valid URL/);
    expect(() => new WebPushProvider({ vapid: { ...vapid, keys: [{ publicKey: 'abc', privateKey: 'def' }] } })).toThrow(/65 bytes/);
  });

  it.each<[string, Behaviour, Answer]>([
    ['200', reply(200), { class: 'ok', code: 'http_200' }],
    ['201', reply(201), { class: 'ok', code: 'http_201' }],
    ['202', reply(202), { class: 'ok', code: 'http_202' }],
    ['404', reply(404), { class: 'device', code: 'http_404' }],
    ['410', reply(410), { class: 'device', code: 'http_410' }],
    ['413', reply(413), { class: 'drop', code: 'http_413' }],
    ['400', reply(400), { class: 'drop', code: 'http_400' }],
    ['429 with seconds', reply(429, '', { 'retry-after': '120' }), { class: 'retry', code: 'http_429', retryAfterMs: 120_000 }],
    ['429 without a time', reply(429), { class: 'retry', code: 'http_429', retryAfterMs: 60_000 }],
    ['429 with an hour', reply(429, '', { 'retry-after': '3600' }), { class: 'retry', code: 'http_429', retryAfterMs: 3_600_000 }],
    ['400 VapidPkHashMismatch', reply(400, '{"reason":"VapidPkHashMismatch"}'), { class: 'device', code: 'vapid_key_mismatch' }],
    [
      '403 of another sender id',
      reply(403, 'the key in the authorization header does not correspond to the sender ID used to subscribe this user.'),
      { class: 'device', code: 'vapid_key_mismatch' },
    ],
    ['403 without a reason', reply(403), { class: 'retry', code: 'http_403' }],
    ['301', reply(301, '', { location: 'https://elsewhere.example' }), { class: 'drop', code: 'redirect' }],
    ['307', reply(307, '', { location: 'http://127.0.0.1/' }), { class: 'drop', code: 'redirect' }],
    ['503', reply(503), { class: 'retry', code: 'http_503' }],
    ['503 with Retry-After', reply(503, '', { 'retry-after': '5' }), { class: 'retry', code: 'http_503', retryAfterMs: 5_000 }],
    ['500', reply(500), { class: 'ambiguous', code: 'http_500' }],
    ['502', reply(502), { class: 'ambiguous', code: 'http_502' }],
    ['a reset after the request', { kind: 'reset' }, { class: 'ambiguous', code: 'reset' }],
    ['a clean close without an answer', { kind: 'fin' }, { class: 'ambiguous', code: 'reset' }],
    ['no answer', { kind: 'stall' }, { class: 'ambiguous', code: 'timeout' }],
    ['a reply without end', { kind: 'endless', status: 201 }, { class: 'ok', code: 'http_201' }],
    ['a reply that is cut', { kind: 'cut', status: 410, body: 'x' }, { class: 'device', code: 'http_410' }],
  ])('takes %s for what the table says, with one POST', async (_name, behaviour, answer) => {
    const { fake, send } = await rig(() => behaviour, behaviour.kind === 'stall' ? { deadlineMs: 300 } : {});
    expect(await send()).toEqual(answer);
    expect(fake.posts).toHaveLength(1);
  });

  it('understands Retry-After as an HTTP date', async () => {
    const nowMs = Date.UTC(2026, 0, 1);
    const { send } = await rig(() => reply(429, '', { 'retry-after': 'Thu, 01 Jan 2026 00:02:00 GMT' }), { nowMs: () => nowMs });
    expect(await send()).toMatchObject({ class: 'retry', retryAfterMs: 120_000 });
  });

  it.each([reply(401), reply(403, '{"reason":"BadJwtToken"}')])(
    'signs anew once when a token is refused, then halts',
    async (behaviour) => {
      let now = Date.now();
      const { fake, send } = await rig(
        () => {
          now += 1_000;
          return behaviour;
        },
        { nowMs: () => now },
      );
      expect(await send()).toEqual({ class: 'halt', code: 'bad_jwt' });
      expect(fake.posts).toHaveLength(2);
      expect(fake.posts[1]?.headers.authorization).not.toBe(fake.posts[0]?.headers.authorization);
    },
  );

  it('goes on when the new token is taken', async () => {
    const { fake, send } = await rig((_post, nth) => reply(nth === 1 ? 401 : 201));
    expect(await send()).toEqual({ class: 'ok', code: 'http_201' });
    expect(fake.posts).toHaveLength(2);
  });

  it('halts when our key is refused five times in a row, and not when something works between', async () => {
    let n = 0;
    const mismatch = reply(400, '{"reason":"VapidPkHashMismatch"}');
    const { send } = await rig(() => (++n === 4 ? reply(201) : mismatch));
    const classes: string[] = [];
    for (let i = 0; i < 9; i++) classes.push((await send()).class);
    expect(classes).toEqual(['device', 'device', 'device', 'ok', 'device', 'device', 'device', 'device', 'halt']);
  });

  it('drops what is over the plaintext cap without a call', async () => {
    const { fake, send } = await rig();
    const content = { title: 'x'.repeat(3_000), body: '', url: null, image: null };
    expect(await send({ content })).toEqual({ class: 'drop', code: 'payload_too_large' });
    expect(fake.posts).toEqual([]);
  });

  it.each([
    'not json',
    '"text"',
    '{}',
    JSON.stringify({ endpoint: 'https://fcm.googleapis.com/x', keys: { p256dh: 'AAAA', auth: 'AAAA' } }),
    JSON.stringify({
      endpoint: 'https://fcm.googleapis.com/x',
      keys: {
        p256dh: Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 7)]).toString('base64url'),
        auth: Buffer.alloc(16).toString('base64url'),
      },
    }),
  ])('takes a value that is no subscription for a dead device: %s', async (value) => {
    const { send } = await rig();
    expect(await send({}, value)).toEqual({ class: 'device', code: 'malformed_subscription' });
  });

  it('says retry when the service refuses the connection', async () => {
    const { fake, send } = await rig();
    await fake.stop();
    expect(await send({}, fake.subscribe('s'))).toEqual({ class: 'retry', code: 'refused' });
  });

  it('says retry when the certificate of the service is not trusted', async () => {
    const stranger = await startFakeWebPush();
    const { fake, send } = await rig();
    closers.push(() => stranger.stop());
    const provider = new WebPushProvider({ vapid, guard: { devOrigin: { origin: stranger.origin, ca: fake.ca } } });
    closers.push(() => provider.close());
    expect(await sendTo(provider, stranger.subscribe('s'))).toEqual({ class: 'retry', code: 'tls' });
    expect(stranger.posts).toEqual([]);
    expect(await send()).toMatchObject({ class: 'ok' });
  });

  it('calls no endpoint of the SSRF set, and a listener on loopback sees nothing', async () => {
    let seen = 0;
    const server = createServer((socket) => {
      seen++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(() => resolve())));
    const { port } = server.address() as AddressInfo;
    const { fake, provider } = await rig();
    const good = JSON.parse(fake.subscribe('s')) as Record<string, unknown>;
    const endpoints = [
      ...[`https://127.0.0.1:${port}/`, `https://[::1]:${port}/`, `https://[::ffff:127.0.0.1]:${port}/`, `https://2130706433:${port}/`],
      ...[`https://0x7f000001:${port}/`, `https://localhost:${port}/`, `https://user@127.0.0.1:${port}/`, `http://127.0.0.1:${port}/`],
      ...[
        `https://fcm.googleapis.com:${port}/`,
        'https://169.254.169.254/latest/meta-data/',
        `https://fcm.googleapis.com@127.0.0.1:${port}/`,
      ],
    ];
    for (const endpoint of endpoints) {
      const answer = await sendTo(provider, JSON.stringify({ ...good, endpoint }));
      expect(answer.class).toBe('drop');
      expect(answer.code).toMatch(/^ssrf_/);
    }
    // A rebinding name: allowed by the URL, loopback by the resolver.
    const rebinding = new WebPushProvider({ vapid, guard: { resolve: async () => [{ address: '127.0.0.1', family: 4 }] } });
    closers.push(() => rebinding.close());
    const answer = await sendTo(rebinding, JSON.stringify({ ...good, endpoint: 'https://fcm.googleapis.com/fcm/send/x' }));
    expect(answer).toEqual({ class: 'drop', code: 'ssrf_blocked_address' });
    expect(seen).toBe(0);
  });

  it('puts neither endpoint nor keys into an answer', async () => {
    const { fake, send } = await rig(() => reply(500, 'echo'));
    const value = fake.subscribe('secret-endpoint');
    expect(JSON.stringify(await send({}, value))).not.toContain('secret-endpoint');
  });
});
