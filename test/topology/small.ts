import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Journey, SendStep } from '../../src/core/journey.ts';
import { compileTopology } from '../../src/topology/compile.ts';
import type { CompiledTopology, CompileOptions } from '../../src/topology/compile.ts';
import { formatIssue } from '../../src/topology/issue.ts';

export type Files = Readonly<Record<string, string>>;

/** The least topology around what a test is about: one journey on `watched` that sends by `log`, to everybody. */
export const SMALL: Files = {
  'topology.yaml': `
channels: { log: { device: false } }
classes: { plain: { consent: not_needed, capped: false, promise: at_most_once } }
`,
  'events.yaml': `
watched: { properties: { percent: long, minutes: double, show: string, live: boolean, rating: long? } }
paused: { properties: { show: string } }
billed: { activity: false, properties: { amount: double } }
`,
  'journeys/main.yaml': `
name: main
on: watched
steps:
  - send: note
    channels: [log]
    class: plain
    ttl: 1h
    data: { show: trigger.show }
`,
};

export function inFolder<T>(files: Files, use: (folder: string) => T): T {
  const temporary = mkdtempSync(path.join(tmpdir(), 'lull-test-small-'));
  const folder = path.join(temporary, 'small');
  try {
    for (const [name, text] of Object.entries(files)) {
      const at = path.join(folder, name);
      mkdirSync(path.dirname(at), { recursive: true });
      writeFileSync(at, text);
    }
    return use(folder);
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

/** Compiles the small topology with some of its files replaced. */
export function compileSmall(files: Files = {}, options: Partial<CompileOptions> = {}): CompiledTopology {
  return inFolder({ ...SMALL, ...files }, (folder) => {
    const compiled = compileTopology(folder, { app: 'test', ...options });
    if (!compiled.ok) throw new Error(compiled.errors.map(formatIssue).join('\n'));
    return compiled;
  });
}

/** A journey on `watched` with one more line. */
export function journeyWith(...lines: readonly string[]): string {
  return [SMALL['journeys/main.yaml']!.trimEnd(), ...lines, ''].join('\n');
}

/** The journey's first message. */
export function sendOf({ steps }: Journey): SendStep {
  const send = steps.find((step) => step.kind === 'send');
  if (send === undefined) throw new Error('the journey sends nothing');
  return send;
}
