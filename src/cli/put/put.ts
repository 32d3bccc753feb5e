/**
 * `lakeward put`: NDJSON from files or standard input into a stream. Counts and rate on stderr, refused lines by number, a summary on
 * stdout.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { isLakewardError } from '../../model/errors.ts';
import type { Command, Invocation } from '../command.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { count, duration, plural, size } from '../wording.ts';
import type { LineBatch } from './line-batches.ts';
import { lineBatches } from './line-batches.ts';
import { createSender } from './sender.ts';

/** Refused lines shown one by one; more are only counted. */
const REFUSED_SHOWN_MAX = 20;

export const put: Command = {
  name: 'put',
  summary: 'Sends NDJSON (standard input or files, .gz too) to a stream',
  arguments: [
    { name: 'stream', about: 'the stream' },
    {
      name: 'file',
      about: 'files with one JSON object a line; - or none reads standard input',
      optional: true,
      many: true,
    },
  ],
  options: {
    'key-field': {
      value: 'field',
      about: 'field of each record that is its partition key; records of one key keep their order',
    },
    'partition-key': { value: 'text', about: 'one partition key for all records' },
    'from-line': { value: 'n', about: 'start at this line (of the first file): to go on after a stop' },
    'retry-for': { value: 'seconds', about: 'how long to go on when the server is full or not up (default 60)' },
  },
  examples: [
    'lakeward put clicks events.ndjson',
    'my-app | lakeward put clicks --key-field user.id',
    'zcat archive/*.gz | lakeward put clicks --json',
  ],
  run: putLines,
};

interface Tally {
  sent: number;
  bytes: number;
  refused: number;
  readonly shown: { line: number; code: string; reason: string }[];
}

async function putLines(call: Invocation): Promise<number> {
  const [stream = '', ...files] = call.arguments;
  const names = files.length === 0 ? ['-'] : files;
  const input = inputOf(await checkFiles(names), call);
  const startedMs = call.clock.monotonicMs();
  const tally: Tally = { sent: 0, bytes: 0, refused: 0, shown: [] };
  const progress = call.terminal.progress(stream);
  const send = sending(call, stream, tally, (note) =>
    progress.set(tally.sent, { bytes: tally.bytes, note, ...input.part() }),
  );
  try {
    for (const [index, name] of names.entries()) {
      const firstLine = index === 0 ? (call.number('from-line', 1) ?? 1) : 1;
      for await (const batch of lineBatches(input.open(name), firstLine)) {
        await sendOrTell(call, { name, batch, send, isFirst: tally.sent === 0 });
        tally.sent += batch.lines.length;
        tally.bytes += batch.bytes;
        progress.set(tally.sent, { bytes: tally.bytes, ...input.part() });
      }
    }
    // Nothing was sent that could have told of a missing stream or a missing server.
    if (tally.sent === 0) await call.client().get(`/v1/streams/${encodeURIComponent(stream)}`, call.signal);
  } finally {
    progress.end();
  }
  summarise(call, stream, tally, call.clock.monotonicMs() - startedMs);
  return tally.refused === 0 ? EXIT.ok : EXIT.findings;
}

function sending(
  call: Invocation,
  stream: string,
  tally: Tally,
  note: (text: string) => void,
): (batch: LineBatch) => Promise<void> {
  const keyField = call.option('key-field');
  const partitionKey = call.option('partition-key');
  if (keyField !== undefined && partitionKey !== undefined)
    throw new UsageError('--key-field or --partition-key, not both');
  const query = new URLSearchParams();
  if (keyField !== undefined) query.set('partitionKeyField', keyField);
  if (partitionKey !== undefined) query.set('partitionKey', partitionKey);
  const sender = createSender({
    client: call.client(),
    clock: call.clock,
    path: `/v1/streams/${encodeURIComponent(stream)}/records?${query.toString()}`,
    headers: { 'content-type': 'application/x-ndjson', prefer: 'return=minimal' },
    retryForMs: (call.number('retry-for', 0) ?? 60) * 1000,
    signal: call.signal,
    refused(line, code, reason) {
      tally.refused += 1;
      if (tally.shown.length < REFUSED_SHOWN_MAX) tally.shown.push({ line, code, reason });
      if (tally.refused <= REFUSED_SHOWN_MAX && !call.terminal.json) {
        call.terminal.say(`line ${line} refused: ${code}${reason === '' ? '' : `: ${reason}`}`);
      }
    },
    waiting: (reason, ms) => note(`waiting ${duration(ms)} (${reason})`),
  });
  return (batch) => sender.send(batch);
}

interface Sending {
  readonly name: string;
  readonly batch: LineBatch;
  readonly send: (batch: LineBatch) => Promise<void>;
  readonly isFirst: boolean;
}

/** What no later line can get past, and nothing of the first request was stored: there is no line to go on with. */
const WRONG_FROM_THE_START = new Set<string>(['argument-invalid', 'stream-not-found', 'unauthorized']);

async function sendOrTell(call: Invocation, { name, batch, send, isFirst }: Sending): Promise<void> {
  try {
    await send(batch);
  } catch (error) {
    if (isFirst && isLakewardError(error) && WRONG_FROM_THE_START.has(error.code)) throw error;
    const line = batch.numbers[0] ?? 1;
    const where = name === '-' ? 'standard input' : name;
    const done = line === 1 ? 'nothing of it is known to be durable' : `everything before line ${line} is durable`;
    call.terminal.say(`${where}: stopped; ${done}`);
    call.terminal.say(`go on with --from-line ${line}; lines of the last request may then be stored twice`);
    throw error;
  }
}

function summarise(call: Invocation, stream: string, tally: Tally, elapsedMs: number): void {
  const accepted = tally.sent - tally.refused;
  if (call.terminal.json) {
    call.terminal.document({
      stream,
      accepted,
      refused: tally.refused,
      bytes: tally.bytes,
      elapsedMs,
      refusals: tally.shown,
    });
    return;
  }
  const rate = Math.round(accepted / Math.max(elapsedMs / 1000, 0.001));
  if (tally.refused > tally.shown.length)
    call.terminal.say(`… and ${count(tally.refused - tally.shown.length)} more refused`);
  const refused = tally.refused === 0 ? '' : `, ${count(tally.refused)} refused`;
  call.terminal.data(
    `${plural(accepted, 'record')} durable in ${stream}${refused}: ${size(tally.bytes)} in ${duration(elapsedMs)}, ${count(rate)} records/s`,
  );
  call.terminal.next(`lakeward stream tail ${stream} --from earliest --no-follow --limit 3`);
}

/** Names with sizes in bytes, undefined for standard input and what else has none. */
async function checkFiles(names: readonly string[]): Promise<ReadonlyMap<string, number | undefined>> {
  const sizes = new Map<string, number | undefined>();
  for (const name of names) {
    if (name === '-') {
      sizes.set(name, undefined);
      continue;
    }
    const found = await stat(name).catch(() => undefined);
    if (found === undefined) throw new UsageError(`${name}: no such file`);
    if (found.isDirectory()) throw new UsageError(`${name} is a folder; name its files`);
    sizes.set(name, found.isFile() ? found.size : undefined);
  }
  return sizes;
}

interface Input {
  open(name: string): AsyncIterable<Uint8Array>;
  /** How much of all files was read, when their sizes are known: compressed files count as they lie on the disk. */
  part(): { readonly part?: number };
}

function inputOf(sizes: ReadonlyMap<string, number | undefined>, call: Invocation): Input {
  const all = [...sizes.values()];
  const total = all.every((it) => it !== undefined) ? all.reduce((sum, it) => sum + it, 0) : 0;
  const opened: { readonly bytesRead: number }[] = [];
  return {
    open(name) {
      if (name === '-') return call.stdin;
      const file = createReadStream(name);
      opened.push(file);
      return name.endsWith('.gz') ? file.pipe(createGunzip()) : file;
    },
    part() {
      if (total === 0) return {};
      return { part: Math.min(opened.reduce((sum, { bytesRead }) => sum + bytesRead, 0) / total, 1) };
    },
  };
}
