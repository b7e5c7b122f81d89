import type { CommandEntry } from './command.ts';

/** In the order of the help: what a newcomer meets first comes first. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'dev',
    summary: 'run everything here, with a simulated shop and a page to watch it on',
    define: async () => (await import('./commands/dev.ts')).dev,
  },
  {
    name: 'process',
    summary: 'run a processor: decide from the timeline what to send',
    define: async () => (await import('./commands/process.ts')).process,
  },
  {
    name: 'ingest',
    summary: "run ingest: bring other programs' topics onto the timeline",
    define: async () => (await import('./commands/ingest.ts')).ingest,
  },
  {
    name: 'items',
    summary: 'run the items: tell those who are interested of their changes',
    define: async () => (await import('./commands/items.ts')).items,
  },
  {
    name: 'send',
    summary: 'run a sender: deliver send commands through FCM or Web Push',
    define: async () => (await import('./commands/send.ts')).send,
  },
  {
    name: 'check',
    summary: 'find every mistake in topologies, with file, line and what to do',
    define: async () => (await import('./commands/check.ts')).check,
  },
  {
    name: 'test',
    summary: "run topologies' scenarios with virtual time",
    define: async () => (await import('./commands/test.ts')).test,
  },
  {
    name: 'graph',
    summary: 'draw journeys, as SVG or Mermaid',
    define: async () => (await import('./commands/graph.ts')).graph,
  },
  {
    name: 'explain',
    summary: 'say why a user got or did not get a message',
    define: async () => (await import('./commands/explain.ts')).explain,
  },
  {
    name: 'topology',
    summary: 'list and show versions of the topology, or put one in force',
    define: async () => (await import('./commands/topology.ts')).topology,
  },
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
