import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { Ajv } from 'ajv';
import { compileTopology } from '../../src/topology/compile.ts';
import { hashOf } from '../../src/topology/canonical.ts';
import { compileSmall, inFolder, journeyWith, SMALL } from './small.ts';

const TOPOLOGIES = path.join(import.meta.dirname, '../../topologies');

function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'));
  return Object.fromEntries(names.map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]));
}

function hash(files: Record<string, string>, set: Record<string, string> = {}): string {
  return inFolder(files, (folder) => {
    const compiled = compileTopology(folder, { app: 'test', set });
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
    return compiled.program.hash;
  });
}

describe('compiling', () => {
  it('gives the same hash for the same meaning, however it is written', () => {
    const shop = filesOf(path.join(TOPOLOGIES, 'shop'));
    const expected = hash(shop);
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), fc.boolean(), (numbers, flow) => {
        const rewritten = Object.entries(shop).map(([name, text]) => {
          const shuffled = shuffle(parse(text), () => Number(numbers.next().value));
          return [renamed(name), `# rewritten\n${stringify(shuffled, { defaultStringType: flow ? 'QUOTE_DOUBLE' : 'PLAIN' })}`];
        });
        expect(hash(Object.fromEntries(rewritten) as Record<string, string>)).toBe(expected);
      }),
      { numRuns: 10 },
    );
  });

  it('gives another hash for another meaning, and the same one for another description', () => {
    const shop = filesOf(path.join(TOPOLOGIES, 'shop'));
    const expected = hash(shop);
    const edited = (name: string, from: RegExp, to: string) => hash({ ...shop, [name]: shop[name]!.replace(from, to) });
    expect(hash(shop, { cartWait: '3s' })).not.toBe(expected);
    expect(hash(shop, { cartWait: '1h' })).toBe(expected);
    expect(edited('journeys/cart_abandoned.yaml', /expires: 6h/, 'expires: 5h')).not.toBe(expected);
    expect(edited('templates/cart_reminder.yaml', /Hi /, 'Hello ')).not.toBe(expected);
    expect(edited('events.yaml', /page_viewed:\n/, 'page_viewed:\n  activity: false\n')).not.toBe(expected);
    expect(edited('journeys/cart_abandoned.yaml', /description: .*/, 'description: another')).toBe(expected);
    expect(edited('events.yaml', /description: .*/, 'description: another')).toBe(expected);
  });

  it('keeps an event or a property that is called description', () => {
    const events = SMALL['events.yaml']!;
    const plain = compileSmall();
    expect(compileSmall({ 'events.yaml': `${events}description:\n` }).program.hash).not.toBe(plain.program.hash);
    expect(compileSmall({ 'events.yaml': events.replace('show: string', 'description: string, show: string') }).program.hash).not.toBe(
      plain.program.hash,
    );
  });

  it('says the canonical text that the hash is of', () => {
    const { canonical, program } = compileSmall();
    expect(hashOf(canonical)).toBe(program.hash);
    expect(JSON.parse(canonical)).toMatchObject({ name: 'small', journeys: [{ name: 'main' }] });
  });

  it('names a tracker after what it remembers, not after where that is asked for', () => {
    const ids = (lines: string[]) => compileSmall({ 'journeys/main.yaml': journeyWith(...lines) }).program.trackers.map(({ id }) => id);
    const [paused] = ids(['cancel_on: paused']);
    expect(ids(['goal: paused'])).toEqual([paused]);
    expect(ids(['cancel_on: [paused]', 'goal: { event: paused }'])).toEqual([paused]);
    expect(ids(['cancel_on: { event: paused, where: event.show == "a" }'])).not.toContain(paused);
    expect(ids(['key: show', 'cancel_on: paused'])).not.toContain(paused);
    expect(ids(['key: show', 'cancel_on: { event: paused, per: user }'])).toEqual([paused]);
  });

  it('takes the trigger of an absence into what negates it: a repeated one starts anew', () => {
    const journey = journeyWith().replace(
      'on: watched',
      'on: { absence: { after: { event: watched, where: event.percent > 50 }, without: paused, within: 1h } }',
    );
    const { program } = compileSmall({ 'journeys/main.yaml': journey });
    const [tracker] = program.trackers;
    expect(tracker!.matches.map(({ type }) => type)).toEqual(['watched', 'paused']);
    expect(tracker!.matches[0]!.where).not.toBeNull();
    expect(program.journeys[0]!.pattern).toMatchObject({ kind: 'sequence', links: [], withoutId: tracker!.id, withinMs: 3_600_000 });
  });

  it('compiles a sequence to links, and what must not come to the places where it stands', () => {
    const of = '[watched, { without: billed }, { event: paused, where: event.show != "" }, { without: [watched, "*"] }]';
    const journey = journeyWith().replace('on: watched', `on: { sequence: { of: ${of}, within: 1h } }`);
    const { program } = compileSmall({ 'journeys/main.yaml': journey });
    const { pattern } = program.journeys[0]!;
    const typesOf = (id: string | null) => program.trackers.find((tracker) => tracker.id === id)?.matches.map(({ type }) => type);
    if (pattern.kind !== 'sequence') throw new Error(pattern.kind);
    expect(pattern.on.type).toBe('watched');
    expect(pattern.links.map(({ trackerId, withoutId }) => [typesOf(trackerId), typesOf(withoutId)])).toEqual([[['paused'], ['billed']]]);
    expect(typesOf(pattern.withoutId)).toEqual(['watched', '*']);
  });

  it('keeps as many moments as a count needs', () => {
    const journey = journeyWith().replace('on: watched', 'on: { count: { of: watched, times: 40, within: session } }');
    const { program } = compileSmall({ 'journeys/main.yaml': journey });
    expect(program.journeys[0]!.pattern).toMatchObject({ kind: 'count', times: 40, withinMs: null, withoutId: null });
    expect(program.trackers).toMatchObject([{ cap: 40, restrains: false }]);
  });

  it('does not share what leads to a message with what holds one back: a condition that fails counts differently', () => {
    const journey = journeyWith('cancel_on: paused').replace('on: watched', 'on: { sequence: { of: [watched, paused], within: 1h } }');
    const { program } = compileSmall({ 'journeys/main.yaml': journey });
    expect(program.trackers.map(({ restrains }) => restrains).sort()).toEqual([false, true]);
  });

  it('remembers cancelling moments for as long as the longest journey that asks has to look', () => {
    const journey = journeyWith('cancel_on: paused').replace('on: watched', 'on: { inactive: { after: watched, for: 20d } }');
    expect(compileSmall({ 'journeys/main.yaml': journey }).program.trackers[0]!.keepMs).toBe(40 * 86_400_000);
  });

  it('checks a draft, and leaves it out', () => {
    const draft = journeyWith('mode: draft').replace('name: main', 'name: later');
    const { program } = compileSmall({ 'journeys/later.yaml': draft });
    expect(program.journeys.map(({ name }) => name)).toEqual(['main']);
    expect(() => compileSmall({ 'journeys/later.yaml': draft.replace('on: watched', 'on: wached') })).toThrow('no event `wached`');
  });

  it('takes the key as text, and no key where there is none', () => {
    const { program } = compileSmall({ 'journeys/main.yaml': journeyWith('key: percent') });
    const key = program.journeys[0]!.key!;
    const event = (properties: object) => ({ properties }) as Parameters<typeof key>[0];
    expect(key(event({ percent: 80 }))).toBe('80');
    expect(key(event({ percent: null }))).toBeNull();
    expect(key(event({}))).toBeNull();
    expect(key(event({ percent: '' }))).toBeNull();
  });

  it('knows which property names the item', () => {
    const { program } = compileSmall({ 'events.yaml': `${SMALL['events.yaml']!}cheaper: { item: sku, properties: { sku: string? } }\n` });
    expect(program.eventTypes.get('cheaper')).toEqual({ type: 'cheaper', activity: false, item: 'sku' });
  });

  it('gives every limit and setting its default', () => {
    const { program } = compileSmall();
    expect(program).toMatchObject({ name: 'small', app: 'test', sessionGapMs: 1_800_000, maxEventAgeMs: 604_800_000, caps: [], sums: [] });
    expect(program.eventTypes.get('billed')).toEqual({ type: 'billed', activity: false });
    expect(program.journeys[0]).toMatchObject({
      reentry: { kind: 'always' },
      expiresAfterMs: null,
      key: null,
      audience: null,
      cancelOn: [],
    });
  });
});

describe('the published schemas', () => {
  it.each(readdirSync(TOPOLOGIES))('take %s as an editor sees it, params not replaced', (name) => {
    const ajv = new Ajv({ allErrors: true, strict: false });
    for (const [file, text] of Object.entries(filesOf(path.join(TOPOLOGIES, name)))) {
      const named = /\$schema=(\S+)/.exec(text)?.[1];
      expect(named, file).toBeDefined();
      const schema = JSON.parse(readFileSync(path.join(TOPOLOGIES, name, path.dirname(file), named!), 'utf8')) as object;
      const validate = ajv.compile(schema);
      validate(parse(text));
      expect(validate.errors ?? [], file).toEqual([]);
    }
  });
});

function renamed(name: string): string {
  return name.startsWith('journeys/') ? name.replace('journeys/', 'journeys/z-') : name;
}

function shuffle(value: unknown, next: () => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffle(item, next));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, inner]) => ({ key, inner: shuffle(inner, next), order: next() }));
  return Object.fromEntries(entries.sort((a, b) => a.order - b.order).map(({ key, inner }) => [key, inner]));
}
