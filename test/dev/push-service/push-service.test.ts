import { randomUUID, X509Certificate } from 'node:crypto';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import webpush from 'web-push';
import { selfSigned } from '../../../src/dev/push-service/certificate.ts';
import { startPushService, type PushService } from '../../../src/dev/push-service/service.ts';
import { HttpClient, type HttpResult } from '../../../src/senders/http.ts';
import { WebPushProvider } from '../../../src/senders/webpush.ts';
import type { Answer } from '../../../src/senders/provider.ts';
import { command, device } from '../../senders/commands.ts';

const vapid = { subject: 'mailto:push@shop.example', keys: [webpush.generateVAPIDKeys()] } as const;
let service: PushService;
let provider: WebPushProvider;
let http: HttpClient;

beforeEach(async () => {
  service = await startPushService();
  provider = new WebPushProvider({ vapid, guard: { devOrigin: { origin: service.endpointOrigin, ca: service.ca } } });
  http = new HttpClient({ connections: 2, ca: service.ca });
});
afterEach(async () => {
  await provider.close();
  await http.close();
  await service.stop();
});

function send(value: string, changes: Parameters<typeof command>[0] = {}): Promise<Answer> {
  const target = device({ kind: 'webpush', value });
  return provider.deliver(command({ channel: 'webpush', ...changes }), target, {
    attempt: 1,
    ttlMs: changes.ttlMs ?? 60_000,
    signal: new AbortController().signal,
  });
}

function post(value: string, headers: Record<string, string>, body: Buffer = Buffer.alloc(0)): Promise<HttpResult> {
  const { endpoint } = JSON.parse(value) as { endpoint: string };
  return http.post({ url: new URL(endpoint), headers, body, signal: new AbortController().signal });
}

function authorization(origin = service.endpointOrigin, key = vapid.keys[0], expiresAtS = Math.floor(Date.now() / 1_000) + 3_600): string {
  return webpush.getVapidHeaders(origin, vapid.subject, key.publicKey, key.privateKey, 'aes128gcm', expiresAtS).Authorization;
}

describe('local push service', () => {
  it('delivers an encrypted push to a virtual device, which decrypts it', async () => {
    const received: string[] = [];
    const subscription = service.createVirtualSubscription({ onPayload: (payload) => received.push(payload ?? '') });
    expect(await send(subscription.value)).toEqual({ class: 'ok', code: 'http_201', grantedTtlMs: 60_000 });
    expect(received).toHaveLength(1);
    expect(JSON.parse(received[0] ?? '')).toMatchObject({ web_push: 8030, notification: { title: 'Your cart is waiting' } });
    expect(service.stats()).toEqual({ posts: { 201: 1 }, delivered: 1, duplicates: 0, subscriptions: 1, browsers: 0 });
  });

  it('counts an accepted pair of command and device that is posted again', async () => {
    const subscription = service.createVirtualSubscription({ onPayload: () => {} });
    const commandId = randomUUID();
    for (const id of [commandId, randomUUID(), commandId]) await send(subscription.value, { commandId: id });
    expect(service.stats().duplicates).toBe(1);
  });

  it('answers 410 after an unsubscribe and 404 for what it never gave out', async () => {
    const subscription = service.createVirtualSubscription({ onPayload: () => {} });
    subscription.unsubscribe();
    expect(await send(subscription.value)).toEqual({ class: 'device', code: 'http_410' });
    const value = JSON.parse(subscription.value) as { endpoint: string };
    const stranger = JSON.stringify({ ...value, endpoint: `${service.endpointOrigin}/wpush/v2/unknown` });
    expect(await send(stranger)).toEqual({ class: 'device', code: 'http_404' });
    expect(service.stats().posts).toEqual({ 404: 1, 410: 1 });
  });

  it('refuses what real push services refuse', async () => {
    const { value } = service.createVirtualSubscription({ onPayload: () => {}, key: vapid.keys[0].publicKey });
    const other = webpush.generateVAPIDKeys();
    const forged = authorization().replace(/k=.*/, `k=${other.publicKey}`);
    const good = { ttl: '60', authorization: authorization() };
    const statuses: unknown[] = [];
    for (const [headers, body] of [
      [{ ttl: '60' }],
      [{ ...good, authorization: 'vapid nonsense' }],
      [{ ...good, authorization: forged }],
      [{ ...good, authorization: authorization('https://elsewhere.example') }],
      [{ ...good, authorization: authorization(service.endpointOrigin, vapid.keys[0], Math.floor(Date.now() / 1_000) - 10) }],
      [{ ...good, authorization: authorization(service.endpointOrigin, other) }],
      [{ authorization: authorization() }],
      [{ ...good, topic: 'not a topic' }],
      [good, Buffer.from('plain text')],
      [{ ...good, 'content-encoding': 'aes128gcm' }, Buffer.alloc(5_000)],
      [good],
    ] as [Record<string, string>, Buffer?][]) {
      const result = await post(value, headers, body);
      statuses.push(result.kind === 'reply' ? result.status : result);
    }
    expect(statuses).toEqual([401, 401, 401, 401, 401, 403, 400, 400, 415, 413, 201]);
  });

  it('makes a certificate that is valid for 127.0.0.1 and signed by itself', () => {
    const certificate = new X509Certificate(selfSigned(['127.0.0.1', 'localhost']).cert);
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkHost('example.com')).toBeUndefined();
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(new Date(certificate.validTo).getTime()).toBeGreaterThan(Date.now());
  });
});

/** A browser's side of the protocol. */
class Browser {
  readonly socket: WebSocket;
  readonly #messages: Record<string, unknown>[] = [];
  #arrived: () => void = () => {};

  constructor(url: string) {
    this.socket = new WebSocket(url, 'push-notification');
    this.socket.addEventListener('message', ({ data }) => {
      this.#messages.push(JSON.parse(String(data)) as Record<string, unknown>);
      this.#arrived();
    });
  }

  async open(): Promise<this> {
    await new Promise((resolve) => this.socket.addEventListener('open', resolve, { once: true }));
    return this;
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  async hears(): Promise<Record<string, unknown>> {
    while (this.#messages.length === 0) await new Promise<void>((resolve) => (this.#arrived = resolve));
    return this.#messages.shift() ?? {};
  }

  async asks(message: object): Promise<Record<string, unknown>> {
    this.say(message);
    return this.hears();
  }

  async close(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.socket.addEventListener('close', resolve, { once: true }));
    this.socket.close();
    await closed;
  }
}

describe("autopush's protocol", () => {
  it('says hello, registers, notifies, takes the ack, unregisters', async () => {
    const browser = await new Browser(service.wsUrl).open();
    expect(browser.socket.protocol).toBe('push-notification');
    const hello = await browser.asks({ messageType: 'hello', use_webpush: true, broadcasts: {} });
    expect(hello).toMatchObject({
      messageType: 'hello',
      status: 200,
      use_webpush: true,
      uaid: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
    });
    const channelID = randomUUID();
    const registered = await browser.asks({ messageType: 'register', channelID, key: vapid.keys[0].publicKey });
    expect(registered).toMatchObject({ messageType: 'register', channelID, status: 200 });
    const value = JSON.stringify({ endpoint: registered['pushEndpoint'] });
    expect(
      await post(value, { ttl: '60', authorization: authorization(), 'content-encoding': 'aes128gcm' }, Buffer.from('secret')),
    ).toMatchObject({ status: 201 });
    const notification = await browser.hears();
    expect(notification).toMatchObject({
      messageType: 'notification',
      channelID,
      data: Buffer.from('secret').toString('base64url'),
      headers: { encoding: 'aes128gcm' },
    });
    browser.say({ messageType: 'ack', updates: [{ channelID, version: notification['version'], code: 100 }] });
    expect(await browser.asks({ messageType: 'unregister', channelID })).toEqual({ messageType: 'unregister', channelID, status: 200 });
    expect(service.acks).toEqual([{ channelId: channelID, version: notification['version'], code: 100 }]);
    expect(service.stats()).toMatchObject({ delivered: 1, subscriptions: 0, browsers: 1 });
    expect(await post(value, { ttl: '60', authorization: authorization() })).toMatchObject({ status: 410 });
    expect(await browser.asks({})).toEqual({});
    await browser.close();
  });

  it('keeps messages for a browser that is away, the newest of a topic, and not past their TTL', async () => {
    const first = await new Browser(service.wsUrl).open();
    const { uaid } = await first.asks({ messageType: 'hello', use_webpush: true });
    const { pushEndpoint } = await first.asks({ messageType: 'register', channelID: 'c' });
    await first.close();
    const value = JSON.stringify({ endpoint: pushEndpoint });
    const headers = { authorization: authorization(), 'content-encoding': 'aes128gcm' };
    await post(value, { ...headers, ttl: '0' }, Buffer.from('now or never'));
    await post(value, { ...headers, ttl: '60', topic: 'cart' }, Buffer.from('older'));
    await post(value, { ...headers, ttl: '60', topic: 'cart' }, Buffer.from('newer'));
    await post(value, { ...headers, ttl: '60' }, Buffer.from('other'));
    const second = await new Browser(service.wsUrl).open();
    expect(await second.asks({ messageType: 'hello', use_webpush: true, uaid })).toMatchObject({ uaid });
    const bodies = [await second.hears(), await second.hears()].map(({ data }) => Buffer.from(String(data), 'base64url').toString());
    expect(bodies).toEqual(['newer', 'other']);
    await second.close();
  });

  it('takes long and fragmented messages, and ends a connection that does not mask', async () => {
    const browser = await new Browser(service.wsUrl).open();
    await browser.asks({ messageType: 'hello', padding: 'x'.repeat(70_000) });
    await browser.close();
    const port = Number(new URL(service.wsUrl).port);
    const raw = connect(port, '127.0.0.1');
    raw.write(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    const text = await new Promise<string>((resolve) => raw.once('data', (chunk) => resolve(chunk.toString())));
    expect(text).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    const frame = (opcode: number, last: boolean, payload: string): Buffer => {
      const mask = Buffer.from([1, 2, 3, 4]);
      const body = Buffer.from(payload).map((byte, i) => byte ^ (mask[i % 4] ?? 0));
      return Buffer.concat([Buffer.from([(last ? 0x80 : 0) | opcode, 0x80 | body.length]), mask, body]);
    };
    const heard = new Promise<string>((resolve) => raw.once('data', (chunk) => resolve(chunk.subarray(2).toString())));
    raw.write(Buffer.concat([frame(1, false, '{"messa'), frame(0, false, 'geType":"pi'), frame(0, true, 'ng"}')]));
    expect(await heard).toBe('{}');
    const closed = new Promise((resolve) => raw.once('close', resolve));
    raw.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d]));
    raw.resume();
    await closed;
  });
});
