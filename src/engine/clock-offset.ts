const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A wrong clock, for tests. Off unless `LULL_CLOCK_OFFSET` says by how much: `90s`, or `-2h`; `90s,-30s@10s` is 90 s ahead, and from ten seconds
 * after the start of the process on 30 s behind. Units: ms, s, m, h, d.
 */
const steps = parse(process.env['LULL_CLOCK_OFFSET']);

/** To be added to the system's time. */
export function clockOffsetMs(): number {
  if (steps === undefined) return 0;
  return steps.findLast(({ fromMs }) => fromMs <= performance.now())?.offsetMs ?? 0;
}

interface Step {
  /** After the start of the process. */
  readonly fromMs: number;
  readonly offsetMs: number;
}

function parse(text: string | undefined): readonly Step[] | undefined {
  if (text === undefined || text === '') return undefined;
  process.stderr.write(`LULL_CLOCK_OFFSET=${text}: this process has a wrong clock on purpose\n`);
  return text.split(',').map((step) => {
    const match = /^(-?)(\d+)(ms|[smhd])(?:@(\d+)(ms|[smhd]))?$/.exec(step.trim());
    if (match === null)
      throw new Error(`LULL_CLOCK_OFFSET: "${step}" is not an offset such as 90s or -2h, or one from a time on such as -2h@10s`);
    const [, sign, count, unit = '', from = '0', fromUnit = 'ms'] = match;
    return { fromMs: Number(from) * UNIT_MS[fromUnit]!, offsetMs: Number(count) * UNIT_MS[unit]! * (sign === '-' ? -1 : 1) };
  });
}
