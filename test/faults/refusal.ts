import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment, Processor } from './deployment.ts';
import { OracleError } from './row.ts';
import { lastLines } from './shop.ts';

/** From its start: what disagrees is looked at for five seconds before it counts, on a machine that does much else. */
const ENDS_WITHIN_MS = 90_000;

/**
 * Waits until a processor ends by itself, as it must where going on would lose or repeat something, and returns what it said: the one line that a person
 * reads, with which its log ends.
 * @throws OracleError where it goes on, or ends without saying why
 */
export async function refusal(processor: Processor, what: string): Promise<string> {
  const tooLong = new AbortController();
  const ended = await Promise.race([processor.exited, sleep(ENDS_WITHIN_MS, undefined, { signal: tooLong.signal }).catch(() => undefined)]);
  tooLong.abort();
  if (ended === undefined) throw new OracleError('O1', `${what}, and the processor went on:\n${lastLines(processor)}`);
  if (ended !== 1) throw new OracleError('O1', `${what}, and the processor ended with ${ended} instead of 1:\n${lastLines(processor)}`);
  const lines = processor.stderr().split('\n');
  const fatal = lines.findLast((line) => line.includes('"level":"fatal"'));
  if (fatal !== undefined) return (JSON.parse(fatal) as { readonly msg: string }).msg;
  // What is wrong before a command has begun to log is text; an older build says all of it so.
  const text = lines.findLast((line) => line.startsWith('lull: '));
  if (text === undefined) throw new OracleError('O1', `${what}, and the processor did not say so:\n${lastLines(processor)}`);
  return text.slice('lull: '.length);
}

/** Nothing is to be in the message that is not said here, in this order, with anything between. */
export function expectSaid(message: string, ...parts: readonly string[]): void {
  let from = 0;
  for (const part of parts) {
    const at = message.indexOf(part, from);
    if (at < 0) throw new OracleError('O1', `"${message}" does not say "${part}"`);
    from = at + part.length;
  }
  if (message.includes('\n')) throw new OracleError('O1', `more than one line: ${message}`);
}

/** Where these partitions of the topics that processors write end: the same before and after, where nothing was to be written. Default: all. */
export async function writtenSoFar({ log, topics }: Deployment, partitions?: ReadonlySet<number>): Promise<string> {
  const ends = await Promise.all(
    [topics.state, topics.dispatch, topics.decisions, topics.deadLetters].map(async (topic) =>
      [...(await log.admin.offsets(topic))]
        .filter(([partition]) => partitions?.has(partition) !== false)
        .map(([partition, { end }]) => `${topic}-${partition}@${end}`),
    ),
  );
  return ends.flat().sort().join(' ');
}

export async function expectNothingWritten(
  deployment: Deployment,
  before: string,
  what: string,
  partitions?: ReadonlySet<number>,
): Promise<void> {
  const after = await writtenSoFar(deployment, partitions);
  if (after !== before) throw new OracleError('O1', `${what}, and something was written: ${before} became ${after}`);
}
