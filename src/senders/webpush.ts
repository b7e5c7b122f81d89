import { createHash } from 'node:crypto';
import webpush from 'web-push';
import type { SendCommand, TargetDevice } from '../core/output.ts';
import { HttpClient } from './http.ts';
import type { Answer, DeliverOptions, Provider } from './provider.ts';
import { RunLength } from './run-length.ts';
import { SsrfGuard, type SsrfGuardOptions } from './ssrf-guard.ts';
import { parseSubscription, type Subscription } from './subscription.ts';
import { transportAnswer } from './transport-answer.ts';
import { Vapid, type VapidKey, type VapidOptions } from './vapid.ts';
import { webPushVerdict } from './webpush-answer.ts';

export interface WebPushOptions {
  readonly vapid: VapidOptions;
  /** Which endpoints may be called at all. */
  readonly guard?: SsrfGuardOptions;
  /** Sockets per push service, opened as they are needed. Default 128. */
  readonly connections?: number;
  /** Default 10,000. */
  readonly deadlineMs?: number;
  /** Longest plaintext, in bytes. Default 3,000; services take at least 3,993 (RFC 8291). */
  readonly maxPlaintextBytes?: number;
  /** For tests. Default the wall clock. */
  readonly nowMs?: () => number;
}

const LONGEST_TTL_S = 2_419_200;
/** Refusals of our key, or for no reason given, in a row and without one success between, that stop the sender. */
const HALT_AFTER = 5;

/**
 * Web Push (RFC 8030, 8291, 8292). `web-push` encrypts and signs; the request is ours, because the library takes any host, has no deadline and
 * reads replies without end.
 *
 * The device's value is a subscription as JSON. Its endpoint is a URL that a client gave us and a credential: it goes through the guard
 * and never into a message, a log or an answer.
 */
export class WebPushProvider implements Provider {
  readonly name = 'webpush';
  readonly #vapid: Vapid;
  readonly #guard: SsrfGuard;
  readonly #http: HttpClient;
  /** For the one development origin, with its own authority. */
  readonly #devHttp: HttpClient | undefined;
  readonly #maxPlaintextBytes: number;
  readonly #nowMs: () => number;
  readonly #refusals = new RunLength(HALT_AFTER);

  constructor(options: WebPushOptions) {
    this.#nowMs = options.nowMs ?? Date.now;
    this.#vapid = new Vapid(options.vapid, this.#nowMs);
    this.#guard = new SsrfGuard(options.guard);
    this.#maxPlaintextBytes = options.maxPlaintextBytes ?? 3_000;
    const http = { connections: options.connections ?? 128, ...(options.deadlineMs !== undefined && { deadlineMs: options.deadlineMs }) };
    this.#http = new HttpClient({ ...http, lookup: this.#guard.lookup });
    const dev = options.guard?.devOrigin;
    this.#devHttp = dev && new HttpClient({ ...http, ca: dev.ca });
  }

  async deliver(command: SendCommand, device: TargetDevice, options: DeliverOptions): Promise<Answer> {
    const subscription = parseSubscription(device.value);
    if (subscription === undefined) return { class: 'device', code: 'malformed_subscription' };
    const checked = this.#guard.check(subscription.endpoint);
    if (!checked.ok) return { class: 'drop', code: `ssrf_${checked.refusal}` };
    const key = this.#vapid.keyOf(subscription.applicationServerKey);
    if (key === undefined) return this.#several('vapid_key_unknown', 'device');
    const plaintext = webPushBody(command, device);
    if (Buffer.byteLength(plaintext) > this.#maxPlaintextBytes) return { class: 'drop', code: 'payload_too_large' };
    const request = encrypt(subscription, plaintext, command, options.ttlMs);
    return this.#post(checked, key, request, options.signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#devHttp?.close()]);
  }

  async #post(
    endpoint: { readonly url: URL; readonly dev: boolean },
    key: VapidKey,
    request: EncryptedRequest,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { url } = endpoint;
    const http = endpoint.dev && this.#devHttp !== undefined ? this.#devHttp : this.#http;
    for (const last of [false, true]) {
      const headers = { ...request.headers, Authorization: this.#vapid.authorization(url.origin, key) };
      const result = await http.post({ url, headers, body: request.body, signal });
      if (result.kind !== 'reply') return transportAnswer(result);
      const verdict = webPushVerdict(result, this.#nowMs());
      if (verdict === 'key_mismatch') return this.#several('vapid_key_mismatch', 'device');
      if (verdict === 'forbidden') return this.#several('http_403', 'retry');
      if (verdict !== 'bad_jwt') {
        if (verdict.class === 'ok') this.#refusals.clear();
        return verdict;
      }
      this.#vapid.forget(url.origin, key);
      if (last) break;
    }
    return { class: 'halt', code: 'bad_jwt' };
  }

  /** One such answer is about one subscription; many in a row are about our key. */
  #several(code: string, single: 'device' | 'retry'): Answer {
    return { class: this.#refusals.add(code) ? 'halt' : single, code };
  }
}

interface EncryptedRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

function encrypt(subscription: Subscription, plaintext: string, command: SendCommand, ttlMs: number): EncryptedRequest {
  const { endpoint, keys } = subscription;
  const options: webpush.RequestOptions = {
    TTL: Math.min(LONGEST_TTL_S, Math.max(0, Math.floor(ttlMs / 1_000))),
    urgency: command.promise === 'at_least_once' ? 'high' : 'normal',
    contentEncoding: 'aes128gcm',
    ...(command.collapseKey !== null && { topic: topicOf(command.collapseKey) }),
  };
  const details = webpush.generateRequestDetails({ endpoint, keys }, plaintext, options);
  const headers = Object.fromEntries(Object.entries<string | number>(details.headers).map(([name, value]) => [name, String(value)]));
  return { headers, body: details.body };
}

/** At most 32 characters of base64url, and nothing in it for the push service to read. */
export function topicOf(collapseKey: string): string {
  return createHash('sha256').update(collapseKey).digest('base64url').slice(0, 32);
}

/**
 * The plaintext: Declarative Web Push where there is something to show and to open (the browser shows it even if the worker fails), and the same
 * members for the service worker of a browser that does not know it.
 */
export function webPushBody(command: SendCommand, device: TargetDevice): string {
  const data = { ...command.data, commandId: command.commandId, deviceId: device.deviceId };
  const { content, collapseKey } = command;
  if (content === null) return JSON.stringify({ data });
  const notification = {
    title: content.title,
    body: content.body,
    ...(content.url !== null && { navigate: content.url }),
    ...(content.image !== null && { image: content.image }),
    ...(collapseKey !== null && { tag: collapseKey }),
    data,
  };
  return JSON.stringify(content.url === null ? { notification } : { web_push: 8030, notification });
}
