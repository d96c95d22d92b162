import { beforeAll, describe, expect, test } from 'vitest';
import { build, claimseal } from '../support/built.ts';

const COMMANDS = ['run', 'seal', 'open', 'check', 'explain', 'keygen'];

beforeAll(build, 300_000);

describe('help', () => {
  test('names every command and every exit code, on standard output', async () => {
    const { code, stdout, stderr } = await claimseal(['--help']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    for (const command of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
    for (const exit of [0, 1, 2, 4, 130, 141]) expect(stdout).toMatch(new RegExp(`^ {2}${exit} `, 'm'));
  });

  test.each(COMMANDS)('%s --help has an example that begins with the command', async (command) => {
    const { code, stdout } = await claimseal([command, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples?:\n.*claimseal ${command} `));
  });

  test('--version is the package version', async () => {
    const { code, stdout } = await claimseal(['--version']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('usage', () => {
  test.each([
    ['no command', []],
    ['an unknown command', ['reseal']],
    ['an unknown option', ['check', '--config', 'x', '--fast']],
    ['a missing option', ['run']],
    ['a choice that is none', ['keygen', '--kty', 'DSA', '--out', 'x']],
    ['coordinates that are none', ['run', '--config', 'x', '--quarantine-offset', 'topic/0']],
  ])('%s exits 2 and says so on standard error', async (_, args) => {
    const { code, stdout, stderr } = await claimseal(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('    at ');
  });
});
