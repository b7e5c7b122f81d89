import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { nodeProblem } from '../../src/cli/node-version.ts';

const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { engines: { node: string } };

it.each(['20.20.2', '22.0.0', '22.17.9', '9.99.0'])('an older Node is named, with what is needed: %s', (version) => {
  expect(nodeProblem(version, engines.node)).toMatch(`Node 22.18 or newer is needed, and this is ${version}: `);
});

it.each(['22.18.0', '22.20.1', '24.0.0', process.versions.node])('a Node that is new enough is no problem: %s', (version) => {
  expect(nodeProblem(version, engines.node)).toBeUndefined();
});
