import { request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { servePage, Refused, type Page, type PageOptions } from '../../../src/dev/page/server.ts';
import { Tally } from '../../../src/dev/tally/tally.ts';

const pages: Page[] = [];

async function page(over: Partial<PageOptions> = {}): Promise<Page> {
  const served = await servePage({ source: new Tally(), gapMs: 6_000, links: [], about: 'A test.', ...over });
  pages.push(served);
  return served;
}

afterEach(async () => {
  await Promise.all(pages.splice(0).map((served) => served.close()));
});

/** `fetch` does not let anybody choose the host header. */
function get(url: string, headers: Record<string, string>, method = 'GET', body = ''): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { headers, method }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

async function readUntil(response: Response, mark: string): Promise<string> {
  let text = '';
  const reader = response.body!.getReader();
  for (;;) {
    const { value } = (await reader.read()) as { value?: Uint8Array };
    if (value === undefined) return text;
    text += Buffer.from(value).toString();
    if (text.includes(mark)) {
      await reader.cancel();
      return text;
    }
  }
}

describe("the page's server", () => {
  it('is on 127.0.0.1 and answers with a policy that loads nothing from elsewhere', async () => {
    const { url } = await page();
    expect(new URL(url).hostname).toBe('127.0.0.1');
    for (const path of ['', 'assets/main.js', 'assets/page.css', 'products/kettle.svg', 'sw.js']) {
      const response = await fetch(url + path);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
      expect(await response.text()).not.toMatch(/https?:\/\/(?!www\.w3\.org\/|127\.0\.0\.1)/);
    }
  });

  it('has no file but its own', async () => {
    const { url } = await page();
    for (const path of ['assets/..%2fserver.ts', 'assets/%2e%2e%2f%2e%2e%2fpage%2fserver.ts', 'assets/none.js', 'products/constructor.svg'])
      expect((await fetch(url + path)).status).toBe(404);
  });

  it('refuses a request under another host name', async () => {
    const { url } = await page();
    const port = new URL(url).port;
    expect((await get(url, { host: `evil.example:${port}` })).status).toBe(421);
    expect((await get(url, { host: `localhost:${port}` })).status).toBe(200);
  });

  it('takes a device from its own page only', async () => {
    const given: unknown[] = [];
    const register = (subscription: unknown): Promise<{ userId: string; name: string }> => {
      given.push(subscription);
      return Promise.resolve({ userId: 'u', name: 'Mila' });
    };
    const { url } = await page({ receiving: { vapidPublicKey: 'key', isBrowserThere: () => false, register } });
    const origin = url.slice(0, -1);
    const post = (headers: Record<string, string>): Promise<{ status: number; body: string }> =>
      get(`${url}devices`, { 'content-type': 'application/json', ...headers }, 'POST', JSON.stringify({ subscription: { endpoint: 'e' } }));
    expect((await post({})).status).toBe(403);
    expect((await post({ origin: 'https://evil.example' })).status).toBe(403);
    expect(given).toEqual([]);
    expect(await post({ origin })).toEqual({ status: 200, body: JSON.stringify({ userId: 'u', name: 'Mila' }) });
    expect(given).toEqual([{ endpoint: 'e' }]);
  });

  it('says why a device was refused, and nothing of what went wrong inside', async () => {
    const refusing = await page({
      receiving: {
        vapidPublicKey: 'key',
        isBrowserThere: () => false,
        register: () => Promise.reject(new Refused('this is not a subscription of the local service')),
      },
    });
    const failing = await page({
      receiving: { vapidPublicKey: 'key', isBrowserThere: () => false, register: () => Promise.reject(new Error('at /secret/path')) },
    });
    const post = ({ url }: Page): Promise<{ status: number; body: string }> =>
      get(`${url}devices`, { 'content-type': 'application/json', origin: url.slice(0, -1) }, 'POST', '{}');
    expect(await post(refusing)).toEqual({ status: 400, body: '{"error":"this is not a subscription of the local service"}' });
    const failed = await post(failing);
    expect(failed.status).toBe(500);
    expect(failed.body).not.toContain('secret');
  });

  it('begins a stream with a snapshot, goes on with changes and says when it ends', async () => {
    const tally = new Tally();
    tally.event({ eventId: 'e1', userId: 'u', type: 'app_opened', occurredAtMs: 1, properties: {} });
    const served = await page({ source: tally });
    const first = await readUntil(await fetch(`${served.url}stream`), '\n\n');
    expect(first).toMatch(/event: snapshot\ndata: \{"nowMs":\d+,"figures":\{"events":1,/);

    const response = await fetch(`${served.url}stream`);
    tally.event({ eventId: 'e2', userId: 'u', type: 'product_viewed', occurredAtMs: 2, properties: { name: 'Enamel kettle' } });
    const rest = readUntil(response, 'event: end');
    await served.close();
    expect(await rest).toContain('looked at Enamel kettle');
  });

  it('explains one user, and nobody it does not know', async () => {
    const tally = new Tally();
    tally.event({ eventId: 'e1', userId: 'a/b', type: 'app_opened', occurredAtMs: 1, properties: {} });
    const { url } = await page({ source: tally });
    expect(await (await fetch(`${url}people/a%2Fb`)).json()).toMatchObject({
      person: { userId: 'a/b' },
      events: [{ words: 'opened the app' }],
    });
    expect((await fetch(`${url}people/nobody`)).status).toBe(404);
  });
});
