import { expect, it } from 'vitest';
import { RestartBackoff } from '../../../src/cli/workers/backoff.ts';

it('a worker that ends waits 0.5 s for its next start, twice as long each time up to 30 s, and 0.5 s again once it ran for a minute', () => {
  const backoff = new RestartBackoff();
  expect(Array.from({ length: 8 }, () => backoff.next(59_999))).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(backoff.next(60_000)).toBe(500);
  expect(backoff.next(0)).toBe(1000);
});
