import { apicurioFolder, kafkaJars as downloadKafkaJars } from './artifacts.ts';
import { cacheFolder } from './cache.ts';
import { findJava } from './java.ts';
import { startKafka } from './kafka.ts';
import { registryUrl, startRegistry } from './registry.ts';
import type { Serving } from './serve.ts';

/** A real broker and a real schema registry. */
export interface Stack {
  /** `given`: both addresses are from the environment, and nothing was started. */
  readonly kind: 'given' | 'local';
  /** `host:port`, comma-separated where there are several. */
  readonly bootstrap: string;
  /** The Confluent-compatible API. */
  readonly registryUrl: string;
  /** Of the processes that were started. */
  readonly pids: readonly number[];
  /** Resolves, with one line that says what happened, if a part ends before `stop`. */
  readonly failure: Promise<Error>;
  /** Ends what was started and removes its data. Idempotent. Not needed on exit or a crash: it happens by itself. */
  stop(): Promise<void>;
}

export interface StackOptions {
  /** Default `LULL_BOOTSTRAP`. A given broker is used as it is. */
  readonly bootstrap?: string | undefined;
  /** Default `LULL_REGISTRY`. */
  readonly registryUrl?: string | undefined;
  /** Told what takes more than two seconds. */
  readonly onProgress?: (line: string) => void;
  /** Ends the start, and what was started so far. */
  readonly signal?: AbortSignal;
}

/**
 * Given addresses, else Kafka and Apicurio on this machine's Java: downloaded once with Maven, on ports of 127.0.0.1 that the system
 * chose, with data in its temporary folder. Each of the two is started only where its address is not given.
 * @throws MissingToolError with one line that says what to install
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const { onProgress = () => undefined, signal } = options;
  const given = {
    bootstrap: options.bootstrap ?? (process.env['LULL_BOOTSTRAP'] || undefined),
    registryUrl: options.registryUrl ?? (process.env['LULL_REGISTRY'] || undefined),
  };
  const local: (() => Promise<Serving>)[] = [];
  if (given.bootstrap === undefined || given.registryUrl === undefined) {
    const java = await findJava();
    // One after the other: Maven's own repository is not made for two at once.
    const download = { cache: cacheFolder(), onProgress, signal };
    const jars = given.bootstrap === undefined ? await downloadKafkaJars(download) : undefined;
    const apicurio = given.registryUrl === undefined ? await apicurioFolder(download) : undefined;
    if (jars !== undefined) local.push(() => startKafka({ java, code: jars, onProgress, signal }));
    if (apicurio !== undefined) local.push(() => startRegistry({ java, code: apicurio, onProgress, signal }));
  }

  const results = await Promise.allSettled(local.map((start) => start()));
  const servings = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const stop = async (): Promise<void> => {
    await Promise.all(servings.map(({ kept }) => kept.stop()));
  };
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) {
    await stop();
    throw failed.reason;
  }

  const [kafka, registry] = given.bootstrap === undefined ? servings : [undefined, ...servings];
  let stopping = false;
  const ended = (what: string, serving: Serving | undefined): Promise<Error> =>
    serving === undefined
      ? new Promise(() => undefined)
      : serving.kept.exited.then(({ code }) =>
          stopping ? new Promise(() => undefined) : new Error(`${what} ended by itself (code ${code})`),
        );
  return {
    kind: servings.length === 0 ? 'given' : 'local',
    bootstrap: given.bootstrap ?? `127.0.0.1:${kafka!.ports[0]}`,
    registryUrl: given.registryUrl ?? registryUrl(registry!.ports[0]!),
    pids: servings.map(({ kept }) => kept.pid),
    failure: Promise.race([ended('the local Kafka', kafka), ended('the local schema registry', registry)]),
    async stop() {
      stopping = true;
      await stop();
    },
  };
}

/** The folder of Kafka's own jars, also where the broker is given: for what only Kafka's Java clients can judge. Class path: `<folder>/*`. */
export function kafkaJars(onProgress: (line: string) => void = () => undefined): Promise<string> {
  return downloadKafkaJars({ cache: cacheFolder(), onProgress });
}
