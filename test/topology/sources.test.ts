import { describe, expect, test } from 'vitest';
import type { Mapped, Source, SourceRecord } from '../../src/core/source.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';
import { compileSmall, inFolder, SMALL } from './small.ts';

const EVENTS = `
watched: { properties: { percent: long } }
purchase_completed: { properties: { orderId: string, total: double, items: long?, gift: boolean? } }
order_placed: { properties: { orderId: string } }
price_changed: { item: sku, activity: false, properties: { sku: string, price: double } }
`;

const T0 = Date.UTC(2026, 0, 5, 9, 0, 0);

function yaml(...lines: readonly string[]): string {
  return [
    SMALL['topology.yaml']!.trimEnd(),
    'params: { paid: PAID }',
    'sources:',
    '  orders:',
    ...lines.map((line) => `    ${line}`),
    '',
  ].join('\n');
}

const JOURNEY = SMALL['journeys/main.yaml']!.replace('data: { show: trigger.show }', 'data: { percent: trigger.percent }');
const files = (...lines: readonly string[]) => ({ 'topology.yaml': yaml(...lines), 'events.yaml': EVENTS, 'journeys/main.yaml': JOURNEY });

const ORDERS = [
  'topic: shop.orders',
  'user: value.customer.id',
  'when: value.status == params.paid',
  'event: purchase_completed',
  'time: value.paidAt',
  'properties: { orderId: value.orderId, total: value.amount, items: value.items }',
];

function sourceOf(...lines: readonly string[]): Source {
  const { sources } = compileSmall(files(...lines));
  return sources[0]!;
}

/** An entry of `ORDERS` replaced. */
function ordersWith(line: string): string[] {
  const key = line.slice(0, line.indexOf(':') + 1);
  return ORDERS.some((old) => old.startsWith(key)) ? ORDERS.map((old) => (old.startsWith(key) ? line : old)) : [...ORDERS, line];
}

/** As the decoder gives it. */
const map = (fields: Readonly<Record<string, unknown>>): ReadonlyMap<string, unknown> => new Map(Object.entries(fields));

const PAID = {
  ...{ status: 'PAID', orderId: 'o-1', amount: 59.9, items: 3n, paidAt: new Date(T0 - 1000), coupon: null },
  customer: map({ id: 'ann' }),
};

function record(fields: Readonly<Record<string, unknown>> = {}, more: Partial<SourceRecord> = {}): SourceRecord {
  const where = { topic: 'shop.orders', partition: 2, offset: 7, timeMs: T0, key: 'k', headers: new Map([['tenant', 'de']]) };
  return { ...where, schema: 'shop.Order', value: map({ ...PAID, ...fields }), ...more };
}

function reasonOf(mapped: Mapped): string {
  return mapped.kind === 'refused' ? mapped.reason : mapped.kind;
}

describe('a source', () => {
  test('makes an event of a record', () => {
    expect(sourceOf(...ORDERS).map(record())).toEqual({
      kind: 'event',
      event: {
        ...{ eventId: 'shop.orders/2/7/purchase_completed', userId: 'ann', type: 'purchase_completed', occurredAt: T0 - 1000 },
        properties: { orderId: 'o-1', total: 59.9, items: 3 },
      },
    });
  });

  test('leaves what `when` does not want', () => {
    expect(sourceOf(...ORDERS).map(record({ status: 'OPEN' }))).toEqual({ kind: 'filtered' });
  });

  test('takes user and id from whole numbers of any size, and the time from milliseconds or the record', () => {
    const lines = ordersWith('user: value.account').concat('id: value.number');
    const mapped = sourceOf(...lines).map(record({ account: 2n ** 63n - 1n, number: 12n, paidAt: BigInt(T0) }));
    expect(mapped).toMatchObject({ event: { userId: '9223372036854775807', eventId: '12', occurredAt: T0 } });
    const untimed = sourceOf(...ORDERS.filter((line) => !line.startsWith('time:'))).map(record());
    expect(untimed).toMatchObject({ event: { occurredAt: T0 } });
  });

  test('reads key, headers, record and params', () => {
    const mapped = sourceOf(
      ...ordersWith('user: key + "@" + headers.tenant').map((line) =>
        line.startsWith('properties')
          ? 'properties: { orderId: "record.schema + \'/\' + record.topic + params.paid", total: record.offset, items: record.time }'
          : line,
      ),
    ).map(record());
    expect(mapped).toMatchObject({
      event: { userId: 'k@de', properties: { orderId: 'shop.Order/shop.ordersPAID', total: 7, items: T0 } },
    });
  });

  test('leaves out a property that may be missing where it is null, and refuses one that may not', () => {
    expect(sourceOf(...ORDERS).map(record({ items: null }))).toMatchObject({ event: { properties: { orderId: 'o-1', total: 59.9 } } });
    expect(reasonOf(sourceOf(...ORDERS).map(record({ orderId: null })))).toBe('property_missing');
  });

  test.each([
    ['property_type', { orderId: 7n }],
    ['property_type', { amount: '59.90' }],
    ['property_type', { items: 3.5 }],
    ['property_type', { amount: map({}) }],
    ['long_over_2_53', { items: 2n ** 53n }],
    ['no_user', { customer: map({ id: null }) }],
    ['no_user', { customer: map({ id: '' }) }],
    ['no_user', { customer: map({ id: 1.5 }) }],
    ['expression_failed', { customer: map({}) }],
    ['expression_failed', { customer: null }],
    ['no_time', { paidAt: 'yesterday' }],
    ['no_time', { paidAt: 2n ** 62n }],
  ])('refuses, as %s, %o', (reason, fields) => {
    const mapped = sourceOf(...ORDERS).map(record(fields));
    expect(reasonOf(mapped)).toBe(reason);
  });

  test('says where an expression failed, and no value of the record', () => {
    const mapped = sourceOf(...ORDERS).map(record({ customer: map({ secret: 'x' }) }));
    expect(mapped).toEqual({
      ...{ kind: 'refused', reason: 'expression_failed' },
      detail: 'topology.yaml:8:11: a value is missing (value.customer.id)',
    });
  });

  test('a record without a value is refused, unless `when` knows of such', () => {
    const tombstone = record({}, { value: null });
    expect(reasonOf(sourceOf(...ORDERS).map(tombstone))).toBe('expression_failed');
    const careful = sourceOf(...ordersWith('when: value != null && value.status == "PAID"'));
    expect(careful.map(tombstone)).toEqual({ kind: 'filtered' });
    expect(careful.map(record()).kind).toBe('event');
  });

  test('reads lists and what may not be there, with CEL', () => {
    const lines = ordersWith(
      `properties: { orderId: value.orderId, total: 'has(value.discount) ? value.amount - value.discount : value.amount', items: 'size(value.lines.filter(line, line.sku != "gift"))', gift: 'coalesce(value.isGift, value.lines.exists(line, line.sku == "gift"))' }`,
    );
    const source = sourceOf(...lines);
    const ordered = [map({ sku: 'lamp' }), map({ sku: 'gift' })];
    expect(source.map(record({ lines: ordered }))).toMatchObject({ event: { properties: { total: 59.9, items: 1, gift: true } } });
    expect(source.map(record({ lines: [], discount: 9.9, isGift: true }))).toMatchObject({
      event: { properties: { total: 50, items: 0, gift: true } },
    });
    expect(source.map(record({ lines: [], isGift: null }))).toMatchObject({ event: { properties: { gift: false } } });
  });

  test('computes the type, and gives each its own properties', () => {
    const source = sourceOf(
      'topic: shop.orders',
      'user: value.customer.id',
      'event: { cel: \'value.status == "PAID" ? "purchase_completed" : value.status == "OPEN" ? "order_placed" : "else"\' }',
      'properties: { orderId: value.orderId, total: value.amount }',
    );
    expect(source.map(record())).toMatchObject({ event: { type: 'purchase_completed', properties: { orderId: 'o-1', total: 59.9 } } });
    expect(source.map(record({ status: 'OPEN', amount: 'not looked at' }))).toMatchObject({
      event: { type: 'order_placed', eventId: 'shop.orders/2/7/order_placed', properties: { orderId: 'o-1' } },
    });
    expect(reasonOf(source.map(record({ status: '' })))).toBe('unknown_event_type');
  });

  test('writes reserved events of the product, attributes of any type and their deletion included', () => {
    const profile = sourceOf(
      'topic: crm',
      'user: key',
      'event: $profile',
      'properties: { plan: value.plan, seats: value.seats, coupon: value.coupon }',
    );
    expect(profile.map(record({ plan: 'pro', seats: 5n }))).toMatchObject({
      event: { type: '$profile', userId: 'k', properties: { plan: 'pro', seats: 5, coupon: null } },
    });
    const consent = sourceOf('topic: crm', 'user: key', 'event: $consent', 'properties: { category: value.status, state: value.state }');
    expect(consent.map(record({ state: 'in' }))).toMatchObject({ event: { properties: { category: 'PAID', state: 'in' } } });
  });

  test('changes the hash of its topology, which a description does not', () => {
    const hashOf = (...lines: readonly string[]): string => compileSmall(files(...lines)).program.hash;
    expect(hashOf(...ORDERS, 'description: Orders')).toBe(hashOf(...ORDERS));
    expect(hashOf(...ordersWith('topic: other'))).not.toBe(hashOf(...ORDERS));
  });
});

const PRICES = [
  'topic: shop.prices',
  'item: value.article',
  'event: price_changed',
  'time: value.at',
  'properties: { price: value.price }',
];
const PRICE = { article: 'lamp', price: 9n, at: new Date(T0 - 1000) };
const priceRecord = (fields: Readonly<Record<string, unknown>> = {}) => record({}, { value: map({ ...PRICE, ...fields }) });

describe('the source of an item', () => {
  test('makes a change of a record, and need not say the item twice', () => {
    expect(sourceOf(...PRICES).map(priceRecord())).toEqual({
      kind: 'change',
      change: {
        ...{ eventId: 'shop.orders/2/7/price_changed', itemId: 'lamp', type: 'price_changed', occurredAt: T0 - 1000 },
        properties: { price: 9 },
      },
    });
  });

  test('takes the item from a whole number, and refuses a record without one', () => {
    expect(sourceOf(...PRICES).map(priceRecord({ article: 12n }))).toMatchObject({ change: { itemId: '12' } });
    for (const article of [null, '', 1.5]) expect(reasonOf(sourceOf(...PRICES).map(priceRecord({ article })))).toBe('no_item');
  });

  test('computes the type among the changes of items alone', () => {
    const source = sourceOf(...PRICES.map((line) => (line.startsWith('event') ? 'event: { cel: value.kind }' : line)));
    expect(source.map(priceRecord({ kind: 'price_changed' })).kind).toBe('change');
    expect(reasonOf(source.map(priceRecord({ kind: 'order_placed' })))).toBe('unknown_event_type');
  });

  test('may be of a user all the same, who is told of it alone', () => {
    const source = sourceOf(
      'topic: shop.prices',
      'user: key',
      'event: price_changed',
      'properties: { sku: value.article, price: value.price }',
    );
    expect(source.map(priceRecord())).toMatchObject({ kind: 'event', event: { userId: 'k', properties: { sku: 'lamp', price: 9 } } });
  });
});

describe('a mistake in a source is found', () => {
  const problemsOf = (lines: readonly string[]): string[] =>
    inFolder({ ...SMALL, ...files(...lines) }, (folder) => {
      const compiled = compileTopology(folder, { app: 'test' });
      return (compiled.ok ? [] : compiled.errors).map((issue) => formatIssue(issue).slice(folder.length + 1));
    });

  test.each<[string, readonly string[], readonly string[]]>([
    [
      'a misspelt event',
      ordersWith('event: purchase_complete'),
      ['topology.yaml:10:12: error: there is no event `purchase_complete` that a source can write\n    did you mean `purchase_completed`?'],
    ],
    [
      "an event of Lull's own senders",
      ordersWith('event: $accepted'),
      [
        'topology.yaml:10:12: error: there is no event `$accepted` that a source can write\n    events: $profile, $device_added, $device_removed, $consent, $delivered, $opened, $clicked, $dismissed',
      ],
    ],
    [
      'a property that the event does not have',
      ordersWith('properties: { orderId: value.orderId, total: value.amount, itms: 3 }'),
      ['topology.yaml:12:64: error: `purchase_completed` has no property `itms`\n    did you mean `items`?'],
    ],
    [
      'a property that is missing',
      ordersWith('properties: { orderId: value.orderId }'),
      [
        'topology.yaml:12:5: error: `total` of `purchase_completed` is not mapped\n    add it under `properties`, or declare it as double? in events.yaml',
      ],
    ],
    [
      'a property of the wrong type, where that is known',
      ordersWith('properties: { orderId: record.offset, total: value.amount }'),
      ['topology.yaml:12:28: error: `orderId` is a string, this is a long'],
    ],
    [
      'a field that a record does not have',
      ordersWith('time: record.tme'),
      ['topology.yaml:11:18: error: `record` has no property `tme`\n    did you mean `time`?'],
    ],
    [
      'something that is not there',
      ordersWith('user: event.userId'),
      ['topology.yaml:8:11: error: `event` is not known here\n    here you can read: value, key, headers, record, params'],
    ],
    [
      'what is no CEL',
      ordersWith('when: value.status = "PAID"'),
      ['topology.yaml:9:24: error: this is not CEL: a single =\n    compare with =='],
    ],
    ['a condition that is none', ordersWith('when: record.offset'), ['topology.yaml:9:11: error: `when` is true or false, this is a long']],
    [
      'an empty condition',
      ordersWith("when: ''"),
      ['topology.yaml:9:11: error: an empty condition matches nothing\n    leave it away to take every record'],
    ],
    [
      'a missing topic',
      ORDERS.slice(1),
      [
        "topology.yaml:6:3: error: `topic` is missing in `orders`\n    topic: The topic; values are Avro in the registry's framing, of any schema. A source that is to read another topic gets another name.",
      ],
    ],
    [
      'neither whose event it is nor of which item',
      ORDERS.filter((line) => !line.startsWith('user:')),
      [
        'topology.yaml:6:3: error: `user` or `item` is missing\n    `user`: whose event it is; `item`: of which item it is a change, for everybody who is interested in it',
      ],
    ],
    [
      'both a user and an item',
      [...PRICES, 'user: key'],
      [
        'topology.yaml:8:5: error: `user` and `item` are there, and only one can be\n    `user`: whose event it is; `item`: of which item it is a change, for everybody who is interested in it',
      ],
    ],
    [
      'an event of a user where there is an item',
      PRICES.map((line) => (line.startsWith('event') ? 'event: order_placed' : line)),
      ['topology.yaml:9:12: error: there is no event `order_placed` that the source of an item can write\n    events: price_changed'],
    ],
    [
      'a time that is none',
      ordersWith('time: key + "x"'),
      ['topology.yaml:11:11: error: `time` is a time, or milliseconds since 1970, this is a string'],
    ],
  ])('%s', (_name, lines, problems) => {
    expect(problemsOf(lines)).toEqual(problems);
  });
});
