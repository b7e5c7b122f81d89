import type { HttpResult } from './http.ts';
import type { Answer } from './provider.ts';
import { retryAfterMs } from './retry-after.ts';

/**
 * What needs more than this one reply: `refused_token` asks for one fresh token before it means `halt`; `sender_id_mismatch` is the device's fault
 * if this credential worked recently, else ours; `not_found` means `halt` after several in a row.
 */
export type FcmVerdict = Answer | 'refused_token' | 'sender_id_mismatch' | 'not_found';

type Reply = Extract<HttpResult, { readonly kind: 'reply' }>;

interface FcmReply {
  readonly name: string | undefined;
  /** Of the `FcmError` detail. */
  readonly errorCode: string | undefined;
  readonly message: string;
  /** Fields that a `BadRequest` detail complains about. */
  readonly fields: readonly string[];
}

/**
 * The table for FCM. The `FcmError` detail decides; the status alone only where there is none; text only together with its code, to tell a malformed
 * token from a malformed message.
 */
export function fcmVerdict(reply: Reply, nowMs: number): FcmVerdict {
  const { status } = reply;
  const parsed = parse(reply.body);
  if (status >= 200 && status < 300)
    return parsed.name === undefined
      ? { class: 'ambiguous', code: 'no_name' }
      : { class: 'ok', code: `http_${status}`, providerMessageId: parsed.name };
  const after = retryAfterMs(reply.headers.get('retry-after'), nowMs);
  // A refusal that was cut says for sure that nothing was delivered, and not why.
  if (!reply.complete && status >= 400 && status < 500)
    return { class: 'retry', code: 'cut_reply', ...(after !== undefined && { retryAfterMs: after }) };
  return parsed.errorCode === undefined ? byStatus(status, after) : byErrorCode(parsed.errorCode, parsed, status, after);
}

function byErrorCode(errorCode: string, parsed: FcmReply, status: number, after: number | undefined): FcmVerdict {
  switch (errorCode) {
    case 'UNREGISTERED':
      return { class: 'device', code: 'unregistered' };
    case 'INVALID_ARGUMENT':
      return aboutToken(parsed) ? { class: 'device', code: 'malformed_token' } : { class: 'drop', code: 'invalid_argument' };
    case 'SENDER_ID_MISMATCH':
      return 'sender_id_mismatch';
    case 'QUOTA_EXCEEDED':
      return { class: 'retry', code: 'quota_exceeded', retryAfterMs: after ?? 60_000 };
    case 'UNAVAILABLE':
    case 'INTERNAL':
      return { class: 'ambiguous', code: errorCode.toLowerCase(), ...(after !== undefined && { retryAfterMs: after }) };
    case 'THIRD_PARTY_AUTH_ERROR':
      return { class: 'halt', code: 'third_party_auth_error' };
    default:
      // A code of a later API: its status still tells whether anything may have been delivered.
      return byStatus(status, after);
  }
}

function byStatus(status: number, after: number | undefined): FcmVerdict {
  const code = `http_${status}`;
  if (status >= 300 && status < 400) return { class: 'drop', code: 'redirect' };
  switch (status) {
    case 401:
      return 'refused_token';
    case 403:
      return { class: 'halt', code };
    case 404:
      return 'not_found';
    case 429:
      return { class: 'retry', code, retryAfterMs: after ?? 60_000 };
    default:
      return status >= 500 ? { class: 'ambiguous', code, ...(after !== undefined && { retryAfterMs: after }) } : { class: 'drop', code };
  }
}

function aboutToken(parsed: FcmReply): boolean {
  return (
    parsed.fields.some((field) => field === 'message.token' || field === 'message.fid') ||
    parsed.message.includes('The registration token is not a valid FCM registration token')
  );
}

function parse(body: string): FcmReply {
  const json = object(tryParse(body));
  const error = object(json['error']);
  const details = Array.isArray(error['details']) ? error['details'].map(object) : [];
  const detail = (type: string): Record<string, unknown> => details.find((each) => each['@type'] === `type.googleapis.com/${type}`) ?? {};
  const errorCode = detail('google.firebase.fcm.v1.FcmError')['errorCode'];
  const violations = detail('google.rpc.BadRequest')['fieldViolations'];
  const fields = Array.isArray(violations) ? violations.map((violation) => object(violation)['field']) : [];
  return {
    name: typeof json['name'] === 'string' && json['name'] !== '' ? json['name'] : undefined,
    errorCode: typeof errorCode === 'string' ? errorCode : undefined,
    message: typeof error['message'] === 'string' ? error['message'] : '',
    fields: fields.filter((field) => typeof field === 'string'),
  };
}

/** Proxies answer with HTML: a reply without JSON is a reply without an `FcmError`. */
function tryParse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
