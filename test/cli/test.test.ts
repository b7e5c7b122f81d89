import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenShop } from '../topology/shop.ts';
import { lull } from './run.ts';

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');
const SHOP = path.join(TOPOLOGIES, 'shop');

describe('lull test', () => {
  it('runs the scenarios of every topology that is named', async () => {
    const { code, stdout, stderr } = await lull(['test', SHOP, path.join(TOPOLOGIES, 'w1')]);
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
});
