import type { Scalar } from '../../core/event.ts';
import type { Figures, DecisionView, EventView, PersonView, PushView } from '../tally/view.ts';

/** Human words for what the topics say. Reasons and event types are open sets: what is not known is shown as it is, made readable. */
export function eventWords({ type, properties }: Pick<EventView, 'type' | 'properties'>): string {
  const text = (name: string, otherwise: string): string => scalar(properties[name]) ?? otherwise;
  switch (type) {
    case 'app_opened':
      return 'opened the app';
    case 'page_viewed':
      return `went to ${text('path', 'a page')}`;
    case 'product_viewed':
      return `looked at ${text('name', 'a product')}`;
    case 'cart_item_added':
      return `put ${text('name', 'something')} in the cart`;
    case 'cart_item_removed':
      return `took ${text('sku', 'something')} out of the cart`;
    case 'checkout_started':
      return `went to the checkout with ${money(properties['total'])}`;
    case 'purchase_completed':
      return `paid ${money(properties['total'])}`;
    case 'price_changed':
      return `${text('name', 'a product')} ${priceWords(properties['price'], properties['was'])}`;
    case 'stock_changed':
      return stockWords(text('name', 'a product'), properties['left']);
    case '$profile':
      return 'signed in';
    case '$device_added':
      return `added a ${channelWords(text('kind', 'push'))} device`;
    case '$device_removed':
      return 'removed a device';
    case '$device_unreachable':
      return 'lost a device: its push service no longer knows it';
    case '$accepted':
      return 'message accepted by the push service';
    case '$undelivered':
      return 'message not delivered';
    case '$consent':
      return `${properties['state'] === 'in' ? 'agreed to' : 'said no to'} ${text('category', 'messages')}`;
    default:
      return readable(type);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  sent: 'Every check passed',
  goal: 'Did it without being asked',
  suppressed: 'Something came first that made it pointless',
  expired: 'Too late to be of use',
  audience: 'Not somebody this is for',
  consent: 'Has not agreed to messages like this',
  permission: 'Notifications are switched off',
  no_device: 'No device that can be reached',
  active: 'Was in the app just then',
  duplicate: 'Was decided before',
  reentry: 'Had this one not long ago',
  cap: 'Had enough messages for now',
  priority: 'Something more important went out at the same moment',
  condition_error: 'A condition could not be worked out',
  render_error: 'The message could not be written',
  limit: 'Too much is waiting already',
  shadow: 'Would have been sent, but the journey only looks on so far',
  exit: 'The journey ends here for them',
  step_removed: 'The step where it waited was taken out',
  journey_removed: 'The journey was taken out',
};

/** Why it was sent or not, in a few words. */
export function reasonWords(reason: string): string {
  return REASONS[reason] ?? readable(reason);
}

/** The gate's checks, as what holds when they pass. */
const CHECKS: Readonly<Record<string, string>> = {
  goal: 'The goal is not reached yet',
  suppressor: 'Nothing came first',
  expiry: 'Still in time',
  audience: 'Meant for this person',
  consent: 'Agreed to messages like this',
  permission: 'The device allows it',
  device: 'A device can be reached',
  active: 'Not in the app',
  duplicate: 'Not decided before',
  reentry: 'Not too soon after the last one',
  cap: 'Within the limits',
  priority: 'Nothing more important at the same moment',
  condition: 'The condition can be worked out',
  render: 'The message can be written',
  limit: 'There is room to wait',
  mode: 'The journey is live',
  suppressed: 'Nothing came first',
  exit: 'The journey goes on for them',
  step_removed: 'The step where it waited is there',
  journey_removed: 'The journey is there',
};

export function checkWords(name: string): string {
  return CHECKS[name] ?? readable(name);
}

/** `purchase_completed, 3021 ms after the trigger (offset 12)` -> `purchase completed, 3 s after the trigger`. */
export function detailWords(detail: string): string {
  return detail
    .replace(/\s*\(offset \d+\)/g, '')
    .replace(/\b(\d+) ms\b/g, (_, ms: string) => durationWords(Number(ms)))
    .replace(/\b[a-z]+(?:_[a-z]+)+\b/g, (name) => name.replaceAll('_', ' '));
}

function durationWords(ms: number): string {
  const units = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1_000, 's'],
  ] as const;
  const [unitMs, unit] = units.find(([unitMs]) => ms >= (unitMs === 1_000 ? 1 : 1.5) * unitMs || ms === unitMs) ?? [1, 'ms'];
  return `${Math.round(ms / unitMs)} ${unit}`;
}

const ENDS: Readonly<Record<string, string>> = {
  device_dead: 'The device is gone',
  dead_device: 'The device is gone',
  unreachable: 'The device is gone',
  revoked: 'Called back before it left',
  expired: 'Too late to be of use',
  superseded: 'A newer message took its place',
  unknown: 'The provider never answered',
  dropped: 'Refused by the provider',
};

export function undeliveredWords(reason: string): string {
  return ENDS[reason] ?? readable(reason);
}

/** `cart_abandoned` -> `Cart abandoned` */
export function readable(name: string): string {
  const words = name.replace(/^\$/, '').replace(/[_-]+/g, ' ').trim();
  return words === '' ? name : words[0]!.toUpperCase() + words.slice(1);
}

export function channelWords(channel: string): string {
  return { webpush: 'Web Push', fcm: 'FCM', apns: 'APNs' }[channel] ?? readable(channel);
}

function scalar(value: Scalar | undefined): string | null {
  return value === undefined || value === null || value === '' ? null : String(value);
}

function money(value: Scalar | undefined): string {
  return typeof value === 'number' ? `€${value.toFixed(2).replace(/\.00$/, '')}` : 'something';
}

function priceWords(price: Scalar | undefined, was: Scalar | undefined): string {
  if (typeof price !== 'number' || typeof was !== 'number') return `costs ${money(price)} now`;
  return `${price < was ? 'fell' : 'rose'} to ${money(price)}, was ${money(was)}`;
}

function stockWords(name: string, left: Scalar | undefined): string {
  if (typeof left !== 'number') return `stock of ${name} changed`;
  return left > 0 ? `${left} left of ${name}` : `${name} is sold out`;
}

export interface Worded {
  readonly figures: (figures: Figures) => unknown;
  readonly person: (person: PersonView) => unknown;
  readonly event: (event: EventView) => unknown;
  readonly decision: (decision: DecisionView) => unknown;
  readonly push: (push: PushView) => unknown;
}

/** Adds the words to what the tally gives; the page's script shows them and has none of its own. */
export const worded: Worded = {
  figures: (figures) => ({
    ...figures,
    heldBack: Object.values(figures.rejected).reduce((sum, n) => sum + n, 0),
    notDelivered: Object.values(figures.undelivered).reduce((sum, n) => sum + n, 0),
  }),
  person: (person) => ({
    ...person,
    waits: person.waits.map((wait) => ({ ...wait, words: readable(wait.journey) })),
    devices: person.devices.map((device) => ({ ...device, words: channelWords(device.kind) })),
  }),
  event: (event) => ({ ...event, words: eventWords(event) }),
  decision: (decision) => ({
    ...decision,
    words: readable(decision.journey),
    why: decision.sent ? reasonWords('sent') : reasonWords(decision.reason),
    checks: decision.checks.map((check) => ({ ...check, words: checkWords(check.name), detail: detailWords(check.detail) })),
    via: decision.channel === null ? null : channelWords(decision.channel),
  }),
  push: (push) => ({
    ...push,
    words: readable(push.journey),
    via: channelWords(push.channel),
    why: push.reason === null ? null : undeliveredWords(push.reason),
  }),
};
