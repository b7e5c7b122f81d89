import { randomBytes } from 'node:crypto';

/** An encrypted message on its way. */
export interface PushMessage {
  readonly version: string;
  readonly body: Buffer;
  readonly topic: string | null;
  readonly expiresAtMs: number;
}

export interface Subscription {
  /** The secret part of its endpoint. */
  readonly id: string;
  /** The application server key that it was made with, base64url; null where it was made without. */
  readonly key: string | null;
  /** Messages that were accepted and not yet confirmed, oldest first. */
  readonly waiting: PushMessage[];
  /** Hands a message to the device; false when it is not connected. */
  readonly hand: (message: PushMessage) => boolean;
}

/** What may be kept for a device that is away. */
const MAX_WAITING = 100;
/** Unsubscribed endpoints answer 410 for as long as they are remembered, then 404. */
const MAX_GONE = 10_000;

/** The subscriptions that this service gave out. */
export class Subscriptions {
  readonly #byId = new Map<string, Subscription>();
  readonly #gone = new Set<string>();

  get size(): number {
    return this.#byId.size;
  }

  add(key: string | null, hand: Subscription['hand']): Subscription {
    const subscription = { id: randomBytes(24).toString('base64url'), key, waiting: [], hand };
    this.#byId.set(subscription.id, subscription);
    return subscription;
  }

  find(id: string): Subscription | 'gone' | undefined {
    return this.#byId.get(id) ?? (this.#gone.has(id) ? 'gone' : undefined);
  }

  remove(id: string): void {
    if (!this.#byId.delete(id)) return;
    this.#gone.add(id);
    const [oldest] = this.#gone;
    if (this.#gone.size > MAX_GONE && oldest !== undefined) this.#gone.delete(oldest);
  }

  /** Keeps the message until it is confirmed, and hands it over where the device is there. A newer one of the same topic replaces it. */
  accept(subscription: Subscription, message: PushMessage): void {
    const { waiting } = subscription;
    const same = message.topic === null ? -1 : waiting.findIndex((other) => other.topic === message.topic);
    if (same >= 0) waiting.splice(same, 1);
    if (waiting.length >= MAX_WAITING) waiting.shift();
    waiting.push(message);
    const handed = subscription.hand(message);
    // A TTL of 0 means: now or never.
    if (!handed && message.expiresAtMs <= Date.now()) waiting.pop();
  }

  /** The device is back: everything that has not expired is handed over again. */
  resume(subscription: Subscription): void {
    const nowMs = Date.now();
    const fresh = subscription.waiting.filter((message) => message.expiresAtMs > nowMs);
    subscription.waiting.splice(0, Infinity, ...fresh);
    for (const message of fresh) subscription.hand(message);
  }

  confirm(subscription: Subscription, version: string): PushMessage | undefined {
    const at = subscription.waiting.findIndex((message) => message.version === version);
    return at < 0 ? undefined : subscription.waiting.splice(at, 1)[0];
  }
}
