/**
 * Cuts a flow of bytes into batches of lines, each line with its number. Blank lines are skipped. What has come so far is given on
 * when the flow pauses, so that a live pipe is sent as it runs and not when it ends.
 */
import { LIMITS, MIB } from '../../model/limits.ts';

export interface LineBatch {
  /** Line numbers from 1, one for each line. */
  readonly numbers: readonly number[];
  readonly lines: readonly Uint8Array[];
  readonly bytes: number;
}

const BATCH_BYTES = MIB;
const BATCH_LINES = 5000;
/** A pipe gives chunks of this size as long as more waits in it; a smaller one says that it is drained. */
const PIPE_CHUNK_BYTES = 65_536;
const NEWLINE = 10;
const RETURN = 13;
/** Lines beyond this are cut off and refused: the server takes no such record. */
const LINE_BYTES_MAX = LIMITS.recordBytesMax + 1;

export async function* lineBatches(source: AsyncIterable<Uint8Array>, firstLine: number): AsyncGenerator<LineBatch> {
  let number = 0;
  let partial: Uint8Array[] = [];
  let partialBytes = 0;
  let batch = emptyBatch();

  function endLine(tail: Uint8Array): void {
    number += 1;
    const whole = partial.length === 0 ? tail : Buffer.concat([...partial, tail]);
    partial = [];
    partialBytes = 0;
    const line = whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole;
    if (number < firstLine || isBlank(line)) return;
    batch.numbers.push(number);
    batch.lines.push(line);
    batch.bytes += line.length + 1;
  }
  function take(): LineBatch {
    const full = batch;
    batch = emptyBatch();
    return full;
  }

  for await (const chunk of source) {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      endLine(chunk.subarray(from, at));
      from = at + 1;
      if (batch.bytes >= BATCH_BYTES || batch.lines.length >= BATCH_LINES) yield take();
    }
    if (from < chunk.length && partialBytes < LINE_BYTES_MAX) {
      partial.push(chunk.subarray(from));
      partialBytes += chunk.length - from;
    }
    if (chunk.length < PIPE_CHUNK_BYTES && batch.lines.length > 0) yield take();
  }
  if (partialBytes > 0) endLine(new Uint8Array(0));
  if (batch.lines.length > 0) yield take();
}

function emptyBatch(): { numbers: number[]; lines: Uint8Array[]; bytes: number } {
  return { numbers: [], lines: [], bytes: 0 };
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 32 || byte === 9);
}
