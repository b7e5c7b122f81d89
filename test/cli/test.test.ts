import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenShop } from '../topology/shop.ts';
import { lull, MAIN } from './run.ts';

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');
const SHOP = path.join(TOPOLOGIES, 'shop');
const W1 = path.join(TOPOLOGIES, 'w1');

/** One that passes and one that fails. */
const MORE = `
scenarios:
  - name: A7 <in> the "name" & not of it
    features: [A70, X]
    timeline: [{ at: 0s, event: app_opened }]
    expect: {}
  - name: fails
    timeline: [{ at: 0s, event: app_opened }]
    expect:
      sent: [{ at: 1h, journey: cart_abandoned, key: <b> }]
`;

describe('lull test', () => {
  it('runs the scenarios of every topology that is named', async () => {
    const { code, stdout, stderr } = await lull(['test', SHOP, W1]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/shop: \d+ passed\n.*w1: \d+ passed\n$/);
  });

  it('prints expected against got where a scenario fails, and fails', async () => {
    await brokenShop([['journeys/cart_abandoned.yaml', 'within: ${params.cartWait}', 'within: 30m']], async (folder) => {
      const { code, stdout } = await lull(['test', folder, '--filter', 'forgotten cart']);
      expect(code).toBe(1);
      expect(stdout.replaceAll(folder, 'shop').split('\n')).toEqual([
        expect.stringMatching(/^shop\/tests\/cart_abandoned\.yaml:\d+: a forgotten cart gets one reminder, an hour after the last item$/),
        expect.stringMatching(/^ {4}expected {2}1h5m {6}waiting {3}cart_abandoned key=c1 {2}\(line \d+\)$/),
        '    got       nothing',
        expect.stringMatching(/^ {4}expected {2}nothing {2}\(line \d+\)$/),
        '    got       35m       waiting   cart_abandoned key=c1',
        expect.stringMatching(/^ {4}expected {2}1h5m {6}sent {6}cart_abandoned\/reminder key=c1 {2}\(line \d+\)$/),
        '    got       35m       sent      cart_abandoned/reminder key=c1',
        'shop: 0 passed, 1 failed',
        '',
      ]);
    });
  });

  it('gives one JSON object where it is asked for, times counted from the start of the scenario', async () => {
    const { code, stdout } = await lull(['test', SHOP, '--json', '--filter', 'ten minutes of silence', '--set', 'checkoutWait=11m']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      passed: 0,
      failed: 1,
      topologies: [
        {
          folder: SHOP,
          errors: [],
          scenarios: [
            {
              name: 'ten minutes of silence in the checkout get a nudge',
              features: ['A5', 'E2'],
              passed: false,
              differences: [
                {
                  kind: 'different',
                  fields: ['at'],
                  expected: { outcome: 'sent', atMs: 600_000 },
                  got: { outcome: 'sent', atMs: 660_000 },
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it('runs nothing of a topology that is broken, and says why', async () => {
    await brokenShop([['journeys/cart_abandoned.yaml', 'ttl: 4h', 'ttl: 4']], async (folder) => {
      const { code, stdout } = await lull(['test', folder]);
      expect(code).toBe(1);
      expect(stdout.replaceAll(folder, 'shop')).toBe(
        'shop/journeys/cart_abandoned.yaml:32:10: error: `ttl` must be a duration such as 90s, 30m, 1h or 7d, not 4\n    4 of what? write 4s, 4m or 4h\nshop: not run, 1 error\n',
      );
    });
  });

  it('fails where no scenario is left to run', async () => {
    const { code, stderr } = await lull(['test', SHOP, '--filter', 'no such thing']);
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'lull: no scenario has "no such thing" in its name, file or features\n' });
  });

  it('runs the scenarios of one feature, by its very id', async () => {
    await brokenShop([['tests/more.yaml', null, MORE]], async (folder) => {
      const { stdout } = await lull(['test', folder, '--feature', 'A7', '--feature', 'X', '--json']);
      const { topologies } = JSON.parse(stdout) as { topologies: { scenarios: { features: string[] }[] }[] };
      const features = topologies[0]!.scenarios.map((scenario) => scenario.features);
      expect(features.length).toBeGreaterThan(1);
      // Not A70, which the name of one has as well.
      expect(features.every((ids) => ids.includes('A7') || ids.includes('X'))).toBe(true);
      expect(features.some((ids) => ids.includes('X'))).toBe(true);
      const { code, stderr } = await lull(['test', folder, '--feature', 'A', '--filter', 'more']);
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: 'lull: no scenario has "more" in its name, file or features and the feature A\n',
      });
    });
  });

  it('writes JUnit XML where it is asked to, with what failed and what is broken', async () => {
    await brokenShop([['tests/more.yaml', null, MORE]], async (folder) => {
      const file = path.join(folder, 'reports/junit.xml');
      const { code, stdout } = await lull(['test', folder, path.join(folder, 'nowhere'), '--filter', 'more.yaml', '--junit', file]);
      expect(code).toBe(1);
      expect(stdout).toContain('1 passed, 1 failed');
      const xml = readFileSync(file, 'utf8').replaceAll(folder, 'shop');
      expect(xml.split('\n')).toEqual([
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<testsuites name="lull test" tests="3" failures="1" errors="1" skipped="0">',
        '  <testsuite name="shop" tests="2" failures="1" errors="0" skipped="0">',
        '    <testcase classname="shop/tests/more.yaml" name="A7 &lt;in&gt; the &quot;name&quot; &amp; not of it" file="shop/tests/more.yaml" line="3"/>',
        '    <testcase classname="shop/tests/more.yaml" name="fails" file="shop/tests/more.yaml" line="7">',
        '      <failure message="1 difference">shop/tests/more.yaml:7: fails',
        '    expected  1h        sent      cart_abandoned key=&lt;b&gt;  (line 10)',
        '    got       nothing</failure>',
        '    </testcase>',
        '  </testsuite>',
        '  <testsuite name="shop/nowhere" tests="1" failures="0" errors="1" skipped="0">',
        '    <testcase classname="shop/nowhere" name="lull check">',
        '      <error message="1 error">shop/nowhere: error: there is no such folder',
        '    a topology is a folder with topology.yaml, events.yaml, journeys/ and templates/</error>',
        '    </testcase>',
        '  </testsuite>',
        '</testsuites>',
        '',
      ]);
    });
  });

  it('says in one line that the results cannot be written', async () => {
    const { code, stderr } = await lull(['test', SHOP, '--junit', path.join(SHOP, 'topology.yaml', 'junit.xml')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lull: the results cannot be written: .*\n$/);
  });
});

describe('lull test --coverage', () => {
  it('says what no scenario covers, over all topologies', async () => {
    const { code, stdout } = await lull(['test', SHOP, W1, '--coverage']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^features {2}\d+ of 25 covered, \d+ %$/m);
    // Not of the features: that is for the examples to grow into.
    expect(stdout).toMatch(/^journeys {2}(\d+) of \1 covered, 100 %\nsteps {5}(\d+) of \2 covered, 100 %\n$/m);
  });

  it('names what is not covered', async () => {
    const { stdout } = await lull(['test', SHOP, '--coverage', '--filter', 'a forgotten cart']);
    const lines = stdout.split('\n');
    expect(lines).toContain('    A6   never refused  abandonment: one thing, and not the other in time');
    expect(lines).toContain('    A7   no scenario    the end of a session, and a delay');
    expect(lines).toContain(`    ${SHOP}: checkout_idle`);
    expect(lines).toContain(`    ${SHOP}: checkout_idle/nudge`);
  });

  it('fails where more is asked for', async () => {
    const minimum = ['--coverage-min', 'journeys=33', '--coverage-min', 'steps=100', '--coverage-min', 'features=1'];
    const { code, stdout, stderr } = await lull(['test', W1, '--coverage', '--filter', 'the hour runs', ...minimum]);
    expect(code).toBe(1);
    expect(stdout).toContain('journeys  1 of 3 covered, 33 %\n');
    expect(stderr.split('\n')).toEqual([
      'lull: coverage of features: 0 %, at least 1 % are asked for',
      'lull: coverage of steps: 33 %, at least 100 % are asked for',
      '',
    ]);
  });

  it('gives each id with its scenarios as JSON', async () => {
    const { code, stdout } = await lull(['test', SHOP, '--coverage', '--json', '--feature', 'B4']);
    expect(code).toBe(0);
    const { coverage } = JSON.parse(stdout) as { coverage: { features: { id: string }[] } };
    const scenario = {
      ...{ name: 'a cart is reminded of once a week', file: path.join(SHOP, 'tests/cart_abandoned.yaml') },
      ...{ line: expect.any(Number) as number, sends: true, refuses: true },
    };
    expect(coverage).toMatchObject({ percent: { features: 8 }, otherIds: [] });
    expect(coverage.features.find(({ id }) => id === 'B4')).toMatchObject({
      covered: true,
      scenarios: expect.arrayContaining([scenario]) as unknown,
    });
    expect(coverage).toMatchObject({
      journeys: expect.arrayContaining([{ folder: SHOP, journey: 'cart_abandoned', covered: true, scenarios: [scenario] }]) as unknown,
      steps: expect.arrayContaining([
        { folder: SHOP, journey: 'cart_abandoned', step: 'reminder', covered: true, scenarios: [scenario] },
      ]) as unknown,
    });
  });

  it.each([
    [
      ['--coverage', '--coverage-min', 'lines=80'],
      '--coverage-min lines=80: write it as features=100, journeys=100, steps=100; in percent',
    ],
    [
      ['--coverage', '--coverage-min', 'steps=101'],
      '--coverage-min steps=101: write it as features=100, journeys=100, steps=100; in percent',
    ],
    [['--coverage-min', 'steps=80'], '--coverage-min needs --coverage'],
  ])('refuses %j with one line', async (args, message) => {
    const { code, stderr } = await lull(['test', SHOP, ...args]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: `lull: ${message}\n` });
  });
});

describe('lull test --watch', () => {
  it('runs again when a file changes, not because of its own report, and ends with Ctrl-C', async () => {
    await brokenShop([], async (folder) => {
      const journey = path.join(folder, 'journeys/checkout_idle.yaml');
      const right = readFileSync(journey, 'utf8');
      const wrong = right.replace('${params.checkoutWait}', '11m');
      expect(wrong).not.toBe(right);
      // As editors do, and at once: half a file would be a run of its own.
      const save = (content: string): void => {
        const aside = path.join(folder, '../aside.yaml');
        writeFileSync(aside, content);
        renameSync(aside, journey);
      };
      const args = ['test', folder, '--watch', '--feature', 'A5', '--junit', path.join(folder, 'junit.xml')];
      const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
      const exited = once(child, 'exit');
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      const runs = (): string[] => said.replaceAll(folder, 'shop').split('watching shop; Ctrl-C ends\n').slice(0, -1);
      const after = (count: number): Promise<string> =>
        expect
          .poll(runs, { timeout: 30_000 })
          .toHaveLength(count)
          .then(() => runs().at(-1)!);
      try {
        expect(await after(1)).toMatch(/^shop: \d+ passed\n$/);
        save(wrong);
        expect(await after(2)).toMatch(/got {7}11m[^]*shop: \d+ passed, \d+ failed\n$/);
        save(wrong.replace('ttl: ', 'tll: '));
        expect(await after(3)).toMatch(/shop: not run, \d+ errors?\n$/);
        save(right);
        expect(await after(4)).toMatch(/^shop: \d+ passed\n$/);
      } finally {
        child.kill('SIGINT');
      }
      expect(await exited).toEqual([0, null]);
      expect(runs()).toHaveLength(4);
      expect(said).not.toContain('\x1b');
    });
  });

  it('says that it has no one document to give', async () => {
    const { code, stderr } = await lull(['test', SHOP, '--watch', '--json']);
    expect({ code, stderr }).toEqual({ code: 2, stderr: 'lull: --watch is for people, and --json is one document: choose one of them\n' });
  });

  it('says what cannot be watched', async () => {
    const { code, stderr } = await lull(['test', path.join(SHOP, 'nowhere'), '--watch']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/nowhere cannot be watched: ENOENT.*\n$/);
  });
});
