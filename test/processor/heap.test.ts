import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Heap } from '../../src/processor/heap.ts';

test('a heap gives the least item first, over any pushing and popping', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }))), (actions) => {
      const heap = new Heap<number>((a, b) => a - b);
      const model: number[] = [];
      for (const action of actions) {
        if (action === null) expect(heap.pop()).toBe(model.shift());
        else {
          heap.push(action);
          model.push(action);
          model.sort((a, b) => a - b);
        }
        expect(heap.peek()).toBe(model[0]);
        expect(heap.size).toBe(model.length);
      }
      expect(heap.drain().sort((a, b) => a - b)).toEqual(model);
      expect(heap.peek()).toBeUndefined();
    }),
  );
});
