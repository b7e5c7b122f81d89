import { PoisonError } from '../../src/avro/errors.ts';
import type { Outcome, ProductEvent } from '../../src/avro/records.ts';
import type { SendCommand } from '../../src/core/output.ts';
import { readAllCommitted, type JudgedRecord } from '../setup/read-committed.ts';
import type { Meaning } from './call-ledger.ts';
import type { Deployment } from './deployment.ts';
import { Multiset } from './multiset.ts';
import { OracleError } from './row.ts';

export interface SendersJudged {
  /** Of (command, device); a command without devices is one. */
  readonly pairs: number;
  readonly posts: number;
  /** POSTs of what had been taken, or may have been, before. */
  readonly repeated: number;
  /** Final outcomes that say that nobody knows. */
  readonly unknown: number;
}

export interface SendersToJudge {
  readonly channel: string;
  /** What the fake provider did, by `commandId/deviceId`. */
  readonly calls: ReadonlyMap<string, readonly Meaning[]>;
  /** How often a sender, or a commit of its, was cut off: each time every call in flight may be repeated, where the promise allows that. */
  readonly crashes: number;
}

/** In a message; how many there are is said. */
const MAX_COMPLAINTS = 12;

/**
 * O3 and O4, of senders that are stopped. Commands, outcomes and feedback are told by Kafka's own consumer, calls by the fake provider.
 *
 * O3: each (command, device) of dispatch has exactly one final outcome, there is none of anything else, and each command has exactly one word on its user's
 * timeline: `$accepted` if a device took it, else `$undelivered`.
 * O4: POSTs = 1 + those that follow a provable non-delivery; `at_least_once` may also repeat what was left in doubt, and what was in flight at a crash.
 * @throws OracleError
 */
export async function judgeSenders(deployment: Deployment, { channel, calls, crashes }: SendersToJudge): Promise<SendersJudged> {
  const { dispatch, outcomes, timeline } = deployment.topics;
  const judged = await readAllCommitted([dispatch, outcomes, timeline], deployment.direct);
  for (const [topic, { isStable }] of judged) if (!isStable) throw new OracleError('O2', `a transaction dangles in ${topic}`);
  const recordsOf = (topic: string): readonly JudgedRecord[] => judged.get(topic)?.records ?? [];
  const commands = await decoded(deployment, recordsOf(dispatch), 'lull.v1.SendCommand');
  const told = await decoded(deployment, recordsOf(outcomes), 'lull.v1.Outcome');
  const events = await decoded(deployment, recordsOf(timeline), 'lull.v1.ProductEvent');
  const own = commands.filter((command) => command.channel === channel);
  const ownOutcomes = told.filter((outcome) => outcome.channel === channel);
  complain('O3', [...finalsDiffer(own, ownOutcomes), ...wordsDiffer(own, ownOutcomes, events)]);
  complain('O4', [...callsDiffer(own, calls, crashes), ...outcomesLie(own, ownOutcomes, calls)]);
  const posts = [...calls.values()];
  return {
    pairs: own.reduce((sum, { devices }) => sum + Math.max(1, devices.length), 0),
    posts: posts.reduce((sum, { length }) => sum + length, 0),
    repeated: posts.reduce((sum, meanings) => sum + repeatsIn(meanings), 0),
    unknown: ownOutcomes.filter(({ final, class: ended }) => final && ended === 'unknown').length,
  };
}

function finalsDiffer(commands: readonly SendCommand[], outcomes: readonly Outcome[]): string[] {
  const pairs = new Set(commands.flatMap((command) => pairsOf(command)));
  const finals = new Multiset(outcomes.filter(({ final }) => final).map(pairOf));
  const wrong = [...pairs].filter((pair) => finals.count(pair) !== 1).map((pair) => `${pair} has ${finals.count(pair)} final outcomes`);
  const strange = [...new Set(outcomes.map(pairOf))].filter((pair) => !pairs.has(pair));
  return [...wrong, ...strange.map((pair) => `${pair} has an outcome, and was never asked for`)];
}

/** What the processor is told. */
function wordsDiffer(commands: readonly SendCommand[], outcomes: readonly Outcome[], events: readonly ProductEvent[]): string[] {
  const words = new Multiset(
    events
      .filter(({ type }) => type === '$accepted' || type === '$undelivered')
      .map(({ type, properties }) => `${type} ${String(properties['commandId'])}`),
  );
  const taken = new Set(outcomes.filter(({ final, class: ended }) => final && ended === 'ok').map(({ commandId }) => commandId));
  return commands.flatMap(({ commandId }) => {
    const [accepted, undelivered] = [words.count(`$accepted ${commandId}`), words.count(`$undelivered ${commandId}`)];
    const isRight = taken.has(commandId) ? accepted === 1 && undelivered === 0 : accepted === 0 && undelivered === 1;
    return isRight ? [] : [`${commandId} has ${accepted} $accepted and ${undelivered} $undelivered on the timeline`];
  });
}

function callsDiffer(commands: readonly SendCommand[], calls: ReadonlyMap<string, readonly Meaning[]>, crashes: number): string[] {
  const promises = new Map(commands.flatMap((command) => pairsOf(command).map((pair) => [pair, command.promise] as const)));
  return [...calls].flatMap(([pair, meanings]) => {
    const promise = promises.get(pair);
    if (promise === undefined) return [`${pair} was called, and was never asked for`];
    const most = 1 + count(meanings, 'again') + (promise === 'at_least_once' ? count(meanings, 'doubtful') + crashes : 0);
    return meanings.length <= most ? [] : [`${pair} (${promise}) got ${meanings.length} POSTs, at most ${most}: ${meanings.join(', ')}`];
  });
}

/** What an outcome claims, the provider has seen; and what it says was never sent, was not. */
function outcomesLie(
  commands: readonly SendCommand[],
  outcomes: readonly Outcome[],
  calls: ReadonlyMap<string, readonly Meaning[]>,
): string[] {
  const strict = new Set(commands.filter(({ promise }) => promise === 'at_most_once').map(({ commandId }) => commandId));
  return outcomes.flatMap((outcome) => {
    if (!outcome.final) return [];
    const pair = pairOf(outcome);
    const meanings = calls.get(pair) ?? [];
    if (outcome.class === 'ok') return meanings.includes('accepted') ? [] : [`${pair} is ok, and the provider never took it`];
    const isTaken = meanings.includes('accepted');
    return isTaken && strict.has(outcome.commandId) && outcome.class !== 'unknown'
      ? [`${pair} is ${outcome.class}, and the provider took it`]
      : [];
  });
}

function repeatsIn(meanings: readonly Meaning[]): number {
  const first = meanings.findIndex((meaning) => meaning === 'accepted' || meaning === 'doubtful');
  return first < 0 ? 0 : meanings.length - 1 - first;
}

function pairsOf({ commandId, devices }: SendCommand): string[] {
  return devices.length === 0 ? [`${commandId}/-`] : devices.map(({ deviceId }) => `${commandId}/${deviceId}`);
}

function pairOf({ commandId, device }: Outcome): string {
  return `${commandId}/${device?.deviceId ?? '-'}`;
}

function count(meanings: readonly Meaning[], of: Meaning): number {
  return meanings.filter((meaning) => meaning === of).length;
}

interface Decodable {
  readonly 'lull.v1.SendCommand': SendCommand;
  readonly 'lull.v1.Outcome': Outcome;
  readonly 'lull.v1.ProductEvent': ProductEvent;
}

/** Those of one kind; anything else, poison included, is not looked at. */
async function decoded<Name extends keyof Decodable>(
  { codec }: Deployment,
  records: readonly JudgedRecord[],
  name: Name,
): Promise<Decodable[Name][]> {
  const values = records.flatMap(({ value }) => value ?? []);
  await codec.prepare(values);
  return values.flatMap((value) => {
    try {
      const record = codec.decode(value);
      return record.record === name ? [record.value as Decodable[Name]] : [];
    } catch (error) {
      if (error instanceof PoisonError) return [];
      throw error;
    }
  });
}

function complain(oracle: 'O3' | 'O4', complaints: readonly string[]): void {
  if (complaints.length === 0) return;
  throw new OracleError(oracle, `${complaints.length} differences: ${complaints.slice(0, MAX_COMPLAINTS).join('\n')}`);
}
