import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { EXIT } from '../../src/cli/exit-code.ts';
import { nearest } from '../../src/cli/nearest.ts';
import { printable } from '../../src/cli/rejected/show.ts';
import { createProgress } from '../../src/cli/progress-bar.ts';
import { nextSteps } from '../../src/cli/next-steps.ts';
import type { ErrorCode } from '../../src/model/errors.ts';
import { LakewardError } from '../../src/model/errors.ts';
import { lakeward } from './captured-run.ts';

/** Nothing listens on the discard port of loopback. */
const NOBODY = 'http://127.0.0.1:9';

describe('help', () => {
  test('without words shows every command', async () => {
    const { code, stdout } = await lakeward([]);
    expect(code).toBe(EXIT.ok);
    for (const { name, summary } of COMMANDS) expect(stdout).toContain(`${name.padEnd(17)}  ${summary}`);
  });

  test.each(COMMANDS.map(({ name }) => name))(
    'of %s shows its options and an example that starts with it',
    async (name) => {
      const { code, stdout, stderr } = await lakeward([...name.split(' '), '--help']);
      expect(code).toBe(EXIT.ok);
      expect(stderr).toBe('');
      expect(stdout).toContain(`Usage: lakeward ${name}`);
      expect(stdout).toMatch(new RegExp(`Examples:\\n(?:.*\\n)*? .*lakeward ${name}`));
      for (const option of Object.keys(COMMANDS.find((it) => it.name === name)?.options ?? {})) {
        expect(stdout).toContain(`--${option}`);
      }
    },
  );

  test('of a group shows its commands', async () => {
    const { code, stdout } = await lakeward(['stream', '--help']);
    expect(code).toBe(EXIT.ok);
    expect(stdout).toContain('stream create');
    expect((await lakeward(['stream'])).code).toBe(EXIT.usage);
  });

  test('--version gives the version of the package', async () => {
    expect((await lakeward(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe('a wrong command line', () => {
  test.each([
    [['stats'], "no command 'stats', did you mean 'status'?"],
    [['stream', 'crate', 'x'], "no command 'stream crate', did you mean 'stream create'?"],
    [['streams'], "did you mean 'stream'?"],
    [['xyzzy'], "no command 'xyzzy'"],
    [['stream', 'create'], '<stream> is missing'],
    [['stream', 'list', 'x'], "'x' is one argument too many"],
    [['stream', 'create', 'x', '--shard', '3'], "unknown option '--shard', did you mean --shards?"],
    [['stream', 'create', 'x', '--shards'], '--shards needs a value'],
    [['stream', 'create', 'x', '--shards', '257'], '--shards takes a whole number from 1 to 256'],
    [['stream', 'create', 'x', '--shards', '1.5'], '--shards takes a whole number'],
    [['put', 'x', '/no/such/file'], '/no/such/file: no such file'],
    [['delivery', 'create', 'x'], '--stream is missing'],
    [['delivery', 'update', 'x'], 'nothing to change'],
    [['stream', 'create', 'a/b'], "<stream> takes 1-128 of A-Z a-z 0-9 _ . -, not 'a/b'"],
    [
      ['delivery', 'create', 'd', '--stream', 's', '--format', 'xml'],
      "--format takes parquet, csv, ndjson or raw, not 'xml'",
    ],
    [
      ['delivery', 'update', 'd', '--flush-age', 'soon', '--flush-bytes', 'x'],
      '--flush-bytes takes a size such as 64MiB',
    ],
    [['--shards', '3', 'status'], "unknown option '--shards' before a command"],
  ])('%j is refused, with the reason and the way to help, before anything is tried', async (args, reason) => {
    const { code, stdout, stderr } = await lakeward(args, { url: NOBODY });
    expect(code).toBe(EXIT.usage);
    expect(stdout).toBe('');
    expect(stderr).toContain(reason);
    expect(stderr).toContain('--help');
  });

  test('is told as JSON with --json', async () => {
    const { stderr } = await lakeward(['stream', 'create', '--json']);
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'usage' } });
  });
});

describe('a server that is not there', () => {
  test.each([['status'], ['stream', 'list'], ['delivery', 'list'], ['lake', 'ls'], ['rejected', 'list']])(
    'makes %s %s exit with 3 and name the address',
    async (...args) => {
      const { code, stderr } = await lakeward(args, { url: NOBODY });
      expect(code).toBe(EXIT.unreachable);
      expect(stderr).toContain(NOBODY);
      expect(stderr).toContain('lakeward serve');
    },
  );

  test('makes put wait for as long as told, then exit with 3 and say where to go on', async () => {
    const { code, stderr } = await lakeward(['put', 's', '--retry-for', '0'], { url: NOBODY, stdin: '\n{"a":1}\n' });
    expect(code).toBe(EXIT.unreachable);
    expect(stderr).toContain('--from-line 2');
  });
});

test('options of every command may stand before it', async () => {
  const { code, stderr } = await lakeward(['--url', NOBODY, '--json', 'stream', 'list']);
  expect(code).toBe(EXIT.unreachable);
  expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'server-unreachable', details: { url: NOBODY } } });
});

test('put of an empty input still finds out whether a server answers', async () => {
  expect((await lakeward(['put', 's', '--retry-for', '0'], { url: NOBODY, stdin: '' })).code).toBe(EXIT.unreachable);
});

test('a rejected record is shown as it is, but for what would upset the terminal', () => {
  expect(printable('{"a":"C:\\\\x \\"é\\""}')).toBe('{"a":"C:\\\\x \\"é\\""}');
  expect(printable('a\n\tb\u001b[2J\u202ec')).toBe('a\\n\\tb\\u001b[2J\\u202ec');
});

test('progress shows the share of the whole when that is known', () => {
  let text = '';
  const sink = { write: (it: string) => void (text += it) };
  const options = { sink, label: 'clicks', total: undefined, live: true, monotonicMs: () => 0 };
  createProgress(options).set(10, { part: 0.257 });
  expect(text).toMatch(/clicks {2}█{6}░{18} {2}25 % {2}10 {2}/);
});

describe('an error tells the next step', () => {
  const steps = (code: ErrorCode, command: string, cause?: object): readonly string[] =>
    nextSteps(new LakewardError(code, 'no', { cause }), { command, positionals: ['x'] });

  test.each([
    ['unauthorized', 'status', /--key .* LAKEWARD_KEY/],
    ['stream-in-use', 'stream delete', /lakeward delivery delete .*lakeward stream delete x --force/],
    ['stream-exists', 'stream create', /lakeward stream describe x/],
    ['delivery-exists', 'delivery create', /lakeward delivery describe x/],
    ['delivery-paused', 'delivery flush', /lakeward delivery resume x/],
    ['stream-not-found', 'put', /lakeward stream create x/],
  ] as const)('%s', (code, command, expected) => {
    expect(steps(code, command).join(' ')).toMatch(expected);
  });

  test('a port that is taken: another one', () => {
    const taken = Object.assign(new Error('taken'), { code: 'EADDRINUSE' });
    expect(steps('config-invalid', 'serve', taken)).toEqual([expect.stringContaining('--port 0')]);
    expect(steps('config-invalid', 'serve')).toEqual([]);
  });
});

describe('the nearest word', () => {
  test('is found for slips of the hand and not for other words', () => {
    expect(nearest('delviery', ['delivery', 'demo'])).toBe('delivery');
    expect(nearest('del', ['delivery', 'demo'])).toBe('delivery');
    expect(nearest('lake', ['serve', 'demo'])).toBeUndefined();
  });
});

test('words carry no colour off a terminal', async () => {
  const { stderr, stdout } = await lakeward(['status'], { url: NOBODY });
  expect(stderr + stdout).not.toContain('\u001b');
});
