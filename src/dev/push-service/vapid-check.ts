import { createPublicKey, verify } from 'node:crypto';

/** What is wrong with an `Authorization` header, as a push service sees it; null when nothing is. */
export type VapidFault = 'missing' | 'malformed' | 'signature' | 'audience' | 'expired' | 'lifetime' | 'subject';

const LONGEST_MS = 24 * 3_600_000;

/** Checks a header of RFC 8292: signed by `k`, for this origin, not expired, living no longer than a day. Returns the key, too. */
export function checkVapid(
  header: string | undefined,
  origin: string,
  nowMs: number,
): { readonly fault: VapidFault | null; readonly key: string | null } {
  if (header === undefined) return { fault: 'missing', key: null };
  const token = /^vapid\s+(?:.*,\s*)?t=([\w-]+)\.([\w-]+)\.([\w-]+)/i.exec(header);
  const key = /[\s,]k=([\w-]+)/.exec(header)?.[1] ?? null;
  const [, head = '', claims = '', signature = ''] = token ?? [];
  const point = Buffer.from(key ?? '', 'base64url');
  const body = parse(claims);
  if (token === null || key === null || point.length !== 65 || body === undefined) return { fault: 'malformed', key };
  const jwk = { kty: 'EC', crv: 'P-256', x: point.toString('base64url', 1, 33), y: point.toString('base64url', 33) };
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  const good = verify(
    'sha256',
    Buffer.from(`${head}.${claims}`),
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  );
  return { fault: good ? claimFault(body, origin, nowMs) : 'signature', key };
}

function claimFault(claims: Record<string, unknown>, origin: string, nowMs: number): VapidFault | null {
  const { aud, exp, sub } = claims;
  if (aud !== origin) return 'audience';
  if (typeof exp !== 'number' || exp * 1_000 < nowMs) return 'expired';
  if (exp * 1_000 - nowMs > LONGEST_MS) return 'lifetime';
  return typeof sub === 'string' && /^(mailto:|https:)/.test(sub) ? null : 'subject';
}

function parse(base64url: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'));
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
