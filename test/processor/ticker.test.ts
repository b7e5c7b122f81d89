import { describe, expect, test } from 'vitest';
import type { Clock } from '../../src/engine/stage.ts';
import { Ticker } from '../../src/processor/ticker.ts';

function rig() {
  /** `setMs`: by how much the wall clock was set. */
  const clock: Clock & { ms: number; setMs: number } = {
    ...{ ms: 1_000, setMs: 0 },
    ...{ nowMs: () => clock.ms + clock.setMs, monotonicMs: () => clock.ms, at: () => () => undefined },
  };
  return { clock, ticker: new Ticker(clock, 10_000) };
}

describe('the ticker', () => {
  test('wakes at the earliest due time, and not at all when nothing is due', () => {
    const { ticker } = rig();
    expect(ticker.wakeMs).toBeNull();
    ticker.schedule(5_000, 900);
    expect(ticker.wakeMs).toBe(5_000);
  });

  test('has one tick on its way, and asks again only when it was not read back in time', () => {
    const { clock, ticker } = rig();
    ticker.schedule(1_000, 900);
    ticker.asked();
    expect(ticker.wakeMs).toBe(11_000);
    clock.ms = 1_020;
    ticker.schedule(7_000, 1_010);
    ticker.read(1_010);
    expect(ticker.wakeMs).toBe(7_000);
  });

  test('waits for the difference when the broker is behind, instead of a storm', () => {
    const { clock, ticker } = rig();
    clock.ms = 5_000;
    ticker.schedule(5_000, 900);
    ticker.asked();
    clock.ms = 5_010;
    // The broker's clock said 2,000 when the tick was appended.
    ticker.schedule(5_000, 2_000);
    ticker.read(2_000);
    expect(ticker.wakeMs).toBe(8_010);
  });

  test('asks at once for the timers that a full tick left over, whatever the wall clock says', () => {
    const { ticker } = rig();
    ticker.schedule(4_000, 4_500);
    expect(ticker.wakeMs).toBe(0);
  });

  test('wakes earlier by as much as the log says that the wall clock is behind, at least', () => {
    const { clock, ticker } = rig();
    // Appended at 41,000 by the broker's clock, when ours said 1,000.
    ticker.schedule(50_000, 41_000);
    expect(ticker.wakeMs).toBe(10_000);
    // Nothing new was read: what our clock says meanwhile does not make it less wrong.
    clock.ms = 5_000;
    ticker.schedule(60_000, 41_000);
    expect(ticker.wakeMs).toBe(20_000);
    // It was set right. A tick that comes too early because of that says so.
    clock.ms = 46_000;
    ticker.asked();
    clock.ms = 46_010;
    ticker.schedule(60_000, 46_005);
    ticker.read(46_005);
    expect(ticker.wakeMs).toBe(60_005);
  });

  test('waits no longer for a clock that is set back meanwhile, and knows from a tick whether that was right', () => {
    const { clock, ticker } = rig();
    clock.setMs = 30_000;
    ticker.schedule(5_000, 1_000);
    ticker.asked();
    clock.ms = 1_010;
    ticker.schedule(5_000, 1_005);
    ticker.read(1_005);
    expect(ticker.wakeMs! - clock.nowMs()).toBe(3_995);
    clock.ms = 2_000;
    clock.setMs = 0;
    expect(ticker.wakeMs! - clock.nowMs()).toBe(3_005);
    // A tick that is on its way is waited for as long as it was.
    ticker.asked();
    clock.setMs = -60_000;
    clock.ms = 4_000;
    expect(ticker.wakeMs! - clock.nowMs()).toBe(8_000);
    ticker.schedule(5_000, 1_010);
    expect(ticker.wakeMs! - clock.nowMs()).toBe(8_000);
  });

  test('knows from a tick that came too early how far its clock is ahead, also for what is due before that', () => {
    const { clock, ticker } = rig();
    clock.ms = 90_000;
    ticker.schedule(80_000, 900);
    ticker.asked();
    clock.ms = 90_010;
    ticker.schedule(80_000, 10_000);
    ticker.read(10_000);
    expect(ticker.wakeMs).toBe(160_010);
    ticker.schedule(13_000, 10_500);
    expect(ticker.wakeMs).toBe(92_510);
    // The clock is set right: the next record shows it.
    clock.ms = 11_005;
    ticker.schedule(13_000, 11_000);
    expect(ticker.wakeMs).toBe(13_005);
  });

  test('asks for nothing while a tick is held, whatever is read and armed meanwhile', () => {
    const { clock, ticker } = rig();
    ticker.schedule(1_000, 900);
    ticker.held();
    expect(ticker.wakeMs).toBeNull();
    clock.ms = 60_000;
    ticker.schedule(500, 59_000);
    expect(ticker.wakeMs).toBeNull();
    // Another's, asked for before it lost the partition.
    ticker.read(59_500);
    expect(ticker.wakeMs).toBeNull();
    ticker.asked();
    expect(ticker.wakeMs).toBe(70_000);
    ticker.read(60_010);
    ticker.schedule(500, 60_010);
    expect(ticker.wakeMs).toBe(0);
  });
});
