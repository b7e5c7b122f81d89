/** Something to mend in a topology's files. Lines and columns count from 1, as editors do; 0 where there is no file, for what the command line says. */
export interface Issue {
  readonly severity: 'error' | 'warning';
  /** As the user gave the folder, joined with the path inside of it. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** One line: what is wrong. */
  readonly message: string;
  /** One line: what to do about it. */
  readonly hint: string | null;
}

/** `file:line:column: error: message` and the hint below it, as compilers print it and editors can jump to. */
export function formatIssue(issue: Issue): string {
  const place = issue.line === 0 ? issue.file : `${issue.file}:${issue.line}:${issue.column}`;
  const where = `${place}: ${issue.severity}: ${issue.message}`;
  return issue.hint === null ? where : `${where}\n    ${issue.hint}`;
}

/** By file, then by place in it: the order in which somebody mends them. */
export function sortIssues(issues: readonly Issue[]): Issue[] {
  return [...issues].sort(
    (a, b) => compareText(a.file, b.file) || a.line - b.line || a.column - b.column || compareText(a.message, b.message),
  );
}

/** By code unit: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
