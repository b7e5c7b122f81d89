import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Places where tests make a process die or stall. Off unless `LULL_FAILPOINTS` names them:
 * `before-commit@3=kill` (SIGKILL to itself at the third pass), `after-commit@1=stop` (SIGSTOP), `after-store@2=block90` (the event loop stands still for 90 s),
 * `before-store@2=delay30` (this one waits 30 s, and everything else goes on), several separated by commas.
 */
export type Failpoint =
  'before-offsets' | 'before-commit' | 'after-commit' | 'while-restoring' | 'after-store' | 'before-call' | 'after-call';
/** Those where a step can also take long by itself. */
export type Slowpoint = 'before-store';

interface Armed {
  left: number;
  readonly action: string;
  readonly act: () => void | Promise<void>;
}

const armed = parse(process.env['LULL_FAILPOINTS']);

export function failpoint(name: Failpoint): void {
  if (armed !== undefined) void reached(armed, name);
}

export function slowpoint(name: Slowpoint): Promise<void> | void {
  if (armed !== undefined) return reached(armed, name);
}

function reached(points: ReadonlyMap<string, Armed>, name: Failpoint | Slowpoint): Promise<void> | void {
  const point = points.get(name);
  if (point === undefined || --point.left !== 0) return;
  process.stderr.write(`fail-point ${name}: ${point.action}\n`);
  return point.act();
}

function parse(text: string | undefined): Map<string, Armed> | undefined {
  if (text === undefined || text === '') return undefined;
  return new Map(
    text.split(',').map((entry) => {
      const match = /^([a-z-]+)@(\d+)=(kill|stop|block(\d+)|delay(\d+))$/.exec(entry.trim());
      if (match === null)
        throw new Error(`LULL_FAILPOINTS: "${entry}" is not NAME@N=kill, NAME@N=stop, NAME@N=blockSECONDS or NAME@N=delaySECONDS`);
      const [, name = '', left, action = '', blockS, delayS] = match;
      const act = blockS !== undefined ? block(Number(blockS)) : delayS !== undefined ? delay(Number(delayS)) : signal(action);
      return [name, { left: Number(left), action, act }];
    }),
  );
}

function signal(action: string): () => void {
  return () => void process.kill(process.pid, action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}

/** Other threads go on, as they do under a long computation: sockets fill up, and nobody sends heartbeats. */
function block(seconds: number): () => void {
  return () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
}

function delay(seconds: number): () => Promise<void> {
  return () => sleep(seconds * 1000);
}
