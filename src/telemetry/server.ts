import { fastify } from 'fastify';
import type { FastifyReply } from 'fastify';
import type { Health, HealthReport } from './health.ts';
import type { MetricsRegistry } from './metrics.ts';

export interface TelemetryServerOptions {
  readonly host: string;
  /** 0: the system chooses. */
  readonly port: number;
  readonly metrics: MetricsRegistry;
  readonly health: Health;
}

export interface TelemetryServer {
  /** `http://127.0.0.1:9464` */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves `/metrics`, `/healthz` and `/readyz`; 503 with the problems as JSON where something is wrong.
 * @throws Error that names the address when it cannot be listened on
 */
export async function serveTelemetry({ host, port, metrics, health }: TelemetryServerOptions): Promise<TelemetryServer> {
  // Scrapers keep their connections: without this, closing would wait for them.
  const server = fastify({ forceCloseConnections: true });
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.render()));
  server.get('/healthz', (_request, reply) => answer(reply, health.live()));
  server.get('/readyz', (_request, reply) => answer(reply, health.ready()));
  try {
    const url = await server.listen({ host, port });
    return { url, close: () => server.close() };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Error(
      `metrics and health cannot be served on ${host}:${port} (${code}): set httpHost and httpPort; port 0 lets the system choose`,
      { cause: error },
    );
  }
}

function answer(reply: FastifyReply, { isGood, problems }: HealthReport): FastifyReply {
  return reply.code(isGood ? 200 : 503).send({ status: isGood ? 'ok' : 'not ok', problems });
}
