import { ECDH } from 'node:crypto';

/** A Web Push subscription as `PushSubscription.toJSON()` gives it, plus the key it was made with where the page says so. */
export interface Subscription {
  readonly endpoint: string;
  readonly keys: { readonly p256dh: string; readonly auth: string };
  /** The `applicationServerKey` of `subscribe()`, base64url: tells which of several VAPID keys to sign with. */
  readonly applicationServerKey: string | undefined;
}

/** Reads a device's value; undefined where it is not a subscription that a message can be encrypted for. */
export function parseSubscription(value: string): Subscription | undefined {
  const json = parseObject(value);
  const keys = json?.['keys'];
  if (json === undefined || typeof keys !== 'object' || keys === null) return undefined;
  const { endpoint, applicationServerKey } = json;
  const { p256dh, auth } = keys as Record<string, unknown>;
  if (typeof endpoint !== 'string' || typeof p256dh !== 'string' || typeof auth !== 'string') return undefined;
  if (!isPoint(Buffer.from(p256dh, 'base64url')) || Buffer.from(auth, 'base64url').length !== 16) return undefined;
  const serverKey = typeof applicationServerKey === 'string' ? applicationServerKey : undefined;
  return { endpoint, keys: { p256dh, auth }, applicationServerKey: serverKey };
}

/** An uncompressed point on P-256 (RFC 8291). */
function isPoint(bytes: Buffer): boolean {
  if (bytes.length !== 65 || bytes[0] !== 4) return false;
  try {
    ECDH.convertKey(bytes, 'prime256v1');
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_CRYPTO_OPERATION_FAILED') return false;
    throw error;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
