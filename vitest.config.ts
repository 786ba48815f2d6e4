import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes each, with peers of hundreds of megabytes: `make test-long` runs them.
    exclude: process.env.TEST_LONG ? [] : ['test/**/*.long.test.ts'],
    // Two cores: files that start brokers, cameras or engines would starve each other.
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 120_000,
    // A browser, or a run beside it, takes its time on a loaded machine.
    expect: { poll: { timeout: 15_000 } },
  },
});
