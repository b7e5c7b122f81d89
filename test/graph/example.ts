import path from 'node:path';
import { chartOf } from '../../src/graph/journey.ts';
import type { Chart } from '../../src/graph/chart.ts';
import type { JourneyFile, OnForm } from '../../src/topology/files.ts';
import { loadFolder } from '../../src/topology/load.ts';

export const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');

/** All journeys of an example. */
export function chartsOf(topology: string): Chart[] {
  const { loaded } = loadFolder(path.join(TOPOLOGIES, topology), {});
  const templates = loaded.templates.map(({ value }) => value);
  return loaded.journeys.map(({ value }) => chartOf(value, templates));
}

export function exampleChart(topology: string, name: string): Chart {
  const chart = chartsOf(topology).find((candidate) => candidate.name === name);
  if (chart === undefined) throw new Error(`${topology} has no journey ${name}`);
  return chart;
}

/** A journey with this pattern, or with other fields. */
export function journey(on: string | OnForm, fields: Partial<JourneyFile> = {}): JourneyFile {
  return { name: 'main', on, steps: [{ exit: 'done' }], ...fields };
}
