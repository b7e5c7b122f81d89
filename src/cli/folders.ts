import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from './errors.ts';

/** The topologies that a command works on: the folders given, else this one, else all in ./topologies. */
export function topologyFolders(given: readonly string[]): readonly string[] {
  if (given.length > 0) return given.map((folder) => path.normalize(folder).replace(/(?<=.)\/$/, ''));
  if (isTopology('.')) return ['.'];
  const found = statSync('topologies', { throwIfNoEntry: false })?.isDirectory() === true ? readdirSync('topologies').sort() : [];
  const folders = found.map((name) => path.join('topologies', name)).filter(isTopology);
  if (folders.length === 0) throw new UsageError('there is no topology here: name its folder, for example `lull check topologies/shop`');
  return folders;
}

function isTopology(folder: string): boolean {
  return statSync(path.join(folder, 'topology.yaml'), { throwIfNoEntry: false })?.isFile() === true;
}
