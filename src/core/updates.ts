import { attributesChanged } from './attributes.ts';
import type { Turn } from './draft.ts';
import type { Event, Scalar } from './event.ts';
import { setAttributes } from './facts.ts';
import { followZone } from './follow-zone.ts';
import { EvaluationError } from './condition.ts';
import type { Scope } from './condition.ts';
import type { UpdateStep } from './journey.ts';
import type { Match } from './state.ts';

/** A step of a run that sets attributes of the user. */

/** Of a text that an update sets, in characters: what adds to a text again and again must not fill the row. */
export const MAX_ATTRIBUTE_LENGTH = 1_024;

/** Sets the attributes that can be computed, and lets what hangs on them notice. */
export function update(turn: Turn, run: Match, step: UpdateStep, event: Event | null): void {
  const { profile: before } = turn.state;
  const scope = { event, trigger: run.trigger, state: turn.state, nowMs: turn.nowMs };
  const values: Record<string, Scalar> = {};
  let room = turn.program.limits.profileAttributes - Object.keys(before).length;
  for (const [name, valueOf] of step.set) {
    const value = valueIn(scope, valueOf);
    // Nothing that a journey does may lose the event that it came from.
    if (value === undefined || (!Object.hasOwn(before, name) && value !== null && room-- <= 0)) continue;
    values[name] = value;
  }
  setAttributes(turn, values);
  followZone(turn, { devices: turn.state.devices, profile: before });
  // Not the event that the run came from: other journeys, and other steps, may change the same attribute.
  const eventId = `${run.journey}/${run.occurrence}/${step.name}`;
  const { topic, partition, offset } = event ?? run.trigger;
  attributesChanged(turn, before, { ...run.trigger, topic, partition, offset, eventId, occurredAtMs: turn.nowMs }, false);
}

/** undefined where it cannot be computed, or is nothing that a row should keep. */
function valueIn(scope: Scope, valueOf: (scope: Scope) => Scalar): Scalar | undefined {
  try {
    const value = valueOf(scope);
    if (typeof value === 'number' && !Number.isFinite(value)) return undefined;
    return typeof value === 'string' && value.length > MAX_ATTRIBUTE_LENGTH ? undefined : value;
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}
