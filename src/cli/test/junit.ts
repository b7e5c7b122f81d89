import { formatResult } from '../../testing/report.ts';
import type { ScenarioResult } from '../../testing/run.ts';
import type { SuiteResult } from '../../testing/suite.ts';
import { formatIssue } from '../../topology/issue.ts';
import { count } from '../count.ts';

/**
 * The results as JUnit's XML, which CI systems read: a suite per topology, a case per scenario. What is wrong with a topology's files is one case more, with
 * an `<error>`: a broken topology must not look like one without tests. Without times: a scenario's are virtual.
 */
export function asJUnit(suites: readonly SuiteResult[]): string {
  const lines = ['<?xml version="1.0" encoding="UTF-8"?>', `<testsuites name="lull test"${totals(suites)}>`];
  for (const suite of suites) {
    const { folder, errors, results } = suite;
    lines.push(`  <testsuite name="${attribute(folder)}"${totals([suite])}>`);
    if (errors.length > 0) {
      const said = `<error message="${count(errors.length, 'error')}">${text(errors.map(formatIssue).join('\n'))}</error>`;
      lines.push(`    <testcase classname="${attribute(folder)}" name="lull check">`, `      ${said}`, '    </testcase>');
    }
    lines.push(...results.flatMap(caseLines), '  </testsuite>');
  }
  return [...lines, '</testsuites>', ''].join('\n');
}

function caseLines(result: ScenarioResult): string[] {
  const { scenario, passed, differences } = result;
  const { file, name, place } = scenario;
  const open = `    <testcase classname="${attribute(file)}" name="${attribute(name)}" file="${attribute(file)}" line="${place.line}"`;
  if (passed) return [`${open}/>`];
  const failure = `<failure message="${count(differences.length, 'difference')}">${text(formatResult(result))}</failure>`;
  return [`${open}>`, `      ${failure}`, '    </testcase>'];
}

function totals(suites: readonly SuiteResult[]): string {
  const results = suites.flatMap((suite) => suite.results);
  const broken = suites.filter(({ errors }) => errors.length > 0).length;
  const failures = results.filter(({ passed }) => !passed).length;
  return ` tests="${results.length + broken}" failures="${failures}" errors="${broken}" skipped="0"`;
}

function text(said: string): string {
  return (
    said
      // XML 1.0 has no form for these at all, and a parser refuses the whole file for one.
      // eslint-disable-next-line no-control-regex
      .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
  );
}

/** A parser would read a line break as a blank. */
function attribute(said: string): string {
  return text(said).replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\r', '&#13;').replaceAll('\t', '&#9;');
}
