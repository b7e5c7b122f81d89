/**
 * A journey as something to draw. Journeys are nested lists of steps, so their charts are too: a block is a node, and the ways that lead on from it
 * until they meet again behind the block. Whoever draws needs no general layout of graphs, and nothing can cross.
 */
export interface Chart {
  readonly name: string;
  readonly description: string | null;
  /** What holds for the journey as a whole: goal, audience, re-entry. */
  readonly facts: readonly Fact[];
  /** The trigger first; `end` last, unless no way leads there. */
  readonly blocks: readonly Block[];
}

export interface Fact {
  readonly label: string;
  readonly text: string;
}

export type NodeKind = 'trigger' | 'send' | 'wait' | 'branch' | 'split' | 'update' | 'exit' | 'end';

export interface ChartNode {
  /** Unique in the chart: `n1`, `n2`, in the order of the file. */
  readonly id: string;
  readonly kind: NodeKind;
  /** The step's name, by which decisions and `lull explain` call it; null where it has none. */
  readonly name: string | null;
  /** What it does, in words. */
  readonly text: string;
  readonly details: readonly string[];
}

export interface Block {
  readonly node: ChartNode;
  /** None where it simply goes on. */
  readonly ways: readonly Way[];
}

export interface Way {
  readonly label: string;
  /** None where the way leads to what stands behind the block. */
  readonly blocks: readonly Block[];
}

export interface Edge {
  readonly from: string;
  readonly to: string;
  /** Several where ways of one node meet at once. */
  readonly labels: readonly string[];
}

/** Whether anything comes out at the end of the list. */
export function fallsThrough(blocks: readonly Block[]): boolean {
  const last = blocks.at(-1);
  if (last === undefined) return true;
  const { node, ways } = last;
  if (node.kind === 'exit' || node.kind === 'end') return false;
  return ways.length === 0 || ways.some((way) => fallsThrough(way.blocks));
}

export function nodesOf(blocks: readonly Block[]): ChartNode[] {
  return blocks.flatMap(({ node, ways }) => [node, ...ways.flatMap((way) => nodesOf(way.blocks))]);
}

/** The arrows of a chart, by where they start. */
export function edgesOf({ blocks }: Chart): Edge[] {
  const edges = new Map<string, { readonly from: string; readonly to: string; readonly labels: string[] }>();
  walk(blocks, []);
  const all = [...edges.values()];
  return nodesOf(blocks).flatMap(({ id }) => all.filter(({ from }) => from === id));

  /** Ends that are open before the list; gives those that are open behind it. */
  function walk(list: readonly Block[], before: readonly Open[]): readonly Open[] {
    let open = before;
    for (const { node, ways } of list) {
      for (const end of open) connect(end, node.id);
      if (node.kind === 'exit' || node.kind === 'end') open = [];
      else if (ways.length === 0) open = [{ from: node.id, label: null }];
      else open = ways.flatMap((way) => walk(way.blocks, [{ from: node.id, label: way.label }]));
    }
    return open;
  }

  function connect({ from, label }: Open, to: string): void {
    const key = `${from} ${to}`;
    const edge = edges.get(key) ?? { from, to, labels: [] };
    if (label !== null) edge.labels.push(label);
    edges.set(key, edge);
  }
}

interface Open {
  readonly from: string;
  readonly label: string | null;
}
