const LOW = 2 ** 32;

/**
 * 52 bits of an event id, for the ring of recent ids. Not cryptographic: a collision loses one event of one user, and with a ring of 64 ids
 * it takes about 2^46 events to see one. Two lanes with different multipliers and rotations, each mixed with the other at the end.
 */
export function eventIdHash(eventId: string): number {
  let a = 0x3c6ef372 ^ eventId.length;
  let b = 0x510e527f;
  for (let i = 0; i < eventId.length; i++) {
    const unit = eventId.charCodeAt(i);
    a = Math.imul(((a << 7) | (a >>> 25)) ^ unit, 0x2c1b3c6d);
    b = Math.imul(((b << 11) | (b >>> 21)) + unit, 0x297a2d39);
  }
  a = Math.imul(a ^ (b >>> 15), 0x6c8e9cf5);
  b = Math.imul(b ^ (a >>> 13), 0x3b4a5a57);
  a ^= b >>> 16;
  b ^= a >>> 14;
  return (b >>> 12) * LOW + (a >>> 0);
}

/** The ring with one more id, or null where the id is in it. */
export function withRecent(ring: readonly number[], hash: number, limit: number): readonly number[] | null {
  if (ring.includes(hash)) return null;
  const from = Math.max(0, ring.length - limit + 1);
  const next = new Array<number>(ring.length - from + 1);
  for (let i = from; i < ring.length; i++) next[i - from] = ring[i]!;
  next[ring.length - from] = hash;
  return next;
}
