import { open } from 'node:fs/promises';
import path from 'node:path';
import { cached } from './cache.ts';
import { findMaven } from './java.ts';
import { startKept } from './kept.ts';

export const KAFKA_VERSION = '4.1.0';
/** The newest that runs on Java 17. */
export const APICURIO_VERSION = '3.0.9';

/** 2.8 downloads an artifact without its parent's descriptors, which a mirror need not have. */
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:2.8';

export interface DownloadOptions {
  readonly cache: string;
  readonly onProgress: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Jars {
  /** Of the folder in the cache; with the version, as the cache never looks again. */
  readonly name: string;
  /** For messages. */
  readonly what: string;
  /** `group:artifact:version` */
  readonly dependencies: readonly string[];
}

/** A folder with Kafka's jars and all that they need: a class path is `<folder>/*`. */
export function kafkaJars(options: DownloadOptions): Promise<string> {
  const dependencies = [`org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`, 'org.slf4j:slf4j-simple:1.7.36'];
  return mavenJars({ name: `kafka-${KAFKA_VERSION}`, what: `Kafka ${KAFKA_VERSION} (43 MB)`, dependencies }, options);
}

/** A folder with these jars and all that they need. */
export function mavenJars({ name, what, dependencies }: Jars, options: DownloadOptions): Promise<string> {
  const args = (folder: string): string[] => [`${PLUGIN}:copy-dependencies`, `-DoutputDirectory=${folder}`, '-DincludeScope=runtime'];
  return cached({ ...options, name, fill: (folder) => maven(what, args(folder), dependencies, options) });
}

/** The folder with the registry's runner and its libraries. */
export function apicurioFolder(options: DownloadOptions): Promise<string> {
  const artifact = `io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`;
  return cached({
    ...options,
    name: `apicurio-${APICURIO_VERSION}`,
    fill: (folder) =>
      maven(
        `Apicurio Registry ${APICURIO_VERSION} (110 MB)`,
        [`${PLUGIN}:unpack`, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`],
        [],
        options,
      ),
  });
}

function pomOf(dependencies: readonly string[]): string {
  const elements = dependencies.map((dependency) => {
    const [group, artifact, version] = dependency.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lull</groupId><artifactId>stack</artifactId><version>1</version>
  <dependencies>
    ${elements.join('\n    ')}
  </dependencies>
</project>
`;
}

/** Runs Maven in a folder of its own; it ends with us. Progress is told when it takes over two seconds. */
async function maven(
  what: string,
  args: readonly string[],
  dependencies: readonly string[],
  { onProgress, signal }: DownloadOptions,
): Promise<void> {
  const command = await findMaven(what);
  signal?.throwIfAborted();
  const kept = await startKept({
    name: 'maven',
    command,
    args: (folder) => ['-Dstyle.color=never', '-f', path.join(folder, 'pom.xml'), ...args],
    files: () => ({ 'pom.xml': pomOf(dependencies) }),
  });
  const abort = (): void => void kept.stop();
  signal?.addEventListener('abort', abort, { once: true });
  const ticking = setInterval(
    () => void lastProgress(path.join(kept.folder, 'out.log')).then((at) => onProgress(`downloading ${what}${at}`)),
    2000,
  );
  const { code, output } = await kept.exited;
  clearInterval(ticking);
  signal?.removeEventListener('abort', abort);
  signal?.throwIfAborted();
  if (code === 0) return;
  const reason = /^\[ERROR\] (.*)$/m.exec(output)?.[1] ?? output.trim().split('\n').at(-1) ?? '';
  throw new Error(`Maven could not download ${what}: ${reason}`);
}

/** Maven prints `Progress (1): 10/109 MB`, overwritten in place; before that, the names of what it fetches. */
async function lastProgress(file: string): Promise<string> {
  const log = await open(file).catch(() => undefined);
  if (log === undefined) return ''; // it has just ended, and the folder is gone
  try {
    const { size } = await log.stat();
    const { buffer, bytesRead } = await log.read({ buffer: Buffer.alloc(2048), position: Math.max(0, size - 2048) });
    const at = buffer
      .toString('utf8', 0, bytesRead)
      .match(/Progress \(\d+\): [^\r\n]*|\/[^/\s]+\.(?:jar|gz)/g)
      ?.at(-1);
    return at === undefined
      ? ''
      : `: ${at
          .replace(/^Progress \(\d+\): /, '')
          .replace(/^\//, '')
          .trim()}`;
  } finally {
    await log.close();
  }
}
