import type { HttpResult } from './http.ts';
import type { Answer } from './provider.ts';
import { retryAfterMs } from './retry-after.ts';

/** `bad_jwt` asks for one new token before it means `halt`; `key_mismatch` and `forbidden` mean `halt` when there are many. */
export type WebPushVerdict = Answer | 'bad_jwt' | 'key_mismatch' | 'forbidden';

type Reply = Extract<HttpResult, { readonly kind: 'reply' }>;

/** What a push service's reply means. The status decides; a reason in the body only where one status has two meanings. */
export function webPushVerdict(reply: Reply, nowMs: number): WebPushVerdict {
  const { status, body } = reply;
  const code = `http_${status}`;
  const after = retryAfterMs(reply.headers.get('retry-after'), nowMs);
  const retryAfter = after === undefined ? {} : { retryAfterMs: after };
  if (status >= 200 && status < 300) return { class: 'ok', code, ...grantedTtl(reply) };
  if (status >= 300 && status < 400) return { class: 'drop', code: 'redirect' };
  switch (status) {
    case 404:
    case 410:
      return { class: 'device', code };
    case 429:
      return { class: 'retry', code, retryAfterMs: after ?? 60_000 };
    case 503:
      return { class: 'retry', code, ...retryAfter };
    case 401:
      return 'bad_jwt';
    case 400:
      return body.includes('VapidPkHashMismatch') ? 'key_mismatch' : { class: 'drop', code };
    case 403:
      if (body.includes('BadJwtToken')) return 'bad_jwt';
      return /does not correspond to the sender ID/i.test(body) ? 'key_mismatch' : 'forbidden';
    default:
      return status >= 500 ? { class: 'ambiguous', code, ...retryAfter } : { class: 'drop', code };
  }
}

/** The service may keep the message for a shorter time than asked (RFC 8030, 5.2). */
function grantedTtl(reply: Reply): { readonly grantedTtlMs?: number } {
  const ttl = reply.headers.get('ttl');
  return ttl !== undefined && /^\d{1,9}$/.test(ttl) ? { grantedTtlMs: Number(ttl) * 1_000 } : {};
}
