import { effectsOf } from './draft.ts';
import type { Turn } from './draft.ts';
import { commandIdOf } from './ids.ts';
import type { Check, CommandTrigger, Decision } from './output.ts';
import type { Journey } from './journey.ts';
import type { Match, Trigger } from './state.ts';

/** What came out for a candidate. `channel` is null where none was chosen; the id then is that of the first preference. */
export interface Verdict {
  readonly outcome: Decision['outcome'];
  readonly reason: string;
  readonly checks: readonly Check[];
  readonly commandId: string;
  readonly channel: string | null;
}

/** Records a decision: there is one for every candidate, sent or not. */
export function recordDecision(turn: Turn, match: Match, step: string, verdict: Verdict): void {
  effectsOf(turn).decisions.push({
    userId: turn.state.userId,
    journey: match.journey,
    step,
    occurrence: match.occurrence,
    key: match.key,
    outcome: verdict.outcome,
    reason: verdict.reason,
    checks: verdict.checks,
    commandId: verdict.commandId,
    channel: verdict.channel,
    trigger: commandTrigger(match.trigger),
    dueAtMs: match.dueMs,
    decidedAtMs: turn.nowMs,
    topology: turn.program.name,
    topologyHash: turn.program.hash,
  });
}

/** A candidate that never came to the gate: its condition could not be evaluated, or there was no room for it to wait. */
export function decideUnevaluated(
  turn: Turn,
  match: Match,
  journey: Journey,
  detail: string,
  reason: 'condition_error' | 'limit' = 'condition_error',
): void {
  const checks = [{ name: reason === 'limit' ? 'limit' : 'condition', passed: false, detail }];
  const first = journey.steps.find((step) => step.kind === 'send');
  const step = match.wait?.step ?? first?.name ?? '';
  const commandId = commandIdFor(turn, match, step, first?.channels[0] ?? '');
  recordDecision(turn, match, step, { outcome: 'rejected', reason, checks, commandId, channel: null });
}

/** A run that ends at a step, before it has come to its end. */
export function decideExit(
  turn: Turn,
  run: Match,
  step: string,
  reason: 'goal' | 'suppressed' | 'exit' | 'step_removed' | 'journey_removed',
  detail: string,
): void {
  const checks = [{ name: reason, passed: false, detail }];
  recordDecision(turn, run, step, { outcome: 'exited', reason, checks, commandId: commandIdFor(turn, run, step, ''), channel: null });
}

/** The id of the send that this candidate is, on the channel chosen or the first of preference. */
export function commandIdFor(turn: Turn, { journey, occurrence }: Match, step: string, channel: string): string {
  return commandIdOf({ app: turn.program.app, userId: turn.state.userId, journey, occurrence, step, channel });
}

export function commandTrigger({ topic, partition, offset, eventId }: Trigger): CommandTrigger {
  return { topic, partition, offset, eventId };
}
