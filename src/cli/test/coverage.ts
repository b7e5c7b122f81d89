import { anySends, MEASURES, percentOf } from '../../testing/coverage.ts';
import type { Coverage, Covered, Measure, Reach } from '../../testing/coverage.ts';
import { UsageError } from '../errors.ts';

/** Percent that are asked for, by measure. */
export type Minimum = Readonly<Partial<Record<Measure, number>>>;

/** `--coverage-min features=100`, once per measure. @throws UsageError */
export function parseMinimum(pairs: readonly string[]): Minimum {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [measure = '', percent = ''] = pair.split('=');
      if (!MEASURES.some((known) => known === measure) || !/^\d+$/.test(percent) || Number(percent) > 100)
        throw new UsageError(`--coverage-min ${pair}: write it as ${MEASURES.map((known) => `${known}=100`).join(', ')}; in percent`);
      return [measure, Number(percent)];
    }),
  );
}

/** What is covered by less than was asked for, a line each. */
export function shortOf(coverage: Coverage, minimum: Minimum): string[] {
  return MEASURES.filter((measure) => percentOf(coverage[measure]) < (minimum[measure] ?? 0)).map(
    (measure) => `coverage of ${measure}: ${rounded(coverage[measure])} %, at least ${minimum[measure]} % are asked for`,
  );
}

/** For people: how much of everything, and what is not covered. */
export function coverageText({ features, journeys, steps }: Coverage): string {
  const lines = [
    total('features', features),
    ...features.filter(({ covered }) => !covered).map(({ name, title, reached }) => `    ${name.padEnd(4)} ${missing(reached)}  ${title}`),
    total('journeys', journeys),
    ...journeys.filter(({ covered }) => !covered).map(({ folder, name }) => `    ${folder}: ${name}`),
    total('steps', steps),
    ...steps.filter(({ covered }) => !covered).map(({ folder, journey, name }) => `    ${folder}: ${journey}/${name}`),
  ];
  return `${lines.join('\n')}\n`;
}

function total(measure: Measure, all: readonly Covered[]): string {
  return `${measure.padEnd(8)}  ${all.filter(({ covered }) => covered).length} of ${all.length} covered, ${rounded(all)} %`;
}

function missing(reached: readonly Reach[]): string {
  return (reached.length === 0 ? 'no scenario' : anySends(reached) ? 'never refused' : 'never sent').padEnd(13);
}

/** Downwards: what is not all of it must not read as 100. */
function rounded(all: readonly Covered[]): number {
  return Math.floor(percentOf(all));
}

export function coverageObject(coverage: Coverage): object {
  const { features, journeys, steps, otherIds } = coverage;
  return {
    percent: Object.fromEntries(MEASURES.map((measure) => [measure, percentOf(coverage[measure])])),
    features: features.map(({ name, title, covered, reached }) => ({ id: name, title, covered, scenarios: reached.map(reachObject) })),
    journeys: journeys.map(({ folder, name, covered, reached }) => ({
      ...{ folder, journey: name, covered },
      scenarios: reached.map(reachObject),
    })),
    steps: steps.map(({ folder, journey, name, covered, reached }) => ({
      ...{ folder, journey, step: name, covered },
      scenarios: reached.map(reachObject),
    })),
    otherIds: otherIds.map(({ name, reached }) => ({ id: name, scenarios: reached.map(reachObject) })),
  };
}

function reachObject({ scenario: { name, file, place }, sends, refuses }: Reach): object {
  return { name, file, line: place.line, sends, refuses };
}
