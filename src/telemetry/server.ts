import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HealthReport } from './health.ts';

/** What `/metrics` shows. */
export interface MetricsSource {
  /** In Prometheus' text format. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** What `/healthz` and `/readyz` answer. */
export interface HealthSource {
  live(): HealthReport | Promise<HealthReport>;
  ready(): HealthReport | Promise<HealthReport>;
}

export interface TelemetryServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly metrics: MetricsSource;
  readonly health: HealthSource;
}

export interface TelemetryServer {
  /** `http://127.0.0.1:9464` */
  readonly url: string;
  close(): Promise<void>;
}

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`; 503 with the problems as JSON where something is wrong. Three pages need no framework, and each process
 * of a platform would carry it.
 * @throws Error that names the address when it cannot be listened on
 */
export async function serveTelemetry({ host, port, metrics, health }: TelemetryServerOptions): Promise<TelemetryServer> {
  const pages: Readonly<Record<string, () => Promise<Reply>>> = {
    '/metrics': async () => ({ code: 200, type: metrics.contentType, body: await metrics.render() }),
    '/healthz': async () => healthReply(await health.live()),
    '/readyz': async () => healthReply(await health.ready()),
  };
  const server = createServer((request, response) => {
    const page = pages[(request.url ?? '').split('?')[0] ?? ''];
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const reply = !isRead
      ? json(405, { error: 'GET only' })
      : (page?.() ?? json(404, { error: `there are ${Object.keys(pages).join(', ')}` }));
    Promise.resolve(reply)
      .catch((error: unknown) => json(500, { error: error instanceof Error ? error.message : String(error) }))
      .then(
        ({ code, type, body }) => response.writeHead(code, { 'content-type': type }).end(body),
        () => response.destroy(),
      );
  });
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(
      `metrics and health cannot be served on ${host}:${port} (${code}): set httpHost and httpPort; port 0 lets the system choose`,
      { cause: error },
    );
  }
  const { address, port: taken, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        // Scrapers keep their connections: without this, closing would wait for them.
        server.closeAllConnections();
      }),
  };
}

function healthReply({ isGood, problems }: HealthReport): Reply {
  return json(isGood ? 200 : 503, { status: isGood ? 'ok' : 'not ok', problems });
}

function json(code: number, body: object): Reply {
  return { code, type: 'application/json; charset=utf-8', body: JSON.stringify(body) };
}
