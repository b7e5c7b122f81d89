import { writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';

/** Samples this process's main thread from now until the returned function writes what it saw to the file. */
export async function startProfiler(file: string): Promise<() => Promise<void>> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.start');
  return async () => {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    await writeFile(file, JSON.stringify(profile));
  };
}
