import { randomUUID } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import type { SendCommand, TargetDevice } from '../../src/core/output.ts';
import { FcmProvider, type FcmOptions } from '../../src/senders/fcm.ts';
import type { Answer } from '../../src/senders/provider.ts';
import { fcmAccepted, fcmError, startFakeFcm, type FakeFcm, type FcmPost } from '../setup/fakes/fake-fcm.ts';
import { reply, type Behaviour } from '../setup/fakes/fake-server.ts';
import { command, device } from './commands.ts';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Rig {
  readonly fake: FakeFcm;
  send(changes?: Partial<SendCommand>, target?: TargetDevice): Promise<Answer>;
}

async function rig(answer?: (post: FcmPost, nth: number) => Behaviour, options: Partial<FcmOptions> = {}): Promise<Rig> {
  const fake = await startFakeFcm(answer);
  const { endpoint, ca, projectId, credential } = fake;
  const provider = new FcmProvider({ endpoint, ca, projectId, credential, ...options });
  closers.push(
    () => fake.stop(),
    () => provider.close(),
  );
  return {
    fake,
    send: (changes = {}, target = device()) => {
      const sent = command({ devices: [target], ...changes });
      return provider.deliver(sent, target, { attempt: 1, ttlMs: sent.ttlMs, signal: new AbortController().signal });
    },
  };
}

const notAToken = 'The registration token is not a valid FCM registration token';
const badRequest = (field: string): object => ({
  '@type': 'type.googleapis.com/google.rpc.BadRequest',
  fieldViolations: [{ field, description: '' }],
});

describe('FcmProvider', () => {
  it('posts the message to the project, with TTL, collapse key and ids', async () => {
    const { fake, send } = await rig();
    const commandId = randomUUID();
    expect(await send({ commandId, collapseKey: 'cart', ttlMs: 90_500 })).toEqual({
      class: 'ok',
      code: 'http_200',
      providerMessageId: 'projects/demo/messages/1',
    });
    const [post] = fake.posts;
    expect(post?.path).toBe('/v1/projects/demo/messages:send');
    expect(post?.authorization).toBe('Bearer token-1');
    expect(post?.message).toMatchObject({
      token: 'token-of-device-1',
      notification: { title: 'Your cart is waiting', body: 'Two things are still in it.' },
      data: { journey: 'cart_abandoned', commandId, deviceId: 'device-1', url: 'https://shop.example/cart' },
      android: { ttl: '90.500s', collapseKey: 'cart', priority: 'normal' },
      apns: { headers: { 'apns-collapse-id': 'cart', 'apns-priority': '5' } },
      webpush: { headers: { TTL: '90' } },
    });
  });

  it('never lets a message live for more than FCM allows, and always sets the TTL', async () => {
    const { fake, send } = await rig();
    await send({ ttlMs: 99_999_999_999 });
    await send({ ttlMs: -5 });
    expect(fake.posts.map((post) => (post.message['android'] as { ttl: string }).ttl)).toEqual(['2419200.000s', '0.000s']);
  });

  it('addresses a device of kind fcm_fid by installation id', async () => {
    const { fake, send } = await rig();
    await send({}, device({ kind: 'fcm_fid', value: 'installation' }));
    expect(fake.posts[0]?.message).toMatchObject({ fid: 'installation' });
    expect(fake.posts[0]?.message).not.toHaveProperty('token');
  });

  it('asks for one access token for many calls at once', async () => {
    const { fake, send } = await rig();
    await Promise.all(Array.from({ length: 10 }, () => send()));
    expect(fake.tokens()).toBe(1);
  });

  it('drops a payload over 4096 bytes without a call', async () => {
    const { fake, send } = await rig();
    expect(await send({ data: { big: 'x'.repeat(4_096) } })).toEqual({ class: 'drop', code: 'payload_too_large' });
    expect(fake.posts).toEqual([]);
  });

  it.each<[string, Behaviour, Answer]>([
    ['200 without a name', reply(200, '{}'), { class: 'ambiguous', code: 'no_name' }],
    ['200 with HTML', reply(200, '<html>'), { class: 'ambiguous', code: 'no_name' }],
    ['404 UNREGISTERED', fcmError(404, 'UNREGISTERED'), { class: 'device', code: 'unregistered' }],
    ['404 without FcmError', fcmError(404, undefined, 'Requested entity was not found.'), { class: 'retry', code: 'http_404' }],
    ['404 with HTML', reply(404, '<html>Not Found</html>'), { class: 'retry', code: 'http_404' }],
    [
      '400 with a violated field',
      fcmError(400, 'INVALID_ARGUMENT', 'bad', [badRequest('message.data[0].value')]),
      { class: 'drop', code: 'invalid_argument' },
    ],
    ['400 of a malformed token', fcmError(400, 'INVALID_ARGUMENT', notAToken), { class: 'device', code: 'malformed_token' }],
    [
      '400 with the token as violated field',
      fcmError(400, 'INVALID_ARGUMENT', 'bad', [badRequest('message.token')]),
      { class: 'device', code: 'malformed_token' },
    ],
    ['400 with the words of a malformed token and no code', fcmError(400, undefined, notAToken), { class: 'drop', code: 'http_400' }],
    [
      '403 SENDER_ID_MISMATCH of a credential that never worked',
      fcmError(403, 'SENDER_ID_MISMATCH'),
      { class: 'halt', code: 'sender_id_mismatch' },
    ],
    ['403 without FcmError', fcmError(403, undefined), { class: 'halt', code: 'http_403' }],
    ['401 THIRD_PARTY_AUTH_ERROR', fcmError(401, 'THIRD_PARTY_AUTH_ERROR'), { class: 'halt', code: 'third_party_auth_error' }],
    ['429 QUOTA_EXCEEDED', fcmError(429, 'QUOTA_EXCEEDED'), { class: 'retry', code: 'quota_exceeded', retryAfterMs: 60_000 }],
    ['429 with HTML', reply(429, '<html>', { 'retry-after': '3' }), { class: 'retry', code: 'http_429', retryAfterMs: 3_000 }],
    ['503 UNAVAILABLE', fcmError(503, 'UNAVAILABLE'), { class: 'ambiguous', code: 'unavailable' }],
    ['503 with HTML', reply(503, '<html>', { 'retry-after': '30' }), { class: 'ambiguous', code: 'http_503', retryAfterMs: 30_000 }],
    ['500 INTERNAL', fcmError(500, 'INTERNAL'), { class: 'ambiguous', code: 'internal' }],
    ['302', reply(302, '', { location: 'https://elsewhere.example' }), { class: 'drop', code: 'redirect' }],
    ['an unknown FcmError with status 400', fcmError(400, 'SOMETHING_NEW'), { class: 'drop', code: 'http_400' }],
    ['a 4xx that was cut', { kind: 'cut', status: 404, body: '{"error":' }, { class: 'retry', code: 'cut_reply' }],
    ['a 200 that was cut', { kind: 'cut', status: 200, body: '{"na' }, { class: 'ambiguous', code: 'no_name' }],
    ['a reply without end', { kind: 'endless', status: 200 }, { class: 'ambiguous', code: 'no_name' }],
    ['a reset after the request', { kind: 'reset' }, { class: 'ambiguous', code: 'reset' }],
    ['a clean close in the middle of the request', { kind: 'fin' }, { class: 'ambiguous', code: 'reset' }],
    ['no answer', { kind: 'stall' }, { class: 'ambiguous', code: 'timeout' }],
  ])('takes %s for what the table says, with one POST', async (_name, behaviour, answer) => {
    const { fake, send } = await rig(() => behaviour, behaviour.kind === 'stall' ? { deadlineMs: 300 } : {});
    expect(await send()).toEqual(answer);
    expect(fake.posts).toHaveLength(1);
  });

  it('reads Retry-After of a quota answer', async () => {
    const { send } = await rig(() => ({ ...fcmError(429, 'QUOTA_EXCEEDED'), headers: { 'retry-after': '3600' } }) as Behaviour);
    expect(await send()).toMatchObject({ class: 'retry', retryAfterMs: 3_600_000 });
  });

  it('blames the device for a sender id mismatch when the credential has just worked, and us when that is long ago', async () => {
    let now = Date.now();
    const { send } = await rig((_post, nth) => (nth === 1 ? fcmAccepted() : fcmError(403, 'SENDER_ID_MISMATCH')), { nowMs: () => now });
    const commandId = randomUUID();
    await send({ commandId });
    expect(await send({ commandId })).toEqual({ class: 'device', code: 'sender_id_mismatch' });
    now += 2 * 3_600_000;
    expect(await send({ commandId })).toEqual({ class: 'halt', code: 'sender_id_mismatch' });
  });

  it('halts after three 404 without FcmError in a row, and never prunes for them', async () => {
    let n = 0;
    const { send } = await rig(() => (++n === 3 ? fcmAccepted() : reply(404, '<html>')));
    const classes: string[] = [];
    for (let i = 0; i < 6; i++) classes.push((await send()).class);
    expect(classes).toEqual(['retry', 'retry', 'ok', 'retry', 'retry', 'halt']);
  });

  it('asks for one fresh token after a 401, and halts when that is refused too', async () => {
    const { fake, send } = await rig(() => fcmError(401, undefined));
    expect(await send()).toEqual({ class: 'halt', code: 'http_401' });
    expect(fake.posts.map((post) => post.authorization)).toEqual(['Bearer token-1', 'Bearer token-2']);
  });

  it('goes on when the fresh token is taken', async () => {
    const { fake, send } = await rig((post) => (post.authorization === 'Bearer token-1' ? fcmError(401, undefined) : fcmAccepted()));
    expect(await send()).toMatchObject({ class: 'ok' });
    expect(fake.tokens()).toBe(2);
  });

  it('says retry without a POST when there is no access token, and halt when Google refused the credential', async () => {
    const failing = (error: Error): FcmOptions['credential'] => ({ getAccessToken: () => Promise.reject(error) });
    const unreachable = await rig(undefined, { credential: failing(new Error('getaddrinfo ENOTFOUND oauth2.googleapis.com')) });
    expect(await unreachable.send()).toEqual({ class: 'retry', code: 'credential_unavailable' });
    const refused = await rig(undefined, {
      credential: failing(Object.assign(new Error('invalid_grant: account not found'), { status: 400 })),
    });
    expect(await refused.send()).toEqual({ class: 'halt', code: 'credential_rejected' });
    expect([...unreachable.fake.posts, ...refused.fake.posts]).toEqual([]);
  });

  it('says retry when the connection is refused or the certificate is not trusted', async () => {
    const { fake, send } = await rig();
    const stranger = await startFakeFcm();
    closers.push(() => stranger.stop());
    const untrusted = await rig(undefined, { endpoint: stranger.endpoint, ca: fake.ca });
    expect(await untrusted.send()).toEqual({ class: 'retry', code: 'tls' });
    await fake.stop();
    expect(await send()).toEqual({ class: 'retry', code: 'refused' });
    expect(stranger.posts).toEqual([]);
  });
});
