/**
 * What a worker is started with beyond what its parent was: flags of Node and V8, and environment variables of the libraries beneath them. One place for all,
 * because what counts is the sum over the workers of a machine.
 */
export const WORKER_NODE_FLAGS: readonly string[] = [];
export const WORKER_ENVIRONMENT: Readonly<Record<string, string>> = {};
