/**
 * The rows of a job that cannot land, as NDJSON of `RejectedRow`, and how many of each reason. The file is made with the first row.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RejectCount, RejectedRow } from '../../model/data-file.ts';
import type { ConvertResult } from '../../ports/converter.ts';

export interface RejectedFile {
  /** `number`: of the row among all rows of the job, ascending. */
  add(row: RejectedRow, number: number): void;
  /** Writes the rest out; undefined when no row was added. */
  finish(): ConvertResult['rejected'];
  close(): void;
}

type Rejected = NonNullable<ConvertResult['rejected']>;

const BUFFER_CHARS = 256 * 1024;

export function rejectedFile(directory: string, window = Number.POSITIVE_INFINITY): RejectedFile {
  const local = join(directory, 'rejected.ndjson');
  const counts = new Map<string, { -readonly [key in keyof RejectCount]: RejectCount[key] }>();
  let fd: number | undefined;
  let lines: string[] = [];
  let chars = 0;
  let rows = 0;
  let bytes = 0;
  let first: Rejected['first'] | undefined;
  const density = densest(window);

  function flush(): void {
    if (lines.length === 0) return;
    fd ??= openSync(local, 'w');
    const buffer = Buffer.from(lines.join(''));
    for (let done = 0; done < buffer.length; ) done += writeSync(fd, buffer, done);
    bytes += buffer.length;
    lines = [];
    chars = 0;
  }

  function add(row: RejectedRow, number: number): void {
    const line = `${JSON.stringify(row)}\n`;
    lines.push(line);
    chars += line.length;
    rows++;
    first ??= withoutBytes(row);
    density.add(number);
    const key = `${row.code}/${row.column ?? ''}`;
    const count = counts.get(key);
    if (count === undefined) {
      counts.set(key, { code: row.code, ...(row.column === null ? {} : { column: row.column }), rows: 1 });
    } else {
      count.rows++;
    }
    if (chars > BUFFER_CHARS) flush();
  }

  return {
    add,
    finish: () => {
      flush();
      if (first === undefined) return undefined;
      return { local, rows, bytes, reasons: [...counts.values()], first, densest: density.most() };
    },
    close: () => {
      if (fd !== undefined) closeSync(fd);
    },
  };
}

function withoutBytes({ code, reason, column, shard, offset }: RejectedRow): Rejected['first'] {
  return { code, reason, column, shard, offset };
}

/** The most numbers, given in ascending order, that lie within a window. Holds those of one window. */
function densest(window: number): { add(number: number): void; most(): number } {
  let held: number[] = [];
  let from = 0;
  let count = 0;
  let most = 0;
  return {
    add(number) {
      count++;
      if (window === Number.POSITIVE_INFINITY) return;
      held.push(number);
      while ((held[from] ?? number) <= number - window) from++;
      if (from > 1024 && from * 2 > held.length) {
        held = held.slice(from);
        from = 0;
      }
      most = Math.max(most, held.length - from);
    },
    most: () => (window === Number.POSITIVE_INFINITY ? count : most),
  };
}
