import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { brokenShop } from '../topology/shop.ts';
import { lull } from './run.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const SHOP = path.join(ROOT, 'topologies/shop');
const NAMES = ['browsed_no_cart', 'cart_abandoned', 'checkout_idle', 'low_stock', 'price_drop'];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'lull-test-graph-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('lull graph', () => {
  it('draws one journey to stdout, as SVG or as Mermaid', async () => {
    const svg = await lull(['graph', SHOP, '--journey', 'cart_abandoned']);
    expect({ code: svg.code, stderr: svg.stderr }).toEqual({ code: 0, stderr: '' });
    expect(svg.stdout).toMatch(/^<svg [^]*<title [^>]*>Journey cart_abandoned<\/title>[^]*<\/svg>\n$/);
    const mermaid = await lull(['graph', SHOP, '--journey', 'cart_abandoned', '--format', 'mermaid', '--set', 'cartWait=3s']);
    expect(mermaid.stdout).toMatch(/^---\ntitle: "cart_abandoned"\n---\nflowchart TD\n[^]*no purchase_completed within 3s, per cartId/);
  });

  it('draws all of them into a folder, which it makes, and says what it wrote', async () => {
    const out = path.join(folder, 'new/pictures');
    const { code, stdout, stderr } = await lull(['graph', SHOP, '--out', out]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(NAMES.map((name) => `${path.join(out, name)}.svg\n`).join(''));
    expect((await lull(['graph', SHOP, '--format', 'mermaid', '--out', out])).code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(NAMES.flatMap((name) => [`${name}.mmd`, `${name}.svg`]));
  });

  it('writes one journey into the file or the folder that is named, in the format of its ending', async () => {
    const file = path.join(folder, 'cart.mmd');
    expect((await lull(['graph', SHOP, '--journey', 'cart_abandoned', '--out', file])).stdout).toBe(`${file}\n`);
    expect(readFileSync(file, 'utf8')).toContain('flowchart TD');
    expect((await lull(['graph', SHOP, '--journey', 'cart_abandoned', '--out', folder])).code).toBe(0);
    expect(readFileSync(path.join(folder, 'cart_abandoned.svg'), 'utf8')).toContain('<svg ');
  });

  it('says what to write where several journeys have no folder to go to', async () => {
    const without = await lull(['graph', SHOP]);
    expect({ ...without, stderr: without.stderr.replace(SHOP, 'shop') }).toEqual({
      code: 2,
      stdout: '',
      stderr: `lull: shop has 5 journeys: add --out FOLDER for all of them, or --journey NAME for one: ${NAMES.join(', ')}\n`,
    });
    const file = path.join(folder, 'all.svg');
    expect(await lull(['graph', SHOP, '--out', file])).toEqual({
      code: 2,
      stdout: '',
      stderr: `lull: --out ${file}: 5 journeys need a folder; --journey NAME draws one\n`,
    });
  });

  it('suggests the journey that somebody probably meant', async () => {
    expect(await lull(['graph', SHOP, '--journey', 'cart_abandonned'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'lull: --journey cart_abandonned: there is none of this name; did you mean `cart_abandoned`?\n',
    });
    expect((await lull(['graph', SHOP, '--journey', 'x'])).stderr).toContain(`known: ${NAMES.join(', ')}`);
  });

  it('says of a broken topology what lull check says, and draws nothing', async () => {
    await brokenShop([['journeys/cart_abandoned.yaml', 'ttl: 4h', 'ttl: 4']], async (broken) => {
      const { code, stdout, stderr } = await lull(['graph', broken, '--out', path.join(folder, 'out')]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toBe((await lull(['check', broken])).stdout);
      expect(stderr).toContain('cart_abandoned.yaml:32:10: error: `ttl` must be a duration');
      expect(readdirSync(folder)).toEqual([]);
    });
  });

  it('says what cannot be written', async () => {
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    const { code, stderr } = await lull(['graph', SHOP, '--out', path.join(file, 'below')]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lull: --out: .*browsed_no_cart\.svg cannot be written \(ENOTDIR\)\n$/);
  });

  it.each([
    ['saas', 'welcome'],
    ['saas', 'trial_over'],
    ['shop', 'cart_abandoned'],
  ])('made the picture of %s/%s in docs/, and would make it again', async (topology, journey) => {
    const { stdout } = await lull(['graph', path.join(ROOT, 'topologies', topology), '--journey', journey]);
    expect(
      readFileSync(path.join(ROOT, `docs/journeys/${journey}.svg`), 'utf8'),
      `npm run lull -- graph topologies/${topology} --journey ${journey} --out docs/journeys/`,
    ).toBe(stdout);
  });
});
