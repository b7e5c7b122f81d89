import { isAlias, isMap, isNode, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Scalar } from 'yaml';
import type { Issue } from './issue.ts';
import { mapScalar } from './scalar-map.ts';

export type Path = readonly (string | number)[];

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A stretch of a substituted text and the offset of what it came from in the text as written. */
interface Segment {
  readonly from: number;
  readonly original: number;
  /** A replaced `${...}`: every offset inside points at its start. */
  readonly replaced: boolean;
}

/**
 * One YAML file that remembers where everything stands. Errors point into it by path (`['steps', 0, 'ttl']`), and into the text of a value
 * (a condition, a template) by offset, through quotes, block indentation and replaced params.
 */
export class Source {
  /** As shown to the user. */
  readonly file: string;
  /** Inside of the topology's folder, with `/`. */
  readonly name: string;
  readonly #text: string;
  readonly #doc: Document.Parsed;
  readonly #lines = new LineCounter();
  readonly #segments = new Map<Scalar, readonly Segment[]>();
  readonly #written = new Map<Scalar, string>();

  constructor(file: string, name: string, text: string) {
    this.file = file;
    this.name = name;
    this.#text = text;
    const options = { lineCounter: this.#lines, prettyErrors: false, strict: true, version: '1.2', logLevel: 'error' } as const;
    // Without this, !!binary and its like become objects that nothing here expects.
    this.#doc = parseDocument(text, { ...options, resolveKnownTags: false });
  }

  /** What the YAML parser refuses. The first only: what follows from it is not worth reading. */
  syntaxIssues(): Issue[] {
    if (this.#doc.errors.length === 0) return this.#strangeNodes();
    return this.#doc.errors.slice(0, 1).map((error) => {
      const message = `this is not YAML: ${lowerFirst(error.message.replace(/\.$/, ''))}`;
      return {
        severity: 'error',
        file: this.file,
        ...this.#place(error.pos[0]),
        message,
        hint: this.#syntaxHint(error.code, error.pos[0]),
      };
    });
  }

  /** YAML that has no place in a topology, and would be misread or fail later. */
  #strangeNodes(): Issue[] {
    const issues: Issue[] = [];
    const say = (node: Node, message: string, hint: string) => {
      issues.push({
        severity: 'error',
        file: this.file,
        ...this.#place(node.range?.[0] ?? 0),
        message: `this is not YAML that can be used: ${message}`,
        hint,
      });
    };
    visit(this.#doc, {
      Value: (_key, node) => {
        if (node.tag !== undefined)
          say(node, 'tags such as !!binary have no meaning here', 'leave it away; a text that starts with ! needs quotes');
      },
      Alias: (_key, node) => {
        if (node.resolve(this.#doc) === undefined) say(node, `nothing is called &${node.source}`, 'a text that starts with * needs quotes');
      },
      Pair: (_key, { key }) => {
        if (isMap(key) || isSeq(key)) say(key, 'a key is a text', 'a text that starts with { or [ needs quotes');
      },
    });
    return issues.slice(0, 1);
  }

  #syntaxHint(code: string, offset: number): string | null {
    const line = this.#lineAt(offset);
    if (/^\s*\t/.test(line)) return 'indent with spaces, not with tabs';
    if (/\$\{[^}\n]*\}/.test(line)) return 'inside of { } and [ ], write "${params.name}" in quotes';
    if (code === 'MISSING_CHAR') return 'a text that starts with a quote ends with one, a list with ], a mapping with }';
    if (code === 'BLOCK_AS_IMPLICIT_KEY') return 'a text with ": " in it needs quotes around it, or starts on the next line behind >-';
    if (/:\s*\{\{/.test(line)) return 'a text that starts with {{ needs quotes around it';
    return null;
  }

  /** Replaces texts in place; `replace` gives the new value of a whole text, or pieces for a part of it. */
  substitute(replace: (text: string, path: Path) => Replaced | undefined): void {
    visit(this.#doc, {
      Scalar: (key, node, ancestors) => {
        if (key === 'key' || typeof node.value !== 'string' || !node.value.includes('${')) return;
        const replaced = replace(node.value, pathOf(ancestors, node));
        if (replaced === undefined) return;
        this.#written.set(node, node.value);
        node.value = replaced.value;
        this.#segments.set(node, replaced.segments);
      },
    });
  }

  toJS(): unknown {
    return this.#doc.toJS() as unknown;
  }

  /** An issue at a value. */
  issue(path: Path, message: string, hint: string | null = null, severity: Issue['severity'] = 'error'): Issue {
    return { severity, file: this.file, ...this.at(path), message, hint };
  }

  /** An issue at a key: an unknown one, or one whose value is missing. */
  issueAtKey(path: Path, message: string, hint: string | null = null, severity: Issue['severity'] = 'error'): Issue {
    return { severity, file: this.file, ...this.atKey(path), message, hint };
  }

  /** An issue at an offset inside of a text. */
  issueInText(path: Path, offset: number, message: string, hint: string | null = null, severity: Issue['severity'] = 'error'): Issue {
    return { severity, file: this.file, ...this.atOffset(path, offset), message, hint };
  }

  /** Where the value at this path starts, or the nearest thing around it that exists. */
  at(path: Path): Place {
    for (let length = path.length; length >= 0; length--) {
      const node = this.#node(path.slice(0, length));
      if (node?.range) return this.#place(node.range[0]);
    }
    return { line: 1, column: 1 };
  }

  atKey(path: Path): Place {
    const parent = this.#node(path.slice(0, -1));
    const key = path.at(-1);
    if (isMap(parent)) {
      for (const pair of parent.items)
        if (isScalar(pair.key) && String(pair.key.value) === String(key) && pair.key.range) return this.#place(pair.key.range[0]);
    }
    return this.at(path);
  }

  /** Where the character at `offset` of the text at this path stands in the file. */
  atOffset(path: Path, offset: number): Place {
    const node = this.#node(path);
    if (!isScalar(node) || !node.range) return this.at(path);
    const written = this.#written.get(node) ?? (typeof node.value === 'string' ? node.value : '');
    const original = this.#original(node, offset);
    const map = mapScalar(this.#text, node.range[0], node.range[1], node.type ?? 'PLAIN', written);
    return this.#place(map(original));
  }

  #original(node: Scalar, offset: number): number {
    const segments = this.#segments.get(node);
    const segment = segments?.findLast((candidate) => candidate.from <= offset);
    if (segment === undefined) return offset;
    return segment.replaced ? segment.original : segment.original + offset - segment.from;
  }

  #node(path: Path): Node | undefined {
    let node: unknown = this.#doc.contents;
    for (const step of path) {
      if (isAlias(node)) node = node.resolve(this.#doc);
      if (isMap(node)) node = node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))?.value;
      else if (isSeq(node)) node = node.items[Number(step)];
      else return undefined;
    }
    return isNode(node) ? node : undefined;
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(Math.min(offset, this.#text.length));
    return line === 0 ? { line: 1, column: 1 } : { line, column: col };
  }

  #lineAt(offset: number): string {
    const start = this.#text.lastIndexOf('\n', offset - 1) + 1;
    const end = this.#text.indexOf('\n', offset);
    return this.#text.slice(start, end === -1 ? undefined : end);
  }
}

export interface Replaced {
  readonly value: string | number | boolean;
  readonly segments: readonly Segment[];
}

function pathOf(ancestors: readonly unknown[], node: unknown): Path {
  const path: (string | number)[] = [];
  const chain = [...ancestors, node];
  for (let i = 0; i < chain.length - 1; i++) {
    const parent = chain[i];
    if (isSeq(parent)) path.push(parent.items.indexOf(chain[i + 1]));
    else if (isPair(parent) && isScalar(parent.key)) path.push(String(parent.key.value));
  }
  return path;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
