import { defineConfig } from 'vitest/config'

/**
 * Four kinds of tests, each runnable alone (`npm run test:unit`, ...):
 * unit needs neither root nor a network; integration uses real components and skips, with the reason, where
 * one is missing; e2e runs the built commands; long is what doesn't fit the time of `npm test`.
 */
const shared = { disableConsoleIntercept: true, globals: false }
const real = {
  ...shared,
  testTimeout: 60_000,
  hookTimeout: 120_000,
  pool: 'forks' as const,
}

const unit = ['test/unit/**/*.test.ts']
const startup = ['test/unit/cli/start.test.ts']

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: unit,
          exclude: startup,
          testTimeout: 20_000,
          maxWorkers: 3,
        },
      },
      // Alone, since it measures.
      { test: { ...shared, name: 'startup', include: startup, sequence: { groupOrder: 1 } } },
      {
        test: {
          ...real,
          maxWorkers: 3,
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
        },
      },
      {
        test: {
          ...real,
          fileParallelism: false,
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          testTimeout: 240_000,
        },
      },
      {
        test: {
          ...real,
          fileParallelism: false,
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          testTimeout: 1_800_000,
        },
      },
    ],
  },
})
