/** A whole server, in this process or in one of its own, and the few requests that these tests make of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import type { DeliveryStatus, PutAnswer } from '../../src/app/control-answers.ts';
import type { RunningServer } from '../../src/app/compose.ts';
import { startServer } from '../../src/app/compose.ts';
import { loadConfig } from '../../src/config/load.ts';

export const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Place {
  /** Holds `data/` and `lake/`, unless the settings say otherwise. */
  readonly folder: string;
  readonly lake: string;
  dispose(): Promise<void>;
}

/** `settings` as in `lakeward.yaml`; a free port, one engine and both folders are filled in. */
export async function aPlace(settings: Record<string, object> = {}): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), 'lakeward-hostile-'));
  const lake = { folder: join(folder, 'lake'), ...settings['lake'] };
  const config = {
    convert: { engines: 1 },
    telemetry: { level: 'silent' },
    ...settings,
    server: { port: 0, ...settings['server'] },
    data: { folder: join(folder, 'data'), reserve: '1MiB', ...settings['data'] },
    lake,
  };
  await writeFile(join(folder, 'lakeward.yaml'), JSON.stringify(config));
  return { folder, lake: lake.folder, dispose: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }) };
}

export async function startIn(place: Place, env: Record<string, string> = {}): Promise<RunningServer> {
  return startServer(await loadConfig({ env, workingFolder: place.folder }));
}

export interface ServerProcess {
  readonly child: ChildProcess;
  readonly url: string;
  /** [exit code, signal]. */
  readonly exit: Promise<unknown[]>;
}

/** Throws what the program said when it ends instead of getting ready. */
export async function spawnIn(place: Place, options: { readonly uid?: number } = {}): Promise<ServerProcess> {
  const child = spawn(process.execPath, [MAIN, 'serve', '--json'], {
    cwd: place.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const exit = once(child, 'close');
  const ready = once(child.stdout.setEncoding('utf8'), 'data') as Promise<[string]>;
  const ended = exit.then(([code]) => {
    throw new Error(`exit code ${String(code)}: ${said}`);
  });
  const [line] = await Promise.race([ready, ended]);
  ended.catch(() => undefined);
  return { child, url: (JSON.parse(line) as { url: string }).url, exit };
}

export interface ApiAnswer<T> {
  readonly status: number;
  readonly headers: Headers;
  readonly json: T;
}

export interface ErrorAnswer {
  readonly error: { readonly code: string; readonly message: string; readonly retryable: boolean };
}

export async function api<T = ErrorAnswer>(url: string, method: string, body?: unknown): Promise<ApiAnswer<T>> {
  const content = body === undefined ? {} : { headers: JSON_TYPE, body: JSON.stringify(body) };
  return answerOf(await fetch(url, { method, ...content }));
}

const JSON_TYPE = { 'content-type': 'application/json' };

export async function answerOf<T>(response: Response): Promise<ApiAnswer<T>> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: (text === '' ? {} : JSON.parse(text)) as T };
}

/** Throws unless the request succeeds. */
export async function must<T>(url: string, method: string, body?: unknown): Promise<T> {
  const { status, json } = await api<T>(url, method, body);
  if (status >= 300) throw new Error(`${method} ${url}: ${status} ${JSON.stringify(json)}`);
  return json;
}

/** Stream `s` and a delivery `d` of it that lands only when asked, unless the specification says otherwise. */
export async function aFlow(url: string, spec: object = {}, stream: object = {}): Promise<void> {
  await must(`${url}/v1/streams`, 'POST', { name: 's', ...stream });
  const quiet = { format: 'ndjson', layout: '', flush: { age: '1h' }, start: 'earliest' };
  await must(`${url}/v1/deliveries`, 'POST', { name: 'd', stream: 's', ...quiet, ...spec });
}

export function put(url: string, records: unknown): Promise<ApiAnswer<PutAnswer & ErrorAnswer>> {
  return api(`${url}/v1/streams/s/records`, 'POST', records);
}

/** One call of the Kinesis wire. */
export async function kinesis<T>(url: string, action: string, input: object): Promise<ApiAnswer<T>> {
  const headers = {
    'content-type': 'application/x-amz-json-1.1',
    'x-amz-target': `Kinesis_20131202.${action}`,
    'x-amz-date': '20260101T000000Z',
    authorization:
      'AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/kinesis/aws4_request, SignedHeaders=host, Signature=b',
  };
  return answerOf(await fetch(url, { method: 'POST', headers, body: JSON.stringify(input) }));
}

/** Lands what is in the stream now; throws when that fails. */
export function flush(url: string, delivery = 'd'): Promise<DeliveryStatus> {
  return must(`${url}/v1/deliveries/${delivery}/flush`, 'POST', {});
}

export function statusOf(url: string, delivery = 'd'): Promise<DeliveryStatus> {
  return must(`${url}/v1/deliveries/${delivery}`, 'GET');
}

/** Waits until the delivery is in the state and says why. */
export function inTrouble(url: string, state: DeliveryStatus['state'], code: string): Promise<DeliveryStatus> {
  return vi.waitFor(
    async () => {
      const status = await statusOf(url);
      expect([status.state, status.trouble?.code]).toEqual([state, code]);
      return status;
    },
    { timeout: 15_000, interval: 50 },
  );
}

/** The process answers, and a good record is taken; gives its id. */
export async function alive(url: string): Promise<string> {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const id = `alive-${process.hrtime.bigint()}`;
  expect((await put(url, { id })).json).toMatchObject({ accepted: 1 });
  return id;
}
