import { createHash } from 'node:crypto';
import type { SendCommand } from '../core/output.ts';
import type { Unit, Withdrawn } from './command-row.ts';
import type { Answer } from './provider.ts';

/** How a unit can end. `exhausted`: refused as often as we try. */
export type FinalClass = 'ok' | 'drop' | 'device' | 'unknown' | 'exhausted' | 'expired' | Withdrawn;

export interface Ending {
  readonly class: FinalClass;
  /** The provider's last word; null where it was never asked. */
  readonly code: string | null;
}

export interface RetryPolicy {
  /** Before the second attempt; doubles with each one. Default 1,000. */
  readonly firstMs: number;
  /** The same after an answer that left open whether it was delivered. Default 10,000. */
  readonly ambiguousFirstMs: number;
  /** Default 300,000. */
  readonly maxMs: number;
  /** Calls per unit. Default 20. */
  readonly maxAttempts: number;
}

export const DEFAULT_RETRY: RetryPolicy = { firstMs: 1_000, ambiguousFirstMs: 10_000, maxMs: 300_000, maxAttempts: 20 };

/** What keeps a unit from being called; null: call it. Checked at the last moment, by the wall clock. */
export function reasonNotToCall(command: SendCommand, unit: Unit, withdrawn: Withdrawn | null, nowMs: number): Ending | null {
  const reason = withdrawn ?? unit.withdrawn ?? (nowMs >= command.expiresAtMs ? 'expired' : null);
  return reason === null ? null : { class: unit.doubt ? 'unknown' : reason, code: null };
}

export type AfterAnswer =
  | { readonly kind: 'final'; readonly ending: Ending }
  | { readonly kind: 'wait'; readonly dueMs: number; readonly doubt: boolean }
  /** Our own fault: the unit is as it was before the call. */
  | { readonly kind: 'halt' };

/**
 * What a call's answer does to its unit. `at_most_once` never calls again after an ambiguous answer; `at_least_once` does. A provable
 * non-delivery waits for its next call under either promise: until the attempts are used up, the command expires, or somebody took it back.
 */
export function afterAnswer(command: SendCommand, unit: Unit, answer: Answer, nowMs: number, policy: RetryPolicy): AfterAnswer {
  switch (answer.class) {
    case 'ok':
    case 'drop':
    case 'device':
      return final(answer.class, answer.code);
    case 'halt':
      return { kind: 'halt' };
    case 'ambiguous':
      return command.promise === 'at_most_once' ? final('unknown', answer.code) : retry(command, unit, answer, nowMs, policy);
    case 'retry':
      return retry(command, unit, answer, nowMs, policy);
  }
}

function retry(command: SendCommand, unit: Unit, answer: Answer, nowMs: number, policy: RetryPolicy): AfterAnswer {
  const doubt = unit.doubt || answer.class === 'ambiguous';
  const dueMs = nowMs + delayMs(command, unit, answer, policy);
  const end = unit.withdrawn ?? (unit.attempt >= policy.maxAttempts ? 'exhausted' : dueMs >= command.expiresAtMs ? 'expired' : null);
  return end === null ? { kind: 'wait', dueMs, doubt } : final(doubt ? 'unknown' : end, answer.code);
}

function final(finalClass: FinalClass, code: string): AfterAnswer {
  return { kind: 'final', ending: { class: finalClass, code } };
}

/** What the provider asks for, else exponential; up to a fifth is added so that a provider's recovery is not met by everybody at once. */
function delayMs(command: SendCommand, unit: Unit, answer: Answer, policy: RetryPolicy): number {
  const first = answer.class === 'ambiguous' ? policy.ambiguousFirstMs : policy.firstMs;
  const backoffMs = Math.min(policy.maxMs, first * 2 ** Math.max(0, unit.attempt - 1));
  const baseMs = answer.retryAfterMs ?? backoffMs;
  return Math.ceil(baseMs + jitter(command, unit) * Math.min(baseMs, policy.maxMs) * 0.2);
}

/** 0 to 1, the same for the same attempt: drawn from its name and not at random, so that a test can know it. */
function jitter(command: SendCommand, unit: Unit): number {
  const name = `${command.commandId} ${unit.deviceId} ${unit.attempt}`;
  return createHash('sha256').update(name).digest().readUInt32BE(0) / 2 ** 32;
}
