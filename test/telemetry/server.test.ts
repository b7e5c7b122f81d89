import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { Health } from '../../src/telemetry/health.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { serveTelemetry } from '../../src/telemetry/server.ts';
import type { TelemetryServer } from '../../src/telemetry/server.ts';

const servers: TelemetryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(health: Health, port = 0): Promise<TelemetryServer> {
  const server = await serveTelemetry({ host: '127.0.0.1', port, metrics: createMetrics({ prefix: 'shop' }), health });
  servers.push(server);
  return server;
}

describe('the telemetry server', () => {
  it('serves the metrics as text', async () => {
    const { url } = await serve(new Health());
    const response = await fetch(`${url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await response.text()).toContain('# TYPE lull_events_total counter');
  });

  it('is live at once, and ready when started and nothing is wrong', async () => {
    const health = new Health();
    let restoring: string | undefined = '2 of 4 partitions are restoring';
    health.addReady({ name: 'tasks', problem: () => restoring });
    const { url } = await serve(health);
    const get = async (path: string) => {
      const response = await fetch(url + path);
      return [response.status, await response.json()];
    };
    expect(await get('/healthz')).toEqual([200, { status: 'ok', problems: {} }]);
    expect(await get('/readyz')).toEqual([
      503,
      { status: 'not ok', problems: { start: 'starting', tasks: '2 of 4 partitions are restoring' } },
    ]);
    health.started();
    restoring = undefined;
    expect(await get('/readyz')).toEqual([200, { status: 'ok', problems: {} }]);
    health.addLive({ name: 'worker', problem: () => 'ended' });
    expect(await get('/healthz')).toEqual([503, { status: 'not ok', problems: { worker: 'ended' } }]);
    expect((await get('/readyz'))[0]).toBe(503);
  });

  it('names the address that it cannot have', async () => {
    const { url } = await serve(new Health());
    const port = Number(new URL(url).port);
    await expect(serve(new Health(), port)).rejects.toThrow(
      `metrics and health cannot be served on 127.0.0.1:${port} (EADDRINUSE): set httpHost and httpPort; port 0 lets the system choose`,
    );
  });

  it('says what there is to whoever asks for something else, and takes no other method', async () => {
    const { url } = await serve(new Health());
    const nothing = await fetch(`${url}/metric`);
    expect([nothing.status, await nothing.json()]).toEqual([404, { error: 'there are /metrics, /healthz, /readyz' }]);
    expect((await fetch(`${url}/metrics?x=1`)).status).toBe(200);
    expect((await fetch(`${url}/healthz`, { method: 'HEAD' })).status).toBe(200);
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  it('says an error of its own as one, and goes on', async () => {
    const health = new Health();
    health.addLive({
      name: 'broken',
      problem: () => {
        throw new Error('a check threw');
      },
    });
    const { url } = await serve(health);
    const response = await fetch(`${url}/healthz`);
    expect([response.status, await response.json()]).toEqual([500, { error: 'a check threw' }]);
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
  });

  it('closes also while a scraper keeps its connection', async () => {
    const { url } = await serve(new Health());
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n');
    await new Promise((resolve) => socket.once('data', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await servers.pop()!.close();
    await closed;
  });
});
