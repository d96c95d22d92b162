import { defineConfig } from 'vitest/config';

/**
 * `unit` needs no broker and ends within 30 s; `cli` starts the built program, without one; `integration` runs its
 * files one after the other on a real one.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,property,vectors}/**/*.test.ts', 'test/*.test.ts'],
          pool: 'threads',
          testTimeout: 20_000,
        },
      },
      { test: { name: 'cli', include: ['test/cli/**/*.test.ts'], testTimeout: 20_000 } },
      {
        test: {
          name: 'integration',
          include: ['test/{integration,fault,interop}/**/*.test.ts'],
          globalSetup: ['test/support/setup.ts'],
          runner: 'test/support/runner.ts',
          fileParallelism: false,
          testTimeout: 30_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
