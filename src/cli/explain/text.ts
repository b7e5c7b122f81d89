import type { Outcome } from '../../avro/records.ts';
import type { Decision } from '../../core/output.ts';
import { formatDuration } from '../../topology/duration.ts';
import type { Silence } from './silence.ts';

/** Decisions and silences in words. Times are UTC. */
export function decisionText(decision: Decision, outcomes: readonly Outcome[]): string {
  const key = decision.key === '' ? '' : `  ${decision.key}`;
  const because = decision.outcome === 'sent' ? '' : `: ${decision.reason}`;
  const lines = [`${time(decision.decidedAtMs)}  ${decision.outcome}  ${decision.journey}/${decision.step}${key}${because}`];
  const late = decision.decidedAtMs - decision.dueAtMs;
  const { trigger } = decision;
  lines.push(
    `  started by ${trigger.eventId} (${trigger.topic}-${trigger.partition} offset ${trigger.offset}), due ${time(decision.dueAtMs)}${late > 0 ? `, decided ${formatDuration(late)} later` : ''}`,
  );
  for (const { name, passed, detail } of decision.checks)
    lines.push(`  ${passed ? 'ok' : 'NO'}  ${name.padEnd(12)}${inUnits(detail)}`.trimEnd());
  if (decision.outcome === 'sent')
    lines.push(`  command ${decision.commandId}${decision.channel === null ? '' : ` by ${decision.channel}`}`);
  for (const outcome of outcomes) lines.push(`  ${outcomeText(outcome)}`);
  lines.push(`  topology ${decision.topology} ${decision.topologyHash.slice(0, 12)}`);
  return lines.join('\n');
}

/** Decisions write exact milliseconds, as machines want them: `4281 ms` is `4s281ms` for people. */
function inUnits(detail: string): string {
  return detail.replace(/\b(\d+) ms\b/g, (_, ms: string) => formatDuration(Number(ms)));
}

function outcomeText({ atMs, provider, device, class: kind, code, attempt, final }: Outcome): string {
  const to = device === null ? '' : ` ${device.deviceId}`;
  return `${time(atMs)}  ${provider}${to}: ${kind}${code === null ? '' : ` (${code})`}, attempt ${attempt}${final ? '' : ', not final'}`;
}

export function silenceText(silence: Silence): string {
  const { journey, startsOn, came, lastMs, waiting, openSinceMs, ended } = silence;
  const lines: string[] = [];
  const of = (key: string) => (key === '' ? '' : ` (${key})`);
  for (const { key, sinceMs, untilMs } of waiting) lines.push(`waits${of(key)} since ${time(sinceMs)}, until ${time(untilMs)}`);
  for (const { key, sinceMs, by, atMs } of ended) lines.push(`started${of(key)} ${time(sinceMs)}, ended by ${by} ${time(atMs)}`);
  if (openSinceMs !== null) lines.push(`the session that began ${time(openSinceMs)} is still open`);
  if (lines.length === 0) {
    if (came === 0) lines.push(startsOn === 'session' ? 'no session came' : `${startsOn} never came`);
    else
      lines.push(
        `${startsOn} came ${came === 1 ? 'once' : `${came} times`}${lastMs === null ? '' : `, last ${time(lastMs)}`}, and its condition did not hold or something had already ruled it out`,
      );
  }
  return lines.map((line, i) => `${(i === 0 ? journey : '').padEnd(20)}  ${line}`).join('\n');
}

export function time(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('.000Z', 'Z');
}
