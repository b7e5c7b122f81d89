import { afterEach, describe, expect, test } from 'vitest';
import { IngestProgress, type HoldObserver } from '../../src/ingest/progress.ts';
import type { Upstream } from '../../src/processor/upstream.ts';
import { IngestRig } from '../ingest/rig.ts';
import { shopProgram } from './programs.ts';
import { ProcessorRig, T0 } from './rig.ts';

const MINUTE = 60_000;
const cart = (userId: string) => ({ userId, eventId: `${userId}-cart`, type: 'cart_item_added', properties: { cartId: `${userId}-cart` } });
const bought = (userId: string) => ({ userId, type: 'purchase_completed', properties: { cartId: `${userId}-cart` } });

/** Holds everybody until it is opened. */
class Gate implements Upstream {
  asked = 0;
  #open = Promise.withResolvers<undefined>();

  drained(signal: AbortSignal): Promise<void> {
    this.asked++;
    return Promise.race([
      this.#open.promise,
      new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    ]);
  }

  open(): void {
    this.#open.resolve(undefined);
  }

  close(): void {
    this.#open = Promise.withResolvers<undefined>();
  }
}

describe('a tick that waits for ingest', () => {
  let rig: ProcessorRig;
  afterEach(() => rig.close());

  const ticks = async () =>
    (await rig.decoded(rig.topics.timeline, 'lull.v1.Control')).flatMap(({ tick }) => (tick === null ? [] : [tick.upTo]));
  const reminders = async () => (await rig.commands()).filter(({ journey }) => journey === 'cart_abandoned').map(({ userId }) => userId);

  test('is not appended, nor asked for again, while it is held, however long', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const gate = new Gate();
    rig.start({ upstream: gate });
    await rig.say(cart('ann'));
    await rig.settled();
    await rig.pass(5 * 60 * MINUTE, 10 * MINUTE);
    expect([await ticks(), gate.asked, await reminders()]).toEqual([[], 1, []]);
    await rig.say(bought('ann'));
    await rig.settled();
    gate.open();
    await rig.pass(1);
    expect(await reminders()).toEqual([]);
  });

  test('fires what is due at or before what its asker had read: one tick moves time, the next fires', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const gate = new Gate();
    rig.start({ upstream: gate });
    await rig.say(cart('ann'));
    await rig.settled();
    await rig.pass(60 * MINUTE);
    rig.clock.advance(30 * MINUTE);
    gate.open();
    await rig.settled();
    await rig.pass(1);
    // The first knows of nothing behind the cart; the second of the first.
    expect(await ticks()).toEqual([T0, T0 + 90 * MINUTE]);
    expect(await reminders()).toEqual(['ann']);
  });

  test('does not fire what came due while it was held: the next one waits again', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const gate = new Gate();
    rig.start({ upstream: gate });
    await rig.say(cart('ann'));
    await rig.settled();
    await rig.pass(60 * MINUTE);
    expect(gate.asked).toBe(1);
    // Time on the timeline moves on meanwhile, past the due time.
    rig.clock.advance(MINUTE);
    await rig.say({ userId: 'ann', type: 'page_viewed' });
    await rig.settled();
    gate.open();
    gate.close();
    await rig.pass(1);
    expect([await ticks(), gate.asked, await reminders()]).toEqual([[T0], 2, []]);
    gate.open();
    await rig.pass(1);
    expect(await reminders()).toEqual(['ann']);
  });

  test('a processor that is stopped does not wait for it', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const gate = new Gate();
    const { stop } = rig.start({ upstream: gate });
    await rig.say(cart('ann'));
    await rig.settled();
    await rig.pass(60 * MINUTE);
    expect(gate.asked).toBe(1);
    await stop();
    expect(await ticks()).toEqual([]);
  });

  test('an upstream that cannot be asked ends the task, which starts again and asks again', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    let asked = 0;
    const upstream: Upstream = { drained: () => (++asked === 1 ? Promise.reject(new Error('no broker')) : Promise.resolve()) };
    rig.start({ upstream });
    await rig.say(cart('ann'));
    await rig.settled();
    await rig.pass(60 * MINUTE);
    await rig.pass(10 * MINUTE, MINUTE);
    expect(asked).toBeGreaterThan(2);
    expect(await reminders()).toEqual(['ann']);
  });

  test('with ingest down for an hour, nobody is reminded of what they bought meanwhile, and the others are', async () => {
    rig = await new ProcessorRig(shopProgram()).create();
    const ingest = await new IngestRig(rig).create(3, { 'message.timestamp.type': 'LogAppendTime' });
    const observer: HoldObserver = { released: () => undefined, overdue: () => undefined, note: () => undefined };
    const { clock, prefix } = rig;
    const upstream = new IngestProgress({
      ...{ admin: rig.log.admin, prefix, clock, observer, maxHoldMs: MINUTE },
      sources: [{ name: 'visits', topic: ingest.topic }],
    });
    rig.start({ upstream });
    const first = ingest.start({ hasAppendTime: true });
    await ingest.append(...['ann', 'bob'].map((who) => ({ value: ingest.encode(who, 'cart_item_added', `${who}-cart`) })));
    await ingest.untilRead();
    await rig.settled();
    await rig.pass(30 * MINUTE, MINUTE);
    await first.stop();
    // An hour without ingest; the carts come due in the middle of it.
    await rig.pass(20 * MINUTE, MINUTE);
    await ingest.append({ value: ingest.encode('ann', 'purchase_completed', 'ann-cart') });
    await rig.pass(40 * MINUTE, MINUTE);
    expect(await reminders()).toEqual([]);
    const second = ingest.start({ hasAppendTime: true });
    await ingest.untilRead();
    await rig.pass(2 * MINUTE, 1_000);
    await second.stop();
    expect(await reminders()).toEqual(['bob']);
    expect(
      (await rig.decisions()).filter(({ journey }) => journey === 'cart_abandoned').map(({ userId, reason }) => [userId, reason]),
    ).toEqual(
      expect.arrayContaining([
        ['ann', 'goal'],
        ['bob', 'sent'],
      ]),
    );
  });
});
