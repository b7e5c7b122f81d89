import { formatResult } from '../../testing/report.ts';
import type { SuiteResult } from '../../testing/suite.ts';
import { formatIssue } from '../../topology/issue.ts';
import { count } from '../count.ts';

/** One topology's scenarios for people: those that failed, and how many passed. */
export function asText({ folder, errors, results, topology }: SuiteResult): string {
  const failed = results.filter((result) => !result.passed);
  const lines = [...errors.map(formatIssue), ...failed.map(formatResult)];
  if (topology === null) lines.push(`${folder}: not run, ${count(errors.length, 'error')}`);
  else {
    const parts = [`${results.length - failed.length} passed`, ...(failed.length === 0 ? [] : [`${failed.length} failed`])];
    lines.push(`${folder}: ${[...parts, ...(errors.length === 0 ? [] : [count(errors.length, 'error')])].join(', ')}`);
  }
  return `${lines.join('\n')}\n`;
}
