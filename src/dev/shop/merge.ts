/**
 * Merges streams that are each in order into one, earliest first; equal times go by the stream's number. A binary heap holds the next item of
 * each stream, so thousands of streams cost a few comparisons an item.
 */
export function* earliestFirst<T>(streams: readonly Iterator<T, undefined>[], timeOf: (item: T) => number): Generator<T, undefined> {
  const heap: { item: T; time: number; stream: number }[] = [];
  const before = (a: number, b: number): boolean =>
    heap[a]!.time < heap[b]!.time || (heap[a]!.time === heap[b]!.time && heap[a]!.stream < heap[b]!.stream);
  const swap = (a: number, b: number): void => {
    [heap[a], heap[b]] = [heap[b]!, heap[a]!];
  };
  const sink = (from: number): void => {
    for (let at = from; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && before(child, least)) least = child;
      if (least === at) return;
      swap(at, least);
      at = least;
    }
  };

  for (const [stream, items] of streams.entries()) {
    const first = items.next();
    if (first.done !== true) heap.push({ item: first.value, time: timeOf(first.value), stream });
  }
  for (let at = heap.length >> 1; at >= 0; at--) if (at < heap.length) sink(at);

  while (heap.length > 0) {
    const { item, stream } = heap[0]!;
    yield item;
    const following = streams[stream]!.next();
    if (following.done === true) {
      const last = heap.pop()!;
      if (heap.length === 0) return;
      heap[0] = last;
    } else heap[0] = { item: following.value, time: timeOf(following.value), stream };
    sink(0);
  }
}
