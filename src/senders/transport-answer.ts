import type { HttpResult } from './http.ts';
import type { Answer } from './provider.ts';

/** The table's two rows for every provider: before the first byte it is a retry, after it nobody knows. */
export function transportAnswer(result: Exclude<HttpResult, { readonly kind: 'reply' }>): Answer {
  if (result.kind === 'ambiguous') return { class: 'ambiguous', code: result.code };
  // A name of an allowed push service that resolves to a private address is an attack or a broken resolver: neither gets better soon.
  if (result.code === 'blocked_address') return { class: 'drop', code: 'ssrf_blocked_address' };
  return { class: 'retry', code: result.code };
}
