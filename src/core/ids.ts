import { createHash } from 'node:crypto';

/** The namespace of Lull's command ids. Fixed for ever: another one would send everything in flight again after an upgrade. */
const NAMESPACE = Buffer.from('b1d0a3f25c6e4e0f9a7753c4d2e86b19', 'hex');

/** What makes a send one send. Never a clock, an attempt, a job or a version of the topology. */
export interface CommandName {
  readonly app: string;
  readonly userId: string;
  readonly journey: string;
  readonly occurrence: string;
  readonly step: string;
  readonly channel: string;
}

/** UUIDv5 (RFC 9562) of the JSON array of the name's parts. */
export function commandIdOf(name: CommandName): string {
  const text = JSON.stringify([name.app, name.userId, name.journey, name.occurrence, name.step, name.channel]);
  const hash = createHash('sha1').update(NAMESPACE).update(text).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
