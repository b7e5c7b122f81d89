/** `npm run bench -- NAME [options]`: measurements, one JSON line each on stdout, progress on stderr. */
const BENCHES: Readonly<Record<string, () => Promise<{ readonly run: (args: readonly string[]) => Promise<void> }>>> = {
  w1: () => import('./w1.ts'),
};

const [name, ...args] = process.argv.slice(2);
const bench = name === undefined ? undefined : BENCHES[name];
if (bench === undefined) {
  process.stderr.write(`Usage: npm run bench -- NAME [options]\nNAME is one of: ${Object.keys(BENCHES).join(', ')}\n`);
  process.exit(name === '--help' || name === '-h' ? 0 : 2);
}
try {
  await (await bench()).run(args);
  process.exit();
} catch (error) {
  process.stderr.write(`bench ${name ?? ''}: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
