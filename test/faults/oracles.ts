import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Codec } from '../../src/avro/codec.ts';
import { PoisonError } from '../../src/avro/errors.ts';
import type { Control } from '../../src/avro/records.ts';
import type { Program } from '../../src/core/program.ts';
import { decodePosition, POSITION_KEY } from '../../src/engine/position.ts';
import { decodeVersions } from '../../src/processor/versions.ts';
import { compileCanonical } from '../../src/topology/compile-canonical.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import { readAllCommitted, type Judged, type JudgedRecord } from '../setup/read-committed.ts';
import type { Deployment } from './deployment.ts';
import { differences, Multiset } from './multiset.ts';
import { Reference, type ExpectedRecord } from './reference.ts';
import { OracleError } from './row.ts';

/** What was there to be judged: an oracle that looked at nothing is no judge. */
export interface Judgement {
  readonly events: number;
  readonly ticks: number;
  readonly commands: number;
  readonly decisions: number;
  readonly deadLetters: number;
  readonly forwards: number;
}

/** Kafka aborts a transaction that nobody ends after its timeout (10 s), and looks every second. */
const DANGLES_AFTER_MS = 25_000;
/** A commit's offsets become readable a moment after its transaction. */
const AGREES_AFTER_MS = 10_000;
const RETRY_MS = 1_000;
/** In a message; how many there are is said. */
const MAX_COMPLAINTS = 12;

export interface JudgeOptions {
  /** An earlier build wrote some of it, whose bytes are others: of a command its headers count, of a decision what was decided; rows not at all. */
  readonly mixed?: boolean;
}

/**
 * O1 and O2, of processors that are stopped or idle. O1: dispatch, decisions, dead letters, forwards, changelog and position are exactly what the core makes of the
 * timeline up to the committed offsets. O2: no transaction dangles. What is there is told by Kafka's own consumer.
 * @throws OracleError
 */
export async function judge(deployment: Deployment, { mixed = false }: JudgeOptions = {}): Promise<Judgement> {
  const beganMs = performance.now();
  for (;;) {
    const before = await committedOffsets(deployment);
    const { timeline, state, dispatch, decisions, deadLetters } = deployment.topics;
    const judged = await readAllCommitted([timeline, state, dispatch, decisions, deadLetters], deployment.direct);
    const dangling = [...judged].filter(([, { isStable }]) => !isStable).map(([topic]) => topic);
    const moved = !sameOffsets(before, await committedOffsets(deployment));
    const positions = positionsOf(recordsOf(judged, state));
    const differing = [...before].filter(([partition, offset]) => positions.get(partition)?.offset !== offset);
    const waited = performance.now() - beganMs;
    // A processor that is not quite idle, or markers on their way: look again. What stays is what is.
    const isMoving = moved || (dangling.length > 0 && waited < DANGLES_AFTER_MS) || (differing.length > 0 && waited < AGREES_AFTER_MS);
    if (isMoving && waited < 2 * DANGLES_AFTER_MS) {
      await sleep(RETRY_MS);
      continue;
    }
    if (moved) throw new Error(`${deployment.prefix}: the processors are not idle; stop them before they are judged`);
    if (dangling.length > 0)
      throw new OracleError('O2', `a transaction dangles in ${dangling.join(', ')} after ${DANGLES_AFTER_MS / 1000} s`);
    return await compare(deployment, judged, before, mixed);
  }
}

async function compare(
  deployment: Deployment,
  judged: ReadonlyMap<string, Judged>,
  committed: ReadonlyMap<number, number>,
  mixed: boolean,
): Promise<Judgement> {
  const { topics, codec, partitions } = deployment;
  const timeline = recordsOf(judged, topics.timeline);
  for (const records of [timeline, recordsOf(judged, topics.dispatch), recordsOf(judged, topics.decisions)])
    await codec.prepare(records.map(({ value }) => value));
  const programs = await programsOf(deployment);
  const complaints: string[] = [];
  let total: Judgement = { events: 0, ticks: 0, commands: 0, decisions: 0, deadLetters: 0, forwards: 0 };
  const forwarded = forwardsIn(deployment, timeline);
  const expectedForwards = new Multiset<string>();
  for (let partition = 0; partition < partitions; partition++) {
    const position = positionsOf(recordsOf(judged, topics.state).filter((record) => record.partition === partition)).get(partition);
    const first = firstVersion(position, programOf(deployment));
    const reference = new Reference({ programs, first, codec, topic: topics.timeline, partitions }, partition);
    const until = committed.get(partition) ?? 0;
    for (const record of timeline) if (record.partition === partition && record.offset < until) reference.take(record);
    const of = (topic: string): JudgedRecord[] => recordsOf(judged, topic).filter((record) => record.partition === partition);
    complaints.push(
      ...inOrder(deployment, topics.dispatch, reference.dispatch, of(topics.dispatch), mixed ? headerText : recordText),
      ...inOrder(deployment, topics.decisions, reference.decisions, of(topics.decisions), mixed ? decidedText(codec) : recordText),
      ...differences(`${topics.deadLetters}-${partition}`, reference.deadLetters, of(topics.deadLetters).map(deadLetterText)),
      ...(mixed ? [] : rowsDiffer(`${topics.state}-${partition}`, reference, of(topics.state))),
      ...positionDiffers(
        `${topics.timeline}-${partition}`,
        reference,
        committed.get(partition),
        positionsOf(of(topics.state)).get(partition),
      ),
    );
    for (const offset of reference.forwards) expectedForwards.add(`${partition}@${offset}`);
    total = {
      events: total.events + reference.events,
      ticks: total.ticks + reference.ticks,
      commands: total.commands + of(topics.dispatch).filter(({ headers }) => headers['kind']?.toString() === 'command').length,
      decisions: total.decisions + reference.decisions.length,
      deadLetters: total.deadLetters + reference.deadLetters.length,
      forwards: total.forwards + reference.forwards.length,
    };
  }
  complaints.push(...differences('forwards', expectedForwards.items(), forwarded));
  if (complaints.length > 0)
    throw new OracleError('O1', `${complaints.length} differences: ${complaints.slice(0, MAX_COMPLAINTS).join('\n')}`);
  return total;
}

/** Equal as multisets, and each user's in the same order. */
function inOrder(
  deployment: Deployment,
  topic: string,
  expected: readonly ExpectedRecord[],
  got: readonly JudgedRecord[],
  textOf: (record: ExpectedRecord | JudgedRecord) => string,
): string[] {
  const partition = got[0]?.partition;
  const where = partition === undefined ? topic : `${topic}-${partition}`;
  const texts = (records: readonly (ExpectedRecord | JudgedRecord)[]): string[] => records.map(textOf);
  const missing = differences(where, texts(expected), texts(got), (text) => (textOf === recordText ? nameOf(deployment, text) : text));
  if (missing.length > 0) return missing;
  const have = byKey(got);
  return [...byKey(expected)].flatMap(([key, records]) => {
    const [want, theirs] = [texts(records), texts(have.get(key) ?? [])];
    const at = want.findIndex((text, i) => text !== theirs[i]);
    return at < 0
      ? []
      : [
          `${where}: the same records of one user in another order, from the ${at + 1}th on: ${textOf === recordText ? nameOf(deployment, want[at]!) : want[at]!}`,
        ];
  });
}

function byKey<T extends { readonly key: Buffer | null }>(records: readonly T[]): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(records, ({ key }) => key?.toString('latin1') ?? '');
}

function rowsDiffer(where: string, reference: Reference, changelog: readonly JudgedRecord[]): string[] {
  const got = new Map<string, string>();
  for (const { key, value } of changelog) {
    if (key === null || key.equals(POSITION_KEY)) continue;
    if (value === null) got.delete(key.toString());
    else got.set(key.toString(), value.toString('base64'));
  }
  const want = new Map([...reference.rows()].map(([userId, row]) => [userId, row.toString('base64')]));
  const users = [...new Set([...want.keys(), ...got.keys()])].filter((userId) => want.get(userId) !== got.get(userId));
  return users.slice(0, 3).map((userId) => {
    const what = !got.has(userId)
      ? 'has no row'
      : !want.has(userId)
        ? 'has a row and should have none'
        : 'has another row than the log explains';
    return `${where}: ${userId} ${what} (${users.length} users in all)`;
  });
}

function positionDiffers(where: string, reference: Reference, committed: number | undefined, row: Position | undefined): string[] {
  if (row?.offset !== committed)
    return [`${where}: the position row says ${row?.offset ?? 'nothing'}, the group ${committed ?? 'nothing'}`];
  return row === undefined || row.nowMs === reference.nowMs ? [] : [`${where}: now is ${row.nowMs}, the log says ${reference.nowMs}`];
}

/** What the partition began with, before its timeline had a record of a topology. */
function firstVersion(position: Position | undefined, { hash }: Program): { readonly hash: string; readonly number: number } {
  const versions = decodeVersions(position?.stage ?? '');
  // Of a build that knew of none.
  if (versions === undefined) return { hash, number: 0 };
  const [earliest = versions] = versions.earlier;
  return { hash: earliest.hash, number: earliest.since };
}

/** Everything that was published, and what the processes are given: all of it, where a build of them publishes nothing. */
async function programsOf(deployment: Deployment): Promise<ReadonlyMap<string, Program>> {
  const published = (await deployment.records(deployment.topics.topologies)).map(({ value }) => value!.toString());
  const programs = [programOf(deployment), ...published.map((text) => compileCanonical(text, { app: deployment.prefix }).program)];
  return new Map(programs.map((program) => [program.hash, program]));
}

interface Position {
  readonly offset: number;
  readonly nowMs: number;
  readonly stage?: string;
}

function positionsOf(changelog: readonly JudgedRecord[]): ReadonlyMap<number, Position> {
  const positions = new Map<number, Position>();
  for (const { partition, key, value } of changelog)
    if (key?.equals(POSITION_KEY) === true && value !== null) positions.set(partition, decodePosition(value, `changelog-${partition}`));
  return positions;
}

function forwardsIn({ codec }: Deployment, timeline: readonly JudgedRecord[]): string[] {
  return timeline.flatMap(({ value }) => {
    const forward = value === null ? null : controlOf(codec, value)?.forward;
    return forward === null || forward === undefined ? [] : [`${forward.partition}@${forward.offset}`];
  });
}

/** undefined where it is something else, poison included. */
function controlOf(codec: Codec, value: Buffer): Control | undefined {
  try {
    const decoded = codec.decode(value);
    return decoded.record === 'lull.v1.Control' ? decoded.value : undefined;
  } catch (error) {
    if (error instanceof PoisonError) return undefined;
    throw error;
  }
}

function recordText({ key, value, headers }: ExpectedRecord | JudgedRecord): string {
  const sorted = Object.entries(headers).sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = sorted.map(([name, bytes]) => `${name}=${bytes.toString()}`);
  return [key?.toString('base64') ?? '-', value?.toString('base64') ?? '-', ...parts].join('\t');
}

function headerText({ key, headers }: ExpectedRecord | JudgedRecord): string {
  return recordText({ key: key!, value: Buffer.alloc(0), headers });
}

function decidedText(codec: Codec): (record: ExpectedRecord | JudgedRecord) => string {
  return ({ value }) => {
    const decoded = codec.decode(value!);
    if (decoded.record !== 'lull.v1.Decision') return decoded.record;
    const { userId, journey, step, key, occurrence, outcome, reason, commandId, channel, dueAtMs, decidedAtMs } = decoded.value;
    return JSON.stringify({ userId, journey, step, key, occurrence, outcome, reason, commandId, channel, dueAtMs, decidedAtMs });
  };
}

/** For people: what a record is, without its content. */
function nameOf({ codec }: Deployment, text: string): string {
  const [key = '', value = '', ...headers] = text.split('\t');
  const decoded = codec.decode(Buffer.from(value, 'base64'));
  const detail = 'journey' in decoded.value ? `${decoded.value.journey} of ${JSON.stringify(decoded.value.trigger)}` : '';
  return `${decoded.record} of ${Buffer.from(key, 'base64').toString()} ${detail} ${headers.find((header) => header.startsWith('command-id')) ?? ''}`;
}

function deadLetterText({ key, headers }: JudgedRecord): string {
  return `${headers['lull-offset']?.toString()} ${headers['lull-reason']?.toString()} ${key?.toString() ?? 'no key'}`;
}

function programOf({ topology, params, prefix }: Deployment): Program {
  const set = Object.fromEntries(params.map((param) => [param.slice(0, param.indexOf('=')), param.slice(param.indexOf('=') + 1)]));
  const compiled = compileTopology(resolve(import.meta.dirname, '../..', topology), { app: prefix, set });
  if (!compiled.ok) throw new Error(`${topology} is not usable: ${JSON.stringify(compiled.errors)}`);
  return compiled.program;
}

async function committedOffsets({ log, group, topics }: Deployment): Promise<ReadonlyMap<number, number>> {
  return log.admin.groupOffsets(group, topics.timeline);
}

function sameOffsets(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  return a.size === b.size && [...a].every(([partition, offset]) => b.get(partition) === offset);
}

function recordsOf(judged: ReadonlyMap<string, Judged>, topic: string): readonly JudgedRecord[] {
  const of = judged.get(topic);
  if (of === undefined) throw new Error(`the Java reader said nothing of ${topic}`);
  return of.records;
}
