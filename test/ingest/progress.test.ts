import { afterEach, describe, expect, test } from 'vitest';
import { IngestProgress, type HoldObserver } from '../../src/ingest/progress.ts';
import { createMemoryBroker } from '../../src/log/memory/broker.ts';
import { VirtualClock } from '../processor/virtual-clock.ts';

const T0 = Date.UTC(2026, 0, 5, 9, 0, 0);
const never = new AbortController().signal;

class Rig {
  readonly clock = new VirtualClock(T0);
  readonly log = createMemoryBroker({ now: this.clock.nowMs }).connect();
  readonly said: string[] = [];
  readonly progress: IngestProgress;

  constructor(topics: readonly string[]) {
    const observer: HoldObserver = {
      released: (seconds) => void this.said.push(`released after ${seconds} s`),
      overdue: (count) => void this.said.push(`overdue ${count}`),
      note: (level, message) => void this.said.push(`${level}: ${message}`),
    };
    const sources = topics.map((topic, i) => ({ name: `s${i}`, topic }));
    this.progress = new IngestProgress({ admin: this.log.admin, prefix: 'p', sources, clock: this.clock, maxHoldMs: 60_000, observer });
  }

  async create(topic: string): Promise<void> {
    await this.log.admin.createTopics([{ topic, partitions: 2, replicationFactor: 1, config: {} }]);
  }

  async append(topic: string, count: number, partition = 0): Promise<void> {
    await this.log.append(Array.from({ length: count }, () => ({ topic, partition, key: null, value: Buffer.from('x') })));
  }

  async committed(source: string, topic: string, offset: number, partition = 0): Promise<void> {
    await this.log.admin.setGroupOffsets(`p-ingest-${source}`, topic, new Map([[partition, offset]]));
  }

  /** Lets everything go on that waits for no clock, and what waits for it as long as that many polls take. */
  async polls(count = 3): Promise<void> {
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(500);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Whether it has settled by now. */
  watch(promise: Promise<void>): { readonly done: () => boolean } {
    let done = false;
    promise.then(
      () => (done = true),
      () => undefined,
    );
    return { done: () => done };
  }
}

describe('the progress of ingest', () => {
  let rig: Rig;
  afterEach(() => rig.log.close());

  test('nobody waits for sources without records, nor for those that are read', async () => {
    rig = new Rig(['a', 'b']);
    await rig.create('a');
    await rig.create('b');
    await rig.progress.drained(never);
    await rig.append('a', 3);
    await rig.committed('s0', 'a', 3);
    await rig.progress.drained(never);
    expect(rig.said).toEqual(['released after 0 s', 'released after 0 s']);
  });

  test('who asks waits until each source has committed what was there then, and no longer', async () => {
    rig = new Rig(['a', 'b']);
    await rig.create('a');
    await rig.create('b');
    await rig.append('a', 3);
    await rig.append('b', 2, 1);
    const first = rig.watch(rig.progress.drained(never));
    await rig.polls();
    // Behind the ends that were looked up.
    await rig.append('a', 5);
    await rig.committed('s0', 'a', 3);
    await rig.polls();
    expect(first.done()).toBe(false);
    await rig.committed('s1', 'b', 2, 1);
    await rig.polls();
    expect(first.done()).toBe(true);
  });

  test('who comes while others wait, waits for what has come by then', async () => {
    rig = new Rig(['a']);
    await rig.create('a');
    await rig.append('a', 3);
    const first = rig.watch(rig.progress.drained(never));
    await rig.polls();
    await rig.append('a', 1);
    const second = rig.watch(rig.progress.drained(never));
    await rig.committed('s0', 'a', 3);
    await rig.polls();
    expect([first.done(), second.done()]).toEqual([true, false]);
    await rig.committed('s0', 'a', 4);
    await rig.polls();
    expect(second.done()).toBe(true);
  });

  test('two sources of one topic are two to wait for', async () => {
    rig = new Rig(['a', 'a']);
    await rig.create('a');
    await rig.append('a', 1);
    await rig.committed('s0', 'a', 1);
    const waiting = rig.watch(rig.progress.drained(never));
    await rig.polls();
    expect(waiting.done()).toBe(false);
    await rig.committed('s1', 'a', 1);
    await rig.polls();
    expect(waiting.done()).toBe(true);
  });

  test('says once that ticks have waited for too long, for what, and when they go on; and never lets them go for that', async () => {
    rig = new Rig(['a']);
    await rig.create('a');
    await rig.append('a', 3);
    const waiting = rig.watch(rig.progress.drained(never));
    await rig.polls();
    expect(rig.said).toEqual([]);
    rig.clock.advance(61_000);
    await rig.polls(10);
    const overdue =
      'warn: ticks have waited for ingest for more than 60 s, and nothing that is due is decided: source s0 (a) is 3 records behind; does `lull ingest` run?';
    expect(rig.said).toEqual([overdue, 'overdue 1']);
    rig.clock.advance(3_600_000);
    await rig.polls(10);
    expect(waiting.done()).toBe(false);
    await rig.committed('s0', 'a', 3);
    await rig.polls();
    expect(waiting.done()).toBe(true);
    expect(rig.said.slice(2)).toEqual([
      expect.stringMatching(/^released after 36\d\d/),
      'info: ingest has caught up: ticks go on',
      'overdue 0',
    ]);
  });

  test('who is stopped waits no longer, and the others do', async () => {
    rig = new Rig(['a']);
    await rig.create('a');
    await rig.append('a', 3);
    const stopping = new AbortController();
    const stopped = rig.progress.drained(stopping.signal);
    const other = rig.watch(rig.progress.drained(never));
    await rig.polls();
    stopping.abort(new Error('the task was stopped'));
    await expect(stopped).rejects.toThrow('the task was stopped');
    await expect(rig.progress.drained(stopping.signal)).rejects.toThrow('the task was stopped');
    await rig.committed('s0', 'a', 3);
    await rig.polls();
    expect(other.done()).toBe(true);
    // And after the last one has gone, it works for whoever comes next.
    await rig.append('a', 1);
    const last = new AbortController();
    const gone = rig.progress.drained(last.signal);
    await rig.polls();
    last.abort(new Error('stopped too'));
    await expect(gone).rejects.toThrow('stopped too');
    const next = rig.watch(rig.progress.drained(never));
    await rig.committed('s0', 'a', 4);
    await rig.polls();
    expect(next.done()).toBe(true);
  });

  test('a topic that is gone is an error for who asks, and for nobody else', async () => {
    rig = new Rig(['a']);
    await expect(rig.progress.drained(never)).rejects.toThrow(/a/);
    await rig.create('a');
    await rig.progress.drained(never);
  });
});
