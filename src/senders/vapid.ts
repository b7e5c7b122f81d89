import webpush from 'web-push';

export interface VapidKey {
  /** Uncompressed P-256 point, base64url. */
  readonly publicKey: string;
  readonly privateKey: string;
}

export interface VapidOptions {
  /** `mailto:` or `https:`; push services write there when something is wrong. */
  readonly subject: string;
  /** The current key first; older ones stay for the subscriptions that were made with them. */
  readonly keys: readonly [VapidKey, ...VapidKey[]];
}

const LIFE_MS = 11 * 3_600_000;
const RENEW_BEFORE_MS = 3_600_000;
const MAX_CACHED = 200;

/**
 * `Authorization` headers of RFC 8292. Signing costs as much CPU as encrypting a message, so one token serves an origin until shortly before it
 * expires; services refuse tokens that live longer than 24 h, and some longer than 12 h.
 */
export class Vapid {
  readonly #options: VapidOptions;
  readonly #nowMs: () => number;
  readonly #tokens = new Map<string, { readonly header: string; readonly expiresAtMs: number }>();

  /** @throws Error when a key or the subject is not what RFC 8292 asks for */
  constructor(options: VapidOptions, nowMs: () => number) {
    this.#options = options;
    this.#nowMs = nowMs;
    // web-push checks keys and subject only when it signs: sign once now, so that a bad key stops the start and not the first message.
    for (const key of options.keys) this.#sign('https://fcm.googleapis.com', key, nowMs());
  }

  /** The key a subscription was made with; undefined when we no longer have it. */
  keyOf(applicationServerKey: string | undefined): VapidKey | undefined {
    if (applicationServerKey === undefined) return this.#options.keys[0];
    return this.#options.keys.find((key) => key.publicKey === applicationServerKey);
  }

  authorization(origin: string, key: VapidKey): string {
    const id = `${origin} ${key.publicKey}`;
    const now = this.#nowMs();
    const cached = this.#tokens.get(id);
    if (cached !== undefined && cached.expiresAtMs - RENEW_BEFORE_MS > now) return cached.header;
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size >= MAX_CACHED && oldest !== undefined) this.#tokens.delete(oldest);
    const header = this.#sign(origin, key, now);
    this.#tokens.set(id, { header, expiresAtMs: now + LIFE_MS });
    return header;
  }

  /** A service refused the token: the next one is signed anew. */
  forget(origin: string, key: VapidKey): void {
    this.#tokens.delete(`${origin} ${key.publicKey}`);
  }

  #sign(origin: string, key: VapidKey, nowMs: number): string {
    const expiresAtS = Math.floor((nowMs + LIFE_MS) / 1_000);
    const { subject } = this.#options;
    return webpush.getVapidHeaders(origin, subject, key.publicKey, key.privateKey, 'aes128gcm', expiresAtS).Authorization;
  }
}
