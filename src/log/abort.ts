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
