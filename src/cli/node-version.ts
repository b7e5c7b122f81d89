/**
 * One line where this Node is too old, else undefined. npm only warns of it, and what would be said otherwise is which export a module of Node's lacks.
 * @param running as in `process.versions.node`
 * @param engines as in package.json: `>=22.18`
 */
export function nodeProblem(running: string, engines: string): string | undefined {
  const [major = 0, minor = 0] = numbers(running);
  const [leastMajor = 0, leastMinor = 0] = numbers(engines.replace('>=', ''));
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return `Node ${leastMajor}.${leastMinor} or newer is needed, and this is ${running}: install one, e.g. with \`npm install node@24\` beside Lull`;
}

function numbers(version: string): number[] {
  return version.split('.').map(Number);
}
