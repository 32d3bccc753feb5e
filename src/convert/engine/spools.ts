/**
 * Checked rows on their way into the engine: NDJSON files in the scratch folder, one for each of the first partitions and one for
 * every group of later ones, where each line carries its partition's number. So no COPY ever has many partitions open, memory
 * does not grow with them, and the order of rows in a partition is the order they came in. Files are removed by `close`.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Partition } from './partitions.ts';

export interface Spool {
  /** File name in the scratch folder. */
  readonly name: string;
  /** One partition, or a group whose lines carry the number. */
  readonly partitions: Partition[];
  readonly grouped: boolean;
  rows: number;
  longestLine: number;
}

export interface Spools {
  /** A row whose bytes [from, to) begin with `{` and hold at least one member. */
  addBytes(partition: Partition, bytes: Buffer, from: number, to: number): void;
  /** A row as text, `{` and one or more members. */
  addText(partition: Partition, text: string): void;
  /** Writes out what is buffered; returns the spools in order of creation. */
  finish(): readonly Spool[];
  close(): void;
}

export interface SpoolOptions {
  readonly folder: string;
  /** Key under which a grouped line carries its partition; no column has it. */
  readonly numberKey: string;
  readonly singlesMax: number;
  readonly groupMax: number;
}

const BUFFER_BYTES = 256 * 1024;
/** Room for `{"key":number,` and the line break. */
const FRAME_BYTES = 128;

interface OpenSpool extends Spool {
  readonly fd: number;
  readonly buffer: Buffer;
  used: number;
}

export function openSpools({ folder, numberKey, singlesMax, groupMax }: SpoolOptions): Spools {
  const spools: OpenSpool[] = [];
  const byPartition: (OpenSpool | undefined)[] = [];
  const heads: string[] = [];

  function create(grouped: boolean): OpenSpool {
    const name = `spool-${spools.length}.ndjson`;
    const fd = openSync(join(folder, name), 'w');
    const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    const spool = { name, partitions: [], grouped, rows: 0, longestLine: 0, fd, buffer, used: 0 };
    spools.push(spool);
    return spool;
  }

  function assign(partition: Partition): OpenSpool {
    const grouped = partition.number >= singlesMax;
    const last = spools.at(-1);
    const joins = grouped && last?.grouped === true && last.partitions.length < groupMax;
    const spool = joins ? last : create(grouped);
    spool.partitions.push(partition);
    byPartition[partition.number] = spool;
    heads[partition.number] = grouped ? `{${JSON.stringify(numberKey)}:${partition.number},` : '{';
    return spool;
  }

  function flush(spool: OpenSpool): void {
    writeAll(spool.fd, spool.buffer, spool.used);
    spool.used = 0;
  }

  /** Room for a line whose rest has so many bytes; begins it. */
  function begin(partition: Partition, restBytes: number): OpenSpool {
    const spool = byPartition[partition.number] ?? assign(partition);
    if (spool.used + restBytes + FRAME_BYTES > BUFFER_BYTES) flush(spool);
    spool.rows++;
    if (restBytes + FRAME_BYTES > spool.longestLine) spool.longestLine = restBytes + FRAME_BYTES;
    if (spool.grouped) spool.used += spool.buffer.write(heads[partition.number] ?? '', spool.used, 'latin1');
    else spool.buffer[spool.used++] = 0x7b;
    return spool;
  }

  function addBytes(partition: Partition, bytes: Buffer, from: number, to: number): void {
    const spool = begin(partition, to - from - 1);
    if (to - from + FRAME_BYTES > BUFFER_BYTES) {
      flush(spool);
      writeAll(spool.fd, bytes.subarray(from + 1, to), to - from - 1);
    } else {
      spool.used += bytes.copy(spool.buffer, spool.used, from + 1, to);
    }
    spool.buffer[spool.used++] = 0x0a;
  }

  return {
    addBytes,
    addText: (partition, text) => {
      const bytes = Buffer.from(text);
      addBytes(partition, bytes, 0, bytes.length);
    },
    finish: () => {
      for (const spool of spools) flush(spool);
      return spools;
    },
    close: () => {
      for (const spool of spools) {
        closeSync(spool.fd);
        rmSync(join(folder, spool.name), { force: true });
      }
    },
  };
}

function writeAll(fd: number, bytes: Uint8Array, length: number): void {
  for (let done = 0; done < length; ) done += writeSync(fd, bytes, done, length - done);
}
