import { beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/engine/stage.ts';
import { Warmups } from '../../src/engine/warmups.ts';

/** Time moves when the test says so. */
class HandClock implements Clock {
  #nowMs = 1_000_000;
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, callback: () => void): () => void {
    const timer = { atMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  pass(ms: number): void {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#timers.delete(timer);
      timer.callback();
    }
  }
}

let clock: HandClock;
let asked: number;
let warmups: Warmups;

beforeEach(() => {
  clock = new HandClock();
  asked = 0;
  warmups = new Warmups(clock, () => asked++);
});

test('a new generation is asked for at once when all have caught up', () => {
  warmups.begin([1, 2]);
  warmups.caughtUp(1);
  clock.pass(1_000);
  expect(asked).toBe(0);
  warmups.caughtUp(2);
  clock.pass(0);
  expect(asked).toBe(1);
});

test('one that has caught up does not wait for the others for longer than some seconds', () => {
  warmups.begin([1, 2]);
  warmups.caughtUp(1);
  clock.pass(9_000);
  warmups.caughtUp(1);
  expect(asked).toBe(0);
  clock.pass(1_000);
  expect(asked).toBe(1);
});

test('who is told to wait again does not ask again at once', () => {
  const caughtUp = (): void => {
    warmups.begin([1]);
    warmups.caughtUp(1);
  };
  caughtUp();
  clock.pass(0);
  expect(asked).toBe(1);
  for (const times of [2, 3]) {
    caughtUp();
    clock.pass(9_999);
    expect(asked).toBe(times - 1);
    clock.pass(1);
    expect(asked).toBe(times);
  }
});

test('what is not waited for, and what comes after the end, asks for nothing', () => {
  warmups.begin([1]);
  warmups.caughtUp(2);
  warmups.caughtUp(1);
  warmups.end();
  clock.pass(60_000);
  expect(asked).toBe(0);
});
