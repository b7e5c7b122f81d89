import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ELSE = 'or set LULL_BOOTSTRAP and LULL_REGISTRY to a broker and a schema registry of your own';

/** What the local stack needs is not on this machine. The message is one line that says what to install. */
export class MissingToolError extends Error {
  override readonly name = 'MissingToolError';
}

/**
 * A `java` of version 17 or newer: `$JAVA_HOME/bin/java`, else the one on the path.
 * @throws MissingToolError
 */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const candidates = [...(env['JAVA_HOME'] ? [path.join(env['JAVA_HOME'], 'bin', 'java')] : []), 'java'];
  const found: string[] = [];
  for (const command of candidates) {
    const version = await versionOf(command, ['-version'], /version "(\d+)/, env);
    if (version === undefined) continue;
    if (Number(version) >= 17) return command;
    found.push(`${command} is Java ${version}`);
  }
  throw new MissingToolError(
    `the local Kafka and schema registry need Java 17 or newer (${found.join(', ') || 'no java found'}): install it, e.g. apt-get install openjdk-17-jre-headless, ${ELSE}`,
  );
}

/**
 * Maven, which downloads the stack once.
 * @throws MissingToolError
 */
export async function findMaven(what: string, env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if ((await versionOf('mvn', ['-version'], /Apache Maven (\S+)/, env)) !== undefined) return 'mvn';
  throw new MissingToolError(
    `${what} is not in the cache, and downloading it needs Maven: install it, e.g. apt-get install maven, ${ELSE}`,
  );
}

async function versionOf(command: string, args: readonly string[], pattern: RegExp, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(command, args, { env });
    return pattern.exec(stdout + stderr)?.[1];
  } catch (error) {
    // Not there, or not what its name says: either way it is not the tool that was looked for.
    if (error instanceof Error) return undefined;
    throw error;
  }
}
