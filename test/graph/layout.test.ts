import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chartOf } from '../../src/graph/journey.ts';
import { layOut } from '../../src/graph/layout.ts';
import type { Layout, Line, Rect } from '../../src/graph/layout.ts';
import type { StepForm } from '../../src/topology/files.ts';
import { exampleChart, journey } from './example.ts';

const words = fc.stringMatching(/^[a-z_]{1,30}( [a-z]{1,12}){0,9}$/);

const { steps } = fc.letrec<{ steps: StepForm[]; step: StepForm }>((tie) => ({
  steps: fc.array(tie('step'), { maxLength: 3, depthIdentifier: 'steps' }),
  step: fc.oneof(
    { depthSize: 'small', depthIdentifier: 'steps', maxDepth: 4 },
    fc.record({ send: words, channels: fc.constant(['fcm']), class: fc.constant('plain'), ttl: fc.constant('1h'), template: words }),
    fc.record({ update: words, set: fc.record({ stage: words }) }),
    fc.record({ wait: words, for: fc.constant('1h'), until: words, then: tie('steps'), else: tie('steps') }),
    fc.record({
      branch: words,
      cases: fc.array(fc.record({ when: words, steps: tie('steps') }), { minLength: 1, maxLength: 3 }),
      else: tie('steps'),
    }),
    fc.record({
      split: words,
      arms: fc.array(fc.record({ name: words, share: fc.nat(100), steps: tie('steps') }), { minLength: 2, maxLength: 3 }),
    }),
    // Behind an exit nothing follows, which `lull check` sees to: it is put last.
    fc.record({ wait: words, for: fc.constant('1h'), until: words, then: fc.constant([{ exit: 'gone' }]), else: tie('steps') }),
  ),
}));

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

/** The stretches of a line, as thin areas that end where a box begins. */
function stretches({ points }: Line): Rect[] {
  return points.slice(1).map(([x, y], i) => {
    const [fromX, fromY] = points[i]!;
    return { x: Math.min(x, fromX), y: Math.min(y, fromY), width: Math.abs(x - fromX), height: Math.abs(y - fromY) };
  });
}

function expectTidy({ boxes, labels, lines, aside, width, height }: Layout): void {
  const areas: Rect[] = [...boxes, ...labels, aside];
  areas.forEach((area, i) => {
    expect(areas.slice(i + 1).filter((other) => overlap(area, other))).toEqual([]);
    expect(area.x).toBeGreaterThanOrEqual(0);
    expect(area.x + area.width).toBeLessThanOrEqual(width);
    expect(area.y + area.height).toBeLessThanOrEqual(height);
  });
  for (const stretch of lines.flatMap(stretches)) expect([...boxes, aside].filter((box) => overlap(stretch, box))).toEqual([]);
}

describe('the layout', () => {
  it('puts nothing onto anything else, and leads no line through a box', () => {
    fc.assert(
      fc.property(steps, (list) => {
        expectTidy(layOut(chartOf(journey('a', { steps: list, reentry: 'once', goal: 'paid' }), [])));
      }),
      { numRuns: 300 },
    );
  });

  it('leads straight down where a way has nothing of its own', () => {
    const { boxes } = layOut(exampleChart('saas', 'welcome'));
    const middles = new Map(boxes.map(({ node, x, width }) => [node.name ?? node.kind, x + width / 2]));
    expect(
      new Set(['trigger', 'hello', 'tour', 'third_day', 'by_plan', 'invite_friend', 'end'].map((name) => middles.get(name))).size,
    ).toBe(1);
    expect(middles.get('tour_help')).toBeGreaterThan(middles.get('tour')!);
  });

  it('ends every arrow at the top of a box, and each box but the trigger has one', () => {
    const { boxes, lines } = layOut(exampleChart('saas', 'welcome'));
    const tops = boxes.slice(1).map(({ x, y, width }) => `${x + width / 2} ${y}`);
    expect(
      lines
        .filter(({ arrow }) => arrow)
        .map(({ points }) => points.at(-1)!.join(' '))
        .sort(),
    ).toEqual(tops.sort());
  });
});
