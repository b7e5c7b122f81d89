import type { Program } from '../core/program.ts';
import type { Match } from '../core/state.ts';
import type { Place } from '../topology/source.ts';
import { compare, gotFrom } from './compare.ts';
import type { Difference, Got } from './compare.ts';
import type { Scenario, TimelineStep, Waiting } from './scenario.ts';
import { Simulation, type AppendedEvent, type Output } from './simulation.ts';

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly passed: boolean;
  /** What was expected and did not come, what came and was not expected, and what came otherwise. */
  readonly differences: readonly Difference[];
  readonly got: readonly Got[];
  /** As `Simulation.waits`. */
  readonly waits: ReadonlySet<string>;
}

/** Runs one scenario through the core in virtual time, and compares everything that came of it with what is expected. */
export function runScenario(scenario: Scenario, program: Program): ScenarioResult {
  const simulation = new Simulation(program, scenario.startMs);
  const differences: Difference[] = [];
  for (const step of scenario.steps) {
    switch (step.kind) {
      case 'append':
        simulation.append(step.event, step.atMs);
        break;
      case 'change':
        simulation.change(step.itemId, step.event, step.atMs);
        break;
      case 'answer': {
        // What is due in its very moment is decided behind it, as with any event.
        simulation.passTo(step.atMs - 1);
        const event = answerOf(step, simulation.output, scenario.userId);
        if (event === null) differences.push(unanswerable(step));
        else simulation.append(event, step.atMs);
        break;
      }
      case 'tick':
        simulation.passTo(step.atMs);
        break;
      case 'edit':
        simulation.activate(step.program, step.atMs);
        break;
      case 'down':
        simulation.passTo(step.atMs);
        simulation.stopUntil(step.untilMs);
        break;
      case 'waiting':
        simulation.passTo(step.atMs);
        differences.push(...compareWaiting(step.expected, simulation.stateOf(scenario.userId).matches, step.atMs, step.place));
        break;
    }
  }
  differences.push(...finish(simulation, scenario));
  const got = gotFrom(simulation.output);
  differences.push(...compare(scenario, got));
  return { scenario, passed: differences.length === 0, differences, got, waits: simulation.waits };
}

/** null where the step has sent nothing so far. */
export function answerOf(step: AnswerStep, output: Output, userId: string): AppendedEvent | null {
  const command = output.commands.findLast(({ journey, step: sent }) => journey === step.journey && sent === step.step);
  if (command === undefined) return null;
  const [device] = command.devices;
  const properties = { commandId: command.commandId, ...(device === undefined ? {} : { deviceId: device.deviceId }) };
  const { eventId, type, atMs } = step;
  return { eventId, userId, type, occurredAtMs: atMs, sentAtMs: null, properties, imported: false };
}

export type AnswerStep = Extract<TimelineStep, { readonly kind: 'answer' }>;

function unanswerable({ place, atMs, journey, step }: AnswerStep): Difference {
  return { kind: 'missing', place, expected: { kind: 'sent', atMs, fields: { journey, step } }, got: null, fields: [] };
}

/** Who waits for longer than three years without `until` means a date that comes every year. */
const LONGEST_MS = 3 * 366 * 86_400_000;

/** Until nothing waits any more. What always waits anew (a yearly date) is a failure that names `until`. */
function finish(simulation: Simulation, scenario: Scenario): Difference[] {
  if (scenario.untilMs !== null) {
    simulation.passTo(scenario.untilMs);
    return [];
  }
  for (let next = simulation.nextDueMs(); next === null || next <= scenario.startMs + LONGEST_MS; next = simulation.nextDueMs()) {
    if (next === null) return [];
    simulation.passTo(next);
  }
  const [match] = simulation.stateOf(scenario.userId).matches;
  const detail = 'it always waits anew: say with `until` how long to look';
  const got: Got = { kind: 'waiting', atMs: match?.dueMs ?? simulation.nowMs, fields: { journey: match?.journey ?? '' }, detail };
  return [{ kind: 'unexpected', place: scenario.place, expected: null, got, fields: [] }];
}

function compareWaiting(expected: readonly Waiting[], matches: readonly Match[], atMs: number, place: Place): Difference[] {
  const left = [...matches];
  const differences: Difference[] = [];
  for (const waiting of expected) {
    const found = left.findIndex(
      (match) =>
        match.journey === waiting.journey &&
        (waiting.step === null || match.wait?.step === waiting.step) &&
        (waiting.key === null || match.key === waiting.key) &&
        (waiting.untilMs === null || match.dueMs === waiting.untilMs),
    );
    if (found >= 0) left.splice(found, 1);
    else {
      const { journey, step, key } = waiting;
      const fields = { journey, ...(step === null ? {} : { step }), ...(key === null ? {} : { key }) };
      differences.push({
        kind: 'missing',
        place,
        expected: { kind: 'waiting', atMs: waiting.untilMs ?? atMs, fields },
        got: null,
        fields: [],
      });
    }
  }
  for (const match of left) {
    const { journey, wait, key } = match;
    const fields = { journey, ...(wait === null ? {} : { step: wait.step }), ...(key === '' ? {} : { key }) };
    differences.push({
      kind: 'unexpected',
      place,
      expected: null,
      got: { kind: 'waiting', atMs: match.dueMs, fields, detail: '' },
      fields: [],
    });
  }
  return differences;
}
