import { EvaluationError } from '../../src/core/condition.ts';
import type { Journey } from '../../src/core/journey.ts';
import type { Program, Tracker } from '../../src/core/program.ts';

const MINUTE = 60_000;
const keyOf = (name: string) => (event: { readonly properties: Readonly<Record<string, unknown>> }) => {
  const value = event.properties[name];
  return typeof value === 'string' ? value : null;
};

function journey(name: string, pattern: Journey['pattern'], more: Partial<Journey> = {}): Journey {
  return {
    ...{ name, pattern, key: null, capture: [], captureSession: true, cancelOn: [], expiresAfterMs: null, audience: null },
    reentry: { kind: 'always' },
    priority: null,
    shadow: false,
    moved: new Map(),
    steps: [
      {
        ...{ kind: 'send', name: 'remind', channels: ['push'], class: 'marketing', category: null, ttlMs: 60 * MINUTE, collapseKey: null },
        render: () => ({ title: name, body: 'hello', url: null, image: null }),
        data: () => ({}),
        whileActive: null,
        next: null,
      },
    ],
    ...more,
  };
}

/** A cart without purchase, per cart; a session that ended; a rule that throws for whoever asks for it. No device and no consent needed. */
export function shopProgram(overrides: Partial<Program> = {}): Program {
  const trackers: Tracker[] = [
    {
      id: 'cart',
      matches: ['cart_item_added'].map((type) => ({ type, where: null })),
      key: keyOf('cartId'),
      keepMs: 24 * 60 * MINUTE,
      cap: 8,
      restrains: true,
    },
    {
      id: 'bought',
      matches: [{ type: 'purchase_completed', where: null }],
      key: keyOf('cartId'),
      keepMs: 24 * 60 * MINUTE,
      cap: 8,
      restrains: true,
    },
  ];
  return {
    ...{
      name: 'test',
      hash: 'h',
      version: 0,
      app: 'test',
      sessionGapMs: 30 * MINUTE,
      activeMs: 2 * MINUTE,
      maxEventAgeMs: 24 * 60 * MINUTE,
      sums: [],
      trackers,
      tallies: [],
      timeZone: 'UTC',
    },
    eventTypes: new Map(
      ['page_viewed', 'cart_item_added', 'purchase_completed', 'explode'].map((type) => [type, { type, activity: true }]),
    ),
    journeys: [
      journey(
        'cart_abandoned',
        { kind: 'sequence', on: { type: 'cart_item_added', where: null }, links: [], withoutId: 'cart', withinMs: 60 * MINUTE },
        { key: keyOf('cartId'), cancelOn: [{ trackerId: 'bought', label: 'purchase_completed', goal: true }] },
      ),
      journey('session_over', { kind: 'session_ended', where: null, delayMs: 5 * MINUTE }),
      journey(
        'explosive',
        { kind: 'inactive', since: { type: 'explode', where: null }, forMs: 10 * MINUTE },
        {
          audience: ({ state }) => {
            if (state.userId.startsWith('broken')) throw new TypeError('a defect in a rule');
            if (state.userId.startsWith('unclear')) throw new EvaluationError('no such attribute');
            return true;
          },
        },
      ),
    ],
    classes: new Map([['marketing', { name: 'marketing', promise: 'at_most_once', needsConsent: false, capped: true }]]),
    categories: new Map(),
    channels: new Map([['push', { device: false }]]),
    caps: [],
    limits: { recentEventIds: 32, matchesPerJourney: 16, keysPerTracker: 64, ledger: 64, devices: 10, profileAttributes: 100 },
    ...overrides,
  };
}
