import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { lineBatches } from '../../src/cli/put/line-batches.ts';
import { documents, lakeward } from './captured-run.ts';

async function* chunks(whole: Buffer, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let from = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    if (cut <= from || cut >= whole.length) continue;
    yield whole.subarray(from, cut);
    from = cut;
  }
  yield whole.subarray(from);
}

describe('lines of a flow', () => {
  test('come out whole and numbered, however the flow is cut', async () => {
    const line = fc.oneof(
      fc.constantFrom('', '  ', '{"a":1}'),
      fc.string({ unit: 'grapheme' }).map((it) => it.replace(/[\r\n]/g, '')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat(200)), fc.boolean(), async (lines, cuts, windows) => {
        const end = windows ? '\r\n' : '\n';
        const found: [number, string][] = [];
        for await (const batch of lineBatches(chunks(Buffer.from(lines.join(end)), cuts), 1)) {
          for (const [i, bytes] of batch.lines.entries())
            found.push([batch.numbers[i] ?? 0, Buffer.from(bytes).toString()]);
        }
        const wanted = lines.flatMap((it, i): [number, string][] => (/^[ \t]*$/.test(it) ? [] : [[i + 1, it]]));
        expect(found).toEqual(wanted);
      }),
    );
  });

  test('start at the line asked for', async () => {
    const batches = [];
    for await (const batch of lineBatches(chunks(Buffer.from('1\n2\n\n4\n'), []), 2)) batches.push(batch.numbers);
    expect(batches.flat()).toEqual([2, 4]);
  });
});

interface Scripted {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: (lines: readonly string[]) => unknown;
}

describe('put against a server that answers by script', () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function scripted(...answers: readonly Scripted[]): Promise<{ url: string; bodies: string[][] }> {
    const bodies: string[][] = [];
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        const lines = body.split('\n').filter(Boolean);
        const answer = answers[bodies.length] ?? accept;
        bodies.push(lines);
        response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
        response.end(JSON.stringify(answer.body(lines)));
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
  }

  const accept: Scripted = { status: 200, body: (lines) => ({ accepted: lines.length, failed: 0, records: [] }) };
  const refuse = (status: number, code: string): Scripted => ({
    status,
    headers: { 'retry-after': '0' },
    body: () => ({ error: { code, message: 'no', retryable: true, requestId: 'r' } }),
  });

  test('waits out 429 and 503 and sends the same lines again', async () => {
    const { url, bodies } = await scripted(refuse(429, 'broker-overloaded'), refuse(503, 'disk-full'), accept);
    const { code, stdout } = await lakeward(['put', 's'], { url, stdin: 'a\nb\n' });
    expect(code).toBe(EXIT.ok);
    expect(bodies).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(stdout).toContain('2 records durable in s');
  });

  test('sends records that may succeed later again, alone, and reports the others by line', async () => {
    const mixed: Scripted = {
      status: 207,
      body: () => ({
        accepted: 1,
        failed: 2,
        records: [
          { index: 0, code: 'disk-full', reason: 'full' },
          { index: 2, code: 'not-json', reason: 'bad' },
        ],
      }),
    };
    const { url, bodies } = await scripted(mixed, accept);
    const result = await lakeward(['put', 's', '--json'], { url, stdin: '\na\nb\nc\n' });
    expect(result.code).toBe(EXIT.findings);
    expect(bodies).toEqual([['a', 'b', 'c'], ['a']]);
    expect(documents(result)).toMatchObject([
      { accepted: 2, refused: 1, refusals: [{ line: 4, code: 'not-json', reason: 'bad' }] },
    ]);
  });

  test('finds the one line for which a whole body is refused', async () => {
    const picky: Scripted = {
      status: 400,
      body: () => ({ error: { code: 'body-invalid', message: 'bad line', retryable: false, requestId: 'r' } }),
    };
    const { url, bodies } = await scripted(picky, accept, picky, picky, accept);
    const { code, stderr } = await lakeward(['put', 's'], { url, stdin: '1\n2\n3\n4\n' });
    expect(code).toBe(EXIT.findings);
    expect(bodies).toEqual([['1', '2', '3', '4'], ['1', '2'], ['3', '4'], ['3'], ['4']]);
    expect(stderr).toContain('line 3 refused: body-invalid: bad line');
  });

  test('does not send again what the server may have stored, and says where to go on', async () => {
    const bodies: string[] = [];
    const server = createServer((request) => {
      void text(request).then((body) => {
        bodies.push(body);
        request.socket.destroy();
      });
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, stderr } = await lakeward(['put', 's'], { url, stdin: 'a\n' });
    expect(code).toBe(EXIT.unreachable);
    expect(bodies).toEqual(['a\n']);
    expect(stderr).toContain('go on with --from-line 1');
  });
});

describe('flush of much', () => {
  const status = { spec: { name: 'd' }, state: 'running', rows: 500, files: 1, rejects: { openRows: 0 } };

  test('shows on a terminal how far it is, and leaves a clean line behind', async () => {
    let answerFlush: (() => void) | undefined;
    const server = createServer((request, response) => {
      const answer = (rows: number, records: number): void =>
        void response.end(JSON.stringify({ ...status, rows, pending: { records, bytes: 0 } }));
      if (request.method === 'POST') answerFlush = () => answer(500, 0);
      else answer(100, 400);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const onWords = (soFar: string): void => {
      if (soFar.includes('400 records waiting')) answerFlush?.();
    };
    const { code, stdout, stderr } = await lakeward(['delivery', 'flush', 'd'], { url, live: true, onWords });
    server.close();
    expect(code).toBe(EXIT.ok);
    expect(stdout).toContain('d flushed: running, 500 rows in 1 file, 0 records waiting');
    expect(stderr).toMatch(/landing d .*400 records waiting/);
    expect(stderr.lastIndexOf('\r\u001b[2K')).toBeGreaterThan(stderr.lastIndexOf('waiting'));
  });
});
