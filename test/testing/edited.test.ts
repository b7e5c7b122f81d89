import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { checkTopology } from '../../src/testing/check.ts';
import { testTopology } from '../../src/testing/suite.ts';
import { formatIssue } from '../../src/topology/issue.ts';

const SAAS = path.join(import.meta.dirname, '../../topologies/saas');

it('says of a scenario that edits its topology what is wrong with the edit, each in its file, and once', ({ onTestFinished }) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'lull-edited-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(SAAS, folder, { recursive: true });
  const replace = (file: string, from: string, to: string): void => {
    const text = readFileSync(path.join(folder, file), 'utf8');
    expect(text).toContain(from);
    writeFileSync(path.join(folder, file), text.replaceAll(from, to));
  };
  replace('tests/edits/welcome_moved.yaml', '{ tour: next_morning }', '{ tour: nowhere }');
  replace('tests/edits.yaml', 'edits/welcome_short.yaml', 'edits/nosuch.yaml');
  replace('tests/edits.yaml', 'remove: [welcome]', 'remove: [welcom]');
  const said = checkTopology(folder, { app: 'test' }).errors.map((issue) => formatIssue(issue).replaceAll(`${folder}/`, '').split('\n')[0]);
  expect(said).toEqual([
    'tests/edits.yaml:17:26: error: the edited topology is not usable',
    'tests/edits.yaml:29:26: error: the edited topology is not usable',
    'tests/edits.yaml:75:37: error: there is no journey `welcom`',
    'tests/edits.yaml:87:37: error: there is no journey `welcom`',
    'tests/edits/nosuch.yaml: error: this file is missing',
    'tests/edits/welcome_moved.yaml:7:16: error: there is no wait `nowhere` for runs to go on at',
  ]);
});

it('runs them with the text that each run goes by, and warns of no folder of edits', () => {
  const { results, warnings } = testTopology(SAAS, { app: 'test', features: ['B9'] });
  expect(warnings).toEqual([]);
  expect(results.map(({ scenario, passed }) => [scenario.name, passed])).toEqual(results.map(({ scenario }) => [scenario.name, true]));
  expect(results.length).toBeGreaterThan(5);
});
