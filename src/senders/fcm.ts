import type { SendCommand, TargetDevice } from '../core/output.ts';
import { AccessToken, AccessTokenError, type FcmCredential } from './fcm-credential.ts';
import { fcmMessage, fcmRequestBody, MAX_PAYLOAD_BYTES, payloadBytes } from './fcm-message.ts';
import { fcmVerdict } from './fcm-answer.ts';
import { HttpClient } from './http.ts';
import type { Answer, DeliverOptions, Provider } from './provider.ts';
import { RunLength } from './run-length.ts';
import { transportAnswer } from './transport-answer.ts';

export interface FcmOptions {
  readonly projectId: string;
  readonly credential: FcmCredential;
  /** Origin of the API. Default `https://fcm.googleapis.com`. */
  readonly endpoint?: string;
  /** PEM of the authority of a local endpoint. */
  readonly ca?: string;
  /** Sockets, opened as they are needed. Default 128. */
  readonly connections?: number;
  /** Default 10,000. */
  readonly deadlineMs?: number;
  /** For tests. Default the wall clock. */
  readonly nowMs?: () => number;
}

/** How long a success vouches for the credential. */
const RECENTLY_MS = 3_600_000;
const HALT_AFTER = 3;

/**
 * FCM's HTTP v1 API. firebase-admin gives the credential and the message's type; the POST is ours, because its client retries on its own (one send was five
 * POSTs on a 503) and hides the difference between a wrong project and a dead token.
 */
export class FcmProvider implements Provider {
  readonly name = 'fcm';
  readonly #url: URL;
  readonly #token: AccessToken;
  readonly #http: HttpClient;
  readonly #nowMs: () => number;
  readonly #notFound = new RunLength(HALT_AFTER);
  #lastOkMs: number | undefined;

  constructor(options: FcmOptions) {
    const endpoint = options.endpoint ?? 'https://fcm.googleapis.com';
    this.#url = new URL(`/v1/projects/${encodeURIComponent(options.projectId)}/messages:send`, endpoint);
    this.#nowMs = options.nowMs ?? Date.now;
    this.#token = new AccessToken(options.credential, this.#nowMs);
    this.#http = new HttpClient({
      connections: options.connections ?? 128,
      ...(options.deadlineMs !== undefined && { deadlineMs: options.deadlineMs }),
      ca: options.ca,
    });
  }

  async deliver(command: SendCommand, device: TargetDevice, options: DeliverOptions): Promise<Answer> {
    const message = fcmMessage(command, device, options.ttlMs, this.#nowMs());
    if (payloadBytes(message) > MAX_PAYLOAD_BYTES) return { class: 'drop', code: 'payload_too_large' };
    return this.#post(fcmRequestBody(message), options.signal);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #post(body: Buffer, signal: AbortSignal): Promise<Answer> {
    for (const last of [false, true]) {
      const token = await this.#accessToken();
      if (typeof token !== 'string') return token;
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const result = await this.#http.post({ url: this.#url, headers, body, signal });
      if (result.kind !== 'reply') return transportAnswer(result);
      const verdict = fcmVerdict(result, this.#nowMs());
      if (verdict === 'not_found') return { class: this.#notFound.add('not_found') ? 'halt' : 'retry', code: 'http_404' };
      this.#notFound.clear();
      if (verdict === 'sender_id_mismatch') return { class: this.#workedRecently() ? 'device' : 'halt', code: verdict };
      if (verdict !== 'refused_token') {
        if (verdict.class === 'ok') this.#lastOkMs = this.#nowMs();
        return verdict;
      }
      this.#token.forget(token);
      if (last) break;
    }
    return { class: 'halt', code: 'http_401' };
  }

  async #accessToken(): Promise<string | Answer> {
    try {
      return await this.#token.get();
    } catch (error) {
      if (!(error instanceof AccessTokenError)) throw error;
      // Nothing was sent. Only what Google itself refused is our fault.
      return error.rejected ? { class: 'halt', code: 'credential_rejected' } : { class: 'retry', code: 'credential_unavailable' };
    }
  }

  #workedRecently(): boolean {
    return this.#lastOkMs !== undefined && this.#nowMs() - this.#lastOkMs < RECENTLY_MS;
  }
}
