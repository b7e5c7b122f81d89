/** What a wait throws that was given up: by its signal, or because the reader, writer or log was closed. */
export function abortError(message: string): DOMException {
  return new DOMException(message, 'AbortError');
}

export function isAbortError(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** The promise's result, or AbortError as soon as the signal fires; what the promise gives after that is nobody's. */
export async function orAbort<T>(promise: Promise<T>, signal: AbortSignal, message: string): Promise<T> {
  let giveUp = () => {};
  const aborted = new Promise<never>((_, reject) => {
    giveUp = () => reject(abortError(message));
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

/**
 * A signal that fires with either of two, until it is released. Unlike `AbortSignal.any`, nothing of it stays with a signal that lives for
 * days while thousands of these come and go.
 */
export function eitherSignal(
  one: AbortSignal,
  other: AbortSignal | undefined,
): { readonly signal: AbortSignal; readonly release: () => void } {
  if (other === undefined) return { signal: one, release: () => {} };
  const controller = new AbortController();
  const fire = () => controller.abort();
  for (const signal of [one, other]) {
    signal.addEventListener('abort', fire, { once: true });
    if (signal.aborted) fire();
  }
  const release = () => {
    for (const signal of [one, other]) signal.removeEventListener('abort', fire);
  };
  return { signal: controller.signal, release };
}
