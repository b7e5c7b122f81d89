import { defineConfig } from 'vitest/config';

// `.ci/run` counts the results from this file; where it is not asked for, nothing is written.
const results = process.env['LULL_TEST_RESULTS'];

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/stack.ts'],
    // Native modules and real process signals: processes, not threads. Most tests wait for a broker, so three share two cores well.
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: results === undefined ? ['default'] : ['default', ['json', { outputFile: results }]],
  },
});
