import type { CommandEntry } from './command.ts';

/** In the order of the help: what a newcomer meets first comes first. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'topics',
    summary: "create or check Lull's topics and schemas",
    define: async () => (await import('./commands/topics.ts')).topics,
  },
  {
    name: 'config',
    summary: 'print the configuration and where each value comes from',
    define: async () => (await import('./commands/config.ts')).config,
  },
];
