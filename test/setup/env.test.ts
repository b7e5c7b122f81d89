import { expect, it } from 'vitest';
import { bootstrap, registryUrl } from './env.ts';

it('the tests are given a real broker and a real registry', async () => {
  expect(bootstrap()).toMatch(/^[^:]+:\d+/);
  const response = await fetch(`${registryUrl()}/subjects`);
  expect(response.status).toBe(200);
});
