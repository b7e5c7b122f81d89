import path from 'node:path';
import { APICURIO_VERSION } from './artifacts.ts';
import type { JavaServerOptions } from './kafka.ts';
import { serve } from './serve.ts';
import type { Serving } from './serve.ts';

/** Apicurio Registry with its storage in memory. */
export function startRegistry({ java, code, onProgress, signal }: JavaServerOptions): Promise<Serving> {
  return serve({
    what: 'the schema registry',
    ports: 1,
    program: ([port]) => ({
      name: 'registry',
      command: java,
      args: (folder) => [
        '-Xmx384m',
        // It answers a few requests a minute; what counts is that it is up soon.
        '-XX:TieredStopAtLevel=1',
        '-XX:+UseSerialGC',
        '-XX:-UsePerfData',
        `-Djava.io.tmpdir=${folder}`,
        '-jar',
        path.join(code, `apicurio-registry-app-${APICURIO_VERSION}-runner.jar`),
      ],
      env: {
        QUARKUS_HTTP_HOST: '127.0.0.1',
        QUARKUS_HTTP_PORT: String(port),
        QUARKUS_LOG_LEVEL: 'WARN',
        QUARKUS_HTTP_ACCESS_LOG_ENABLED: 'false',
      },
    }),
    isReady: ([port]) => answers(`${registryUrl(port!)}/subjects`),
    onProgress,
    signal,
  });
}

/** Apicurio's implementation of Confluent's API. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`;
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    return response.ok && Array.isArray(await response.json());
  } catch (error) {
    // Not listening yet, or not ready to answer: that is what is being asked.
    if (error instanceof Error) return false;
    throw error;
  }
}
