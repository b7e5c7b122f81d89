/**
 * Places where tests make a process die or stall. Off unless `LULL_FAILPOINTS` names them:
 * `before-commit@3=kill` (SIGKILL to itself at the third pass), `after-commit@1=stop` (SIGSTOP), `after-store@2=block90` (the event loop stands still for 90 s), several
 * separated by commas.
 */
export type Failpoint =
  'before-offsets' | 'before-commit' | 'after-commit' | 'while-restoring' | 'after-store' | 'before-call' | 'after-call';

interface Armed {
  left: number;
  readonly action: string;
  readonly act: () => void;
}

const armed = parse(process.env['LULL_FAILPOINTS']);

export function failpoint(name: Failpoint): void {
  if (armed === undefined) return;
  const point = armed.get(name);
  if (point === undefined || --point.left !== 0) return;
  process.stderr.write(`fail-point ${name}: ${point.action}\n`);
  point.act();
}

function parse(text: string | undefined): Map<string, Armed> | undefined {
  if (text === undefined || text === '') return undefined;
  return new Map(
    text.split(',').map((entry) => {
      const match = /^([a-z-]+)@(\d+)=(kill|stop|block(\d+))$/.exec(entry.trim());
      if (match === null) throw new Error(`LULL_FAILPOINTS: "${entry}" is not NAME@N=kill, NAME@N=stop or NAME@N=blockSECONDS`);
      const [, name = '', left, action = '', seconds] = match;
      return [name, { left: Number(left), action, act: seconds === undefined ? signal(action) : block(Number(seconds)) }];
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
