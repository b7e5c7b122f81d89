import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RowCache } from '../../src/processor/row-cache.ts';

test('gives for every key what was set last, or nothing', () => {
  const action = fc.record({ key: fc.integer({ min: 0, max: 8 }), bytes: fc.option(fc.uint8Array({ maxLength: 30 }), { freq: 4 }) });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 300 }), fc.integer({ min: 0, max: 200 }), (actions, bytes) => {
      const cache = new RowCache(bytes);
      const model = new Map<string, Buffer>();
      for (const { key, bytes: value } of actions) {
        const name = `k${key}`;
        const cached = cache.get(name);
        if (cached !== undefined) expect(cached).toEqual(model.get(name));
        if (value === null) {
          cache.delete(name);
          model.delete(name);
          expect(cache.get(name)).toBeUndefined();
        } else {
          cache.set(name, Buffer.from(value));
          model.set(name, Buffer.from(value));
          if (value.length <= Math.floor(bytes / 2)) expect(cache.get(name)).toEqual(model.get(name));
          else expect(cache.get(name)).toBeUndefined();
        }
      }
    }),
    { numRuns: 500 },
  );
});

test('keeps what is asked for again, and forgets what is not', () => {
  const cache = new RowCache(200);
  const row = Buffer.alloc(10, 7);
  cache.set('hot', row);
  cache.set('cold', row);
  for (let i = 0; i < 50; i++) {
    cache.set(`passing-${i}`, row);
    expect(cache.get('hot')).toEqual(row);
  }
  expect(cache.get('cold')).toBeUndefined();
  expect(cache.get('passing-49')).toEqual(row);
});
