import { effectsOf } from './draft.ts';
import type { Turn } from './draft.ts';
import type { Cap } from './program.ts';
import type { LedgerEntry } from './state.ts';

/**
 * What was sent, or reserved to be: entries in the order of their decisions. An entry is reserved in the step that makes its command, and lives through
 * `open -> accepted | released | revoked`; `released` (the provider refused for good) gives its place under the caps back, `revoked` does not: a revocation
 * may lose the race against the call.
 */

/** Adds a send; what is forgotten goes, and at the limit the oldest. */
export function reserve(turn: Turn, entry: LedgerEntry): void {
  const kept = turn.state.ledger.filter((other) => !isForgotten(turn, other));
  kept.push(entry);
  turn.state.ledger = kept.length > turn.program.limits.ledger ? kept.slice(kept.length - turn.program.limits.ledger) : kept;
}

export function isForgotten(turn: Turn, entry: LedgerEntry): boolean {
  if (entry.expiresAtMs > turn.nowMs || entry.atMs + turn.index.ledgerKeepMs > turn.nowMs) return false;
  // A run that still waits asks for its own messages.
  return !turn.state.matches.some(
    ({ journey, occurrence, wait }) => wait !== null && journey === entry.journey && occurrence === entry.occurrence,
  );
}

/** How many sends stand in the cap's window, which reaches back `windowMs` from now, half-open: a send exactly that old has aged out. */
export function countFor(turn: Turn, cap: Cap): number {
  const fromMs = turn.nowMs - cap.windowMs;
  let count = 0;
  for (const entry of turn.state.ledger) {
    if (entry.atMs <= fromMs || entry.outcome === 'released') continue;
    if (cap.category !== null && cap.category !== entry.category) continue;
    if (cap.channel !== null && cap.channel !== entry.channel) continue;
    // Transactional messages are not stopped by caps, and use none up.
    if (turn.program.classes.get(entry.class)?.capped === false) continue;
    count++;
  }
  return count;
}

/** Marks an open entry as no longer wanted, and says so to its sender. */
export function revoke(turn: Turn, entry: LedgerEntry, reason: 'goal' | 'suppressed' | 'opt_out' | 'no_device'): void {
  settle(turn, entry.commandId, 'revoked');
  effectsOf(turn).revocations.push({
    commandId: entry.commandId,
    userId: turn.state.userId,
    channel: entry.channel,
    reason,
    atMs: turn.nowMs,
  });
}

/** Open, and still worth taking back. */
export function isOpen(turn: Turn, entry: LedgerEntry): boolean {
  return entry.outcome === 'open' && entry.expiresAtMs > turn.nowMs;
}

/** Sets the outcome of a command, if the ledger still has it. */
export function settle(turn: Turn, commandId: string, outcome: LedgerEntry['outcome']): void {
  const { ledger } = turn.state;
  const at = ledger.findIndex((entry) => entry.commandId === commandId);
  if (at < 0 || ledger[at]!.outcome === outcome) return;
  turn.state.ledger = ledger.with(at, { ...ledger[at]!, outcome });
}
