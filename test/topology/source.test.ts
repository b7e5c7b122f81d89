import { describe, expect, it } from 'vitest';
import { applyParams } from '../../src/topology/params.ts';
import { Source } from '../../src/topology/source.ts';

/** The place in a file of the mark in a value. */
function placeOf(yaml: string, mark: string, params: Record<string, string> = {}) {
  const source = new Source('x.yaml', 'x.yaml', yaml);
  applyParams(source, new Map(Object.entries(params)));
  const { value } = source.toJS() as { value: string };
  const at = value.indexOf(mark);
  if (at < 0) throw new Error(`${JSON.stringify(value)} has no ${mark}`);
  return source.atOffset(['value'], at);
}

describe('a place inside of a text', () => {
  it.each([
    ['plain', 'value: one @two', { line: 1, column: 12 }],
    ['plain over lines', 'value: one\n  two @three', { line: 2, column: 7 }],
    ['single quotes', "value: 'it''s @two'", { line: 1, column: 15 }],
    ['double quotes', 'value: "a \\"b\\" \\u0041 @two"', { line: 1, column: 24 }],
    ['double quotes over lines', 'value: "one\n  two \\\n  @three"', { line: 3, column: 3 }],
    ['a literal block', 'value: |\n  one\n\n    two\n  @three\n', { line: 5, column: 3 }],
    ['a folded block', 'value: >-\n  one\n  two @three\n  four\n', { line: 3, column: 7 }],
    ['Windows line ends', 'value: |\r\n  one\r\n  @two\r\n', { line: 3, column: 3 }],
  ])('is found in %s', (_name, yaml, place) => {
    expect(placeOf(yaml, '@')).toEqual(place);
  });

  it('is found behind a param, in the file as it is written', () => {
    expect(placeOf('value: a ${params.x} b @c', '@', { x: 'something long' })).toEqual({ line: 1, column: 24 });
    expect(placeOf('value: a ${params.x} b ${params.x} @c', '@', { x: '' })).toEqual({ line: 1, column: 36 });
  });

  it('inside of a param points at the param', () => {
    expect(placeOf('value: a ${params.x} b', '@', { x: '12@' })).toEqual({ line: 1, column: 10 });
  });
});

describe('a param', () => {
  it('that is all of a text keeps its type', () => {
    const source = new Source('x.yaml', 'x.yaml', 'a: ${params.n}\nb: x${params.n}\nc: ${params.t}\n');
    const values = new Map<string, string | number | boolean>([
      ['n', 3],
      ['t', true],
    ]);
    expect(applyParams(source, values)).toEqual([]);
    expect(source.toJS()).toEqual({ a: 3, b: 'x3', c: true });
  });

  it('that is not written as one is said', () => {
    const source = new Source('x.yaml', 'x.yaml', 'a: one ${parms.n}\n');
    expect(applyParams(source, new Map())).toEqual([
      { severity: 'error', file: 'x.yaml', line: 1, column: 8, message: '`${parms.n}` is not a param', hint: 'write ${params.name}' },
    ]);
  });
});
