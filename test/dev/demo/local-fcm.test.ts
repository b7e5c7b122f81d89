import { afterEach, describe, expect, it } from 'vitest';
import type { SendCommand } from '../../../src/core/output.ts';
import { startLocalFcm, type LocalFcm } from '../../../src/dev/demo/local-fcm.ts';
import { FcmProvider } from '../../../src/senders/fcm.ts';
import type { Answer } from '../../../src/senders/provider.ts';
import { commandOf } from '../tally/samples.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The real sender's provider against it. */
async function rig(): Promise<{ fcm: LocalFcm; send: (command: SendCommand, value: string) => Promise<Answer> }> {
  const fcm = await startLocalFcm();
  const provider = new FcmProvider(fcm);
  closers.push(
    () => fcm.close(),
    () => provider.close(),
  );
  const send = (command: SendCommand, value: string): Promise<Answer> =>
    provider.deliver(command, { deviceId: 'd1', kind: 'fcm', value }, { attempt: 1, ttlMs: 1_000, signal: AbortSignal.timeout(10_000) });
  return { fcm, send };
}

describe('the local FCM receiver', () => {
  it('takes what the sender posts to a token that it gave out', async () => {
    const { fcm, send } = await rig();
    expect(await send(commandOf('c1'), fcm.register({ dead: false }))).toMatchObject({
      class: 'ok',
      providerMessageId: expect.any(String) as string,
    });
    expect(fcm.duplicates).toBe(0);
  });

  it('says of a token whose app is gone that it is unregistered, and of any other that it is none', async () => {
    const { fcm, send } = await rig();
    expect(await send(commandOf('c1'), fcm.register({ dead: true }))).toEqual({ class: 'device', code: 'unregistered' });
    expect(await send(commandOf('c2'), 'made up')).toEqual({ class: 'device', code: 'malformed_token' });
  });

  it('counts a second post for the same command and device, unless the first was refused', async () => {
    const { fcm, send } = await rig();
    const [live, dead] = [fcm.register({ dead: false }), fcm.register({ dead: true })];
    await send(commandOf('c1'), dead);
    await send(commandOf('c1'), live);
    expect(fcm.duplicates).toBe(0);
    await send(commandOf('c1'), live);
    await send(commandOf('c2'), live);
    expect(fcm.duplicates).toBe(1);
  });

  it('lets nobody in without the credential', async () => {
    const { fcm } = await rig();
    const stranger = new FcmProvider({
      ...fcm,
      credential: { getAccessToken: () => Promise.resolve({ access_token: 'guess', expires_in: 60 }) },
    });
    closers.push(() => stranger.close());
    const device = { deviceId: 'd1', kind: 'fcm', value: fcm.register({ dead: false }) };
    const answer = await stranger.deliver(commandOf('c1'), device, { attempt: 1, ttlMs: 1_000, signal: AbortSignal.timeout(10_000) });
    expect(answer.class).toBe('halt');
  });
});
