import { createHash } from 'node:crypto';

export const BUCKETS = 10_000;

/** Which of 10,000 buckets a user is in, for a salt: always the same, and of two salts independent. */
export function bucketOf(salt: string, userId: string): number {
  const hash = createHash('sha256')
    .update(JSON.stringify([salt, userId]))
    .digest();
  return Number(hash.readBigUInt64BE() % BigInt(BUCKETS));
}
