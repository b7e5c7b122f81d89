import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkTopology } from '../../src/testing/check.ts';
import { formatIssue } from '../../src/topology/issue.ts';

const SHOP = path.join(import.meta.dirname, '../../topologies/shop');
const FILES = [
  ...['topology.yaml', 'events.yaml', 'journeys/cart_abandoned.yaml', 'journeys/checkout_idle.yaml', 'journeys/browsed_no_cart.yaml'],
  ...['templates/cart_reminder.yaml', 'tests/checkout_idle.yaml'],
];
const SCRAPS = [
  ...[
    '[]',
    '{}',
    'null',
    '~',
    '-1',
    'true',
    '"',
    "'",
    '*',
    '*a',
    '&a',
    '${params.x}',
    '${',
    '{{',
    '}}',
    '{% if %}',
    ': ',
    ' - ',
    '\n',
    '  ',
    '\t',
  ],
  ...[
    '0s',
    'trigger',
    'event',
    'session.counts',
    '[1, 2]',
    '{a: 1}',
    '!!binary x',
    '<<: {}',
    '999999999999999999d',
    '__proto__',
    'constructor',
  ],
  ...['|\n', '>-\n', '? ', '#', '😀', '== ', '&& ', '(', ')', '.', '\\'],
];

const damage = fc.record({
  line: fc.nat(),
  at: fc.nat(),
  what: fc.constantFrom('insert', 'value', 'key', 'delete', 'drop', 'repeat'),
  scrap: fc.constantFrom(...SCRAPS),
});
type Damage = typeof damage extends fc.Arbitrary<infer D> ? D : never;

function damaged(text: string, { line, at, what, scrap }: Damage): string {
  const lines = text.split('\n');
  const index = line % lines.length;
  const old = lines[index]!;
  const column = at % (old.length + 1);
  const colon = old.indexOf(':');
  switch (what) {
    case 'insert':
      lines[index] = old.slice(0, column) + scrap + old.slice(column);
      break;
    case 'value':
      if (colon > 0) lines[index] = `${old.slice(0, colon)}: ${scrap}`;
      break;
    case 'key':
      lines[index] = old.replace(/[\w$]+:/, () => `${scrap}:`);
      break;
    case 'delete':
      lines[index] = old.slice(0, column) + old.slice(column + 1);
      break;
    case 'drop':
      lines.splice(index, 1);
      break;
    case 'repeat':
      lines.splice(index, 0, lines[at % lines.length]!);
      break;
  }
  return lines.join('\n');
}

let folder: string;
beforeAll(() => {
  folder = path.join(mkdtempSync(path.join(tmpdir(), 'lull-test-damaged-')), 'shop');
  cpSync(SHOP, folder, { recursive: true });
});
afterAll(() => rmSync(path.dirname(folder), { recursive: true }));

describe('whatever is done to a file of a topology', () => {
  it('is told in lines that name a place, never by an exception', () => {
    fc.assert(
      fc.property(fc.constantFrom(...FILES), fc.array(damage, { minLength: 1, maxLength: 3 }), (name, damages) => {
        const file = path.join(folder, name);
        const whole = readFileSync(path.join(SHOP, name), 'utf8');
        writeFileSync(file, damages.reduce(damaged, whole));
        try {
          const { errors, warnings } = checkTopology(folder, { app: 'test' });
          for (const issue of [...errors, ...warnings]) {
            expect(formatIssue(issue)).not.toMatch(/undefined|\[object|\bat .*:\d+:\d+\)|Error:/);
            const lines = readFileSync(issue.file, 'utf8').split('\n');
            expect(issue.line).toBeGreaterThanOrEqual(1);
            expect(issue.line).toBeLessThanOrEqual(lines.length);
            expect(issue.column).toBeLessThanOrEqual(lines[issue.line - 1]!.length + 1);
          }
        } finally {
          writeFileSync(file, whole);
        }
      }),
      { numRuns: 150 },
    );
  });
});
