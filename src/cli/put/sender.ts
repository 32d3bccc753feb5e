/**
 * Sends batches of lines, one at a time so that the order of the input is the order in the stream, and sees each line through: durable,
 * or refused with a reason. Waits out 429, 503 and a server that is not up. It never repeats a request whose answer was lost: that
 * could store records twice, so it stops and says where to go on.
 */
import type { PutAnswer } from '../../app/control-answers.ts';
import type { Clock } from '../../app/time.ts';
import { ERRORS, isLakewardError, LakewardError } from '../../model/errors.ts';
import { LIMITS } from '../../model/limits.ts';
import type { ControlAnswer, ControlClient } from '../control-client.ts';
import { errorOf } from '../control-client.ts';
import type { LineBatch } from './line-batches.ts';

export interface Sender {
  /** Resolves when every line of the batch is durable or refused. */
  send(batch: LineBatch): Promise<void>;
}

export interface SenderOptions {
  readonly client: ControlClient;
  readonly clock: Clock;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly retryForMs: number;
  readonly signal: AbortSignal;
  readonly refused: (line: number, code: string, reason: string) => void;
  readonly waiting: (reason: string, ms: number) => void;
}

const WAIT_MS_MIN = 250;
const WAIT_MS_MAX = 10_000;

export function createSender(options: SenderOptions): Sender {
  const { client, clock, path, signal, refused } = options;

  async function attempt(batch: LineBatch): Promise<ControlAnswer | LakewardError> {
    try {
      const body = joined(batch.lines);
      return await client.exchange('POST', path, { headers: options.headers, body, signal });
    } catch (error) {
      if (isLakewardError(error) && error.details?.['unsent'] === true) return error;
      throw error;
    }
  }

  /** Waits before the next try, or throws the reason for waiting when that has gone on for too long. */
  async function pause(reason: LakewardError, sinceMs: number, wantedMs: number): Promise<void> {
    if (clock.monotonicMs() - sinceMs + wantedMs > options.retryForMs) throw reason;
    options.waiting(reason.code, wantedMs);
    await clock.sleep(wantedMs, signal);
  }

  /** The lines to send again. */
  function settle(batch: LineBatch, answer: PutAnswer): LineBatch {
    const again: number[] = [];
    for (const { index, code, reason } of answer.records) {
      if (code === undefined) continue;
      if (code in ERRORS && ERRORS[code as keyof typeof ERRORS].retryable) again.push(index);
      else refused(batch.numbers[index] ?? 0, code, reason ?? '');
    }
    return picked(batch, again);
  }

  async function send(whole: LineBatch): Promise<void> {
    let batch = withoutHuge(whole, refused);
    let waitMs = WAIT_MS_MIN;
    let sinceMs = clock.monotonicMs();
    while (batch.lines.length > 0) {
      const answer = await attempt(batch);
      if (!(answer instanceof LakewardError) && answer.status < 300) {
        const rest = settle(batch, answer.json as PutAnswer);
        if (rest.lines.length === 0) return;
        if (rest.lines.length < batch.lines.length) sinceMs = clock.monotonicMs();
        batch = rest;
        await pause(new LakewardError('broker-overloaded', 'the server goes on refusing records'), sinceMs, waitMs);
      } else {
        const error = answer instanceof LakewardError ? answer : errorOf(answer);
        if (error.code === 'body-invalid' || error.code === 'record-too-large') return divide(batch, error);
        if (!error.retryable || error.code === 'internal') throw error;
        const toldMs = answer instanceof LakewardError ? undefined : answer.retryAfterMs;
        await pause(error, sinceMs, Math.max(waitMs, toldMs ?? 0));
      }
      waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
    }
  }

  /** A body that is refused whole for one of its lines: halves find the line. */
  async function divide(batch: LineBatch, error: LakewardError): Promise<void> {
    if (batch.lines.length === 1) {
      refused(batch.numbers[0] ?? 0, error.code, error.message);
      return;
    }
    const middle = batch.lines.length >>> 1;
    await send(picked(batch, range(0, middle)));
    await send(picked(batch, range(middle, batch.lines.length)));
  }

  return { send };
}

function withoutHuge(batch: LineBatch, refused: SenderOptions['refused']): LineBatch {
  const fits = (line: Uint8Array): boolean => line.length <= LIMITS.recordBytesMax;
  if (batch.lines.every(fits)) return batch;
  const keep: number[] = [];
  for (const [index, line] of batch.lines.entries()) {
    if (fits(line)) keep.push(index);
    else
      refused(batch.numbers[index] ?? 0, 'record-too-large', `the line has more than ${LIMITS.recordBytesMax} bytes`);
  }
  return picked(batch, keep);
}

function picked(batch: LineBatch, indexes: readonly number[]): LineBatch {
  const lines = indexes.map((index) => batch.lines[index] ?? new Uint8Array(0));
  const bytes = lines.reduce((sum, line) => sum + line.length + 1, 0);
  return { numbers: indexes.map((index) => batch.numbers[index] ?? 0), lines, bytes };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

const NEWLINE = Uint8Array.of(10);

function joined(lines: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Buffer.concat(lines.flatMap((line) => [line, NEWLINE]));
}
