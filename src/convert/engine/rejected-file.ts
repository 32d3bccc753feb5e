/**
 * The rows of a job that cannot land, as NDJSON of `RejectedRow`, and how many of each reason. The file is made with the first row.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RejectCount, RejectedRow } from '../../model/data-file.ts';
import type { ConvertResult } from '../../ports/converter.ts';

export interface RejectedFile {
  add(row: RejectedRow): void;
  /** Writes the rest out; undefined when no row was added. */
  finish(): ConvertResult['rejected'];
  close(): void;
}

const BUFFER_CHARS = 256 * 1024;

export function rejectedFile(directory: string): RejectedFile {
  const local = join(directory, 'rejected.ndjson');
  const counts = new Map<string, { -readonly [key in keyof RejectCount]: RejectCount[key] }>();
  let fd: number | undefined;
  let lines: string[] = [];
  let chars = 0;
  let rows = 0;
  let bytes = 0;

  function flush(): void {
    if (lines.length === 0) return;
    fd ??= openSync(local, 'w');
    const buffer = Buffer.from(lines.join(''));
    for (let done = 0; done < buffer.length; ) done += writeSync(fd, buffer, done);
    bytes += buffer.length;
    lines = [];
    chars = 0;
  }

  function add(row: RejectedRow): void {
    const line = `${JSON.stringify(row)}\n`;
    lines.push(line);
    chars += line.length;
    rows++;
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
      return rows === 0 ? undefined : { local, rows, bytes, reasons: [...counts.values()] };
    },
    close: () => {
      if (fd !== undefined) closeSync(fd);
    },
  };
}
