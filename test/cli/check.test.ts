import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { brokenShop } from '../topology/shop.ts';
import { lull } from './run.ts';

const SHOP = path.join(import.meta.dirname, '../../topologies/shop');

describe('lull check', () => {
  it('says how much a topology without an error holds, and its hash', async () => {
    const { code, stdout, stderr } = await lull(['check', SHOP]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/shop: 5 journeys, \d+ scenarios, no error \([0-9a-f]{12}\)\n$/);
  });

  it('says what each part keeps of a user, where it is asked for', async () => {
    const { code, stdout } = await lull(['check', '--costs', SHOP]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ {2}a user's row: \d+ B with one of each, [\d.]+ KiB at the limits; beside profile, devices and consent\n/);
    expect(stdout).toMatch(/ +\d+ B +\d+ B +1h +a pattern that waits to come true {2}\(cart_abandoned\)\n/);
    const json = await lull(['check', '--costs', '--json', SHOP]);
    const { topologies } = JSON.parse(json.stdout) as { topologies: [{ costs: { oneBytes: number; parts: object[] } }] };
    expect(topologies[0].costs.oneBytes).toBeGreaterThan(0);
    expect(topologies[0].costs.parts).toContainEqual(expect.objectContaining({ for: ['cart_abandoned'], keptForMs: 3_600_000 }));
  });

  it('names all mistakes by file, line and column, and fails', async () => {
    await brokenShop(
      [
        ['journeys/cart_abandoned.yaml', 'ttl: 4h', 'ttl: 4'],
        ['journeys/checkout_idle.yaml', 'after: checkout_started', 'after: checkout_begun'],
      ],
      async (folder) => {
        const { code, stdout, stderr } = await lull(['check', `${folder}/`]);
        expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
        expect(stdout.replaceAll(folder, 'shop').split('\n')).toEqual([
          'shop/journeys/cart_abandoned.yaml:32:10: error: `ttl` must be a duration such as 90s, 30m, 1h or 7d, not 4',
          '    4 of what? write 4s, 4m or 4h',
          'shop/journeys/checkout_idle.yaml:8:12: error: there is no event `checkout_begun` in events.yaml',
          expect.stringMatching(/^ {4}events: app_opened, /),
          'shop: 2 errors',
          '',
        ]);
      },
    );
  });

  it('finds the mistakes of scenarios too', async () => {
    await brokenShop([['tests/checkout_idle.yaml', 'event: page_viewed', 'event: page_view']], async (folder) => {
      const { code, stdout } = await lull(['check', folder]);
      expect(code).toBe(1);
      expect(stdout).toContain('error: there is no event `page_view` in events.yaml\n    did you mean `page_viewed`?');
    });
  });

  it('gives one JSON object where it is asked for', async () => {
    await brokenShop([['journeys/cart_abandoned.yaml', 'expires: 6h', 'expirs: 6h']], async (folder) => {
      const { code, stdout } = await lull(['check', '--json', folder, SHOP, '--set', 'cartWait=3s']);
      expect(code).toBe(1);
      const { topologies } = JSON.parse(stdout) as { topologies: object[] };
      expect(topologies).toMatchObject([
        {
          folder,
          ok: false,
          hash: null,
          errors: [
            {
              file: `${folder}/journeys/cart_abandoned.yaml`,
              line: 21,
              column: 1,
              message: '`expirs` is not known here',
              hint: 'did you mean `expires`?',
            },
          ],
        },
        { folder: SHOP, ok: true, name: 'shop', hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string, errors: [] },
      ]);
    });
  });

  it('says what is wrong with a folder or a param that is not there', async () => {
    const missing = await lull(['check', '/nowhere/shop']);
    expect(missing.code).toBe(1);
    expect(missing.stdout).toContain('/nowhere/shop: error: there is no such folder');
    const file = path.join(SHOP, 'topology.yaml');
    expect((await lull(['check', file])).stdout).toContain(`${file}: error: this is not a folder`);
    const set = await lull(['check', SHOP, '--set', 'cartWait']);
    expect(set).toEqual({ code: 2, stdout: '', stderr: 'lull: --set cartWait: write it as name=value, for example --set cartWait=3s\n' });
  });
});
