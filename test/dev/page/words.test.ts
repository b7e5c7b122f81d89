import { describe, expect, it } from 'vitest';
import { REASONS } from '../../../src/testing/expectations.ts';
import { checkWords, detailWords, eventWords, readable, reasonWords } from '../../../src/dev/page/words.ts';

describe('the page in words', () => {
  it.each([
    [{ type: 'product_viewed', properties: { name: 'Enamel kettle' } }, 'looked at Enamel kettle'],
    [{ type: 'purchase_completed', properties: { total: 79 } }, 'paid €79'],
    [{ type: 'checkout_started', properties: { total: 14.5 } }, 'went to the checkout with €14.50'],
    [{ type: '$consent', properties: { category: 'offers', state: 'out' } }, 'said no to offers'],
    [{ type: 'price_changed', properties: { name: 'Enamel kettle', price: 29, was: 39 } }, 'Enamel kettle fell to €29, was €39'],
    [{ type: 'price_changed', properties: { name: 'Enamel kettle', price: 39, was: 28.5 } }, 'Enamel kettle rose to €39, was €28.50'],
    [{ type: 'price_changed', properties: { price: 39 } }, 'a product costs €39 now'],
    [{ type: 'stock_changed', properties: { name: 'Enamel kettle', left: 3 } }, '3 left of Enamel kettle'],
    [{ type: 'stock_changed', properties: { name: 'Enamel kettle', left: 0 } }, 'Enamel kettle is sold out'],
    [{ type: 'stock_changed', properties: {} }, 'stock of a product changed'],
    [{ type: 'level_reached', properties: {} }, 'Level reached'],
    [{ type: 'product_viewed', properties: {} }, 'looked at a product'],
  ])('says what %j is', (event, words) => {
    expect(eventWords(event)).toBe(words);
  });

  it.each([
    ['purchase_completed, 3021 ms after the trigger (offset 12)', 'purchase completed, 3 s after the trigger'],
    ['marketing: 2 of 2 in 86400000 ms', 'marketing: 2 of 2 in 1 d'],
    ['entered 90000 ms ago, allowed every 3600000 ms', 'entered 2 min ago, allowed every 1 h'],
    ['1400 ms after it was due, limit 40 ms', '1 s after it was due, limit 40 ms'],
    ['', ''],
  ])('makes the detail %j readable', (detail, words) => {
    expect(detailWords(detail)).toBe(words);
  });

  it.each(REASONS)('has words of its own for the reason %s', (reason) => {
    expect(reasonWords(reason)).not.toBe(readable(reason));
  });

  it('shows a reason, a check or a name that it does not know as it is, made readable', () => {
    expect(reasonWords('moon_phase')).toBe('Moon phase');
    expect(checkWords('moon_phase')).toBe('Moon phase');
    expect(readable('')).toBe('');
    expect(readable('$')).toBe('$');
  });
});
