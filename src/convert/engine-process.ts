/**
 * One engine process as the server sees it: started, fed with backpressure, watched and killed. It takes one command at a time.
 * A death, a silence longer than the bound and a broken pipe all end in the same `EngineDeath`; the caller starts another one.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { LakewardError } from '../model/errors.ts';
import { KIB, MIB } from '../model/limits.ts';
import type { RecordBatch } from '../model/record-batch.ts';
import type { Clock } from '../ports/clock.ts';
import { type Lot, lot } from './lot.ts';
import { commandFrame, feedFrame } from './frames.ts';
import { feedFile, runsUserSql } from './protocol.ts';
import type { Command, EngineOptions, Message } from './protocol.ts';

export interface EngineProcess {
  readonly pid: number;
  /** Runs a command over batches. Throws `EngineDeath`, what `batches` throws, or the signal's reason; the engine is dead then. */
  run(command: Command, batches: AsyncIterable<RecordBatch>, signal: AbortSignal | undefined): Promise<Message>;
  readonly alive: () => boolean;
  kill(): Promise<void>;
}

export interface EngineProcessOptions extends EngineOptions {
  /** Its working folder; made anew. */
  readonly folder: string;
  /** Silence after which an engine counts as hung, ms; a query may take longer by its bytes. */
  readonly hangMs: number;
  readonly clock: Clock;
}

/** An engine ended in the middle of its work. */
export class EngineDeathError extends Error {
  /** Ended by somebody else or for want of memory, so not by a record. */
  readonly fromOutside: boolean;

  constructor(message: string, fromOutside = false) {
    super(message);
    this.name = 'EngineDeathError';
    this.fromOutside = fromOutside;
  }
}

const ERROR_CHARS = 2000;
/** How the kernel short of memory, a service manager or a person ends a process; faults of its own end it by other signals. */
const OUTSIDE: ReadonlySet<string> = new Set(['SIGKILL', 'SIGTERM', 'SIGINT', 'SIGHUP']);
const HEAP_FULL = /heap out of memory|Cannot allocate memory|std::bad_alloc/;
/** A busy machine may take long to start a process. */
const START_MS = 60_000;
/** The slowest a healthy query may be: 1 MB a second. */
const STEP_BYTES_PER_MS = 1000;
/** Beside half of its working memory again: the program, and rows in flight. */
const BLOAT_SLACK_BYTES = 512 * MIB;
const BLOAT_LOOK_MS = 100;
/** Lots that lie ahead of an engine: scratch space, not memory. */
const LOTS_AHEAD = 4;
const SUFFIX = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
const ENTRY = fileURLToPath(new URL(`./engine-main.${SUFFIX}`, import.meta.url));

export async function startEngine(options: EngineProcessOptions): Promise<EngineProcess> {
  const { folder, hangMs, clock, ...engine } = options;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const child = spawn(process.execPath, [ENTRY, JSON.stringify(engine)], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const watch = watchChild(child);
  const input = child.stdio[3] as Writable;
  // Their failures show as the child's end.
  for (const stream of [child.stdin, input]) stream?.on('error', () => undefined);
  let progress = 0;
  /** Silence that the step under way may add for its size. */
  let stepMs = 0;
  let ready = false;
  let waitsForSource = false;
  let answer: ((message: Message) => void) | undefined;
  /** Lots written for the engine, and those it has taken. */
  let lots = 0;
  let taken = 0;
  let onTaken: (() => void) | undefined;
  eachLine(child.stdout, (line) => {
    progress++;
    const message = JSON.parse(line) as Message;
    stepMs = message.kind === 'alive' ? (message.bytes ?? 0) / STEP_BYTES_PER_MS : 0;
    if (message.kind === 'taken') {
      taken++;
      onTaken?.();
    } else if (message.kind !== 'alive') answer?.(message);
  });

  async function kill(): Promise<void> {
    child.kill('SIGKILL');
    await watch.ended.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }

  /** Rejects when the engine dies, hangs or the call is aborted; never resolves. */
  async function guarded<T>(work: Promise<T>, signal: AbortSignal | undefined, frugal = false): Promise<T> {
    const done = new AbortController();
    const aborted = Promise.withResolvers<never>();
    const abort = (): void => aborted.reject(signal?.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      return await Promise.race([
        work,
        watch.ended,
        aborted.promise,
        hang(done.signal, ready ? hangMs : Math.max(hangMs, START_MS)),
        ...(frugal ? [bloat(done.signal)] : []),
      ]);
    } finally {
      done.abort();
      signal?.removeEventListener('abort', abort);
    }
  }

  /** SQL of an operator may take memory that the engine does not count. Only where the system tells. */
  async function bloat(done: AbortSignal): Promise<never> {
    const boundBytes = options.memoryBytes * 1.5 + BLOAT_SLACK_BYTES;
    for (;;) {
      await clock.sleep(BLOAT_LOOK_MS, done).catch(() => undefined);
      const rssBytes = done.aborted ? undefined : await residentBytes(child.pid ?? 0);
      if (rssBytes === undefined) return await new Promise<never>(() => undefined);
      if (rssBytes > boundBytes)
        throw new EngineDeathError(`the engine took ${Math.round(rssBytes / MIB)} MiB of memory`);
    }
  }

  async function hang(done: AbortSignal, silenceMs: number): Promise<never> {
    for (;;) {
      const before = progress;
      const boundMs = silenceMs + stepMs;
      await clock.sleep(boundMs, done).catch(() => undefined);
      if (done.aborted) return await new Promise<never>(() => undefined);
      if (before === progress && !waitsForSource) throw new EngineDeathError(`the engine was silent for ${boundMs} ms`);
    }
  }

  async function write(bytes: Uint8Array): Promise<void> {
    if (!input.write(bytes)) await Promise.race([new Promise((resolve) => input.once('drain', resolve)), watch.ended]);
    progress++;
  }

  async function feed(command: Command, batches: AsyncIterable<RecordBatch>): Promise<Message> {
    const reply = new Promise<Message>((resolve) => (answer = resolve));
    await write(commandFrame(command));
    const next = lot();
    const iterator = batches[Symbol.asyncIterator]();
    try {
      for (;;) {
        waitsForSource = true;
        const { done, value } = await iterator.next().finally(() => (waitsForSource = false));
        if (done === true ? !next.isEmpty() : next.add(value)) await hand(next);
        if (done === true) break;
      }
    } finally {
      await iterator.return?.();
    }
    await write(commandFrame({ kind: 'end' }));
    return await reply;
  }

  /** Puts a lot where the engine reads it, when it is not too far behind. */
  async function hand(next: Lot): Promise<void> {
    if (lots - taken >= LOTS_AHEAD)
      await Promise.race([new Promise<void>((resolve) => (onTaken = resolve)), watch.ended]);
    const number = lots++;
    await next.write(join(folder, feedFile(number)));
    await write(feedFrame(number));
  }

  async function run(command: Command, batches: AsyncIterable<RecordBatch>, signal?: AbortSignal): Promise<Message> {
    const work = feed(command, batches);
    // When the guard wins the race, nobody waits for the work any more.
    work.catch(() => undefined);
    try {
      return await guarded(work, signal, runsUserSql(command));
    } catch (error) {
      await kill();
      throw error;
    }
  }

  try {
    await guarded(new Promise<Message>((resolve) => (answer = resolve)), undefined);
    ready = true;
  } catch (error) {
    await kill();
    // No record was in it yet.
    throw new LakewardError('convert-failed', `an engine does not start: ${String(error)}`, { cause: error });
  }
  return { pid: child.pid ?? 0, run, alive: watch.alive, kill };
}

/** Undefined where the system does not tell, or the process is gone. */
async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const kib = /^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1];
  return kib === undefined ? undefined : Number(kib) * KIB;
}

/** Only LF ends a line here: other separators of Unicode stand inside messages. */
function eachLine(stream: Readable, take: (line: string) => void): void {
  const parts: string[] = [];
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.split('\n');
    parts.push(lines.shift() ?? '');
    for (const line of lines) {
      take(parts.splice(0).join(''));
      parts.push(line);
    }
  });
}

interface ChildWatch {
  /** Rejects with `EngineDeath` when the process ends. */
  readonly ended: Promise<never>;
  readonly alive: () => boolean;
}

function watchChild(child: ChildProcess): ChildWatch {
  let errors = '';
  let alive = true;
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-ERROR_CHARS)));
  const ended = new Promise<never>((_, reject) => {
    const end = (how: string): void => {
      alive = false;
      const fromOutside = OUTSIDE.has(how) || HEAP_FULL.test(errors);
      reject(new EngineDeathError(`the engine ended: ${how}${errors === '' ? '' : `; ${errors.trim()}`}`, fromOutside));
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => end(signal ?? `exit code ${code}`));
  });
  ended.catch(() => undefined);
  return { ended, alive: () => alive };
}
