/**
 * Places where tests make a process die or stall. Off unless `LULL_FAILPOINTS` names them:
 * `before-commit@3=kill` (SIGKILL to itself at the third pass), `after-commit@1=stop` (SIGSTOP), several separated by commas.
 */
export type Failpoint =
  'before-offsets' | 'before-commit' | 'after-commit' | 'while-restoring' | 'after-store' | 'before-call' | 'after-call';

interface Armed {
  left: number;
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

const armed = parse(process.env['LULL_FAILPOINTS']);

export function failpoint(name: Failpoint): void {
  if (armed === undefined) return;
  const point = armed.get(name);
  if (point === undefined || --point.left !== 0) return;
  process.stderr.write(`fail-point ${name}: ${point.signal}\n`);
  process.kill(process.pid, point.signal);
}

function parse(text: string | undefined): Map<string, Armed> | undefined {
  if (text === undefined || text === '') return undefined;
  return new Map(
    text.split(',').map((entry) => {
      const match = /^([a-z-]+)@(\d+)=(kill|stop)$/.exec(entry.trim());
      if (match === null) throw new Error(`LULL_FAILPOINTS: "${entry}" is not NAME@N=kill or NAME@N=stop`);
      return [match[1] ?? '', { left: Number(match[2]), signal: match[3] === 'kill' ? 'SIGKILL' : 'SIGSTOP' }];
    }),
  );
}
