/**
 * Checked rows on their way into the engine: NDJSON files in the scratch folder, one for each of the first partitions and one for
 * every group of later ones, where each line carries its partition's number. So no COPY ever has many partitions open, memory
 * and open files are bounded: more partitions than that are refused, and the order of rows in a partition is the order they came in. Files are removed by `close`.
 */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { KIB, LIMITS, MIB } from '../../model/limits.ts';
import type { Partition } from './partitions.ts';

export interface Spool {
  /** File name in the scratch folder. */
  readonly name: string;
  /** One partition, or a group whose lines carry the number. */
  readonly partitions: Partition[];
  readonly grouped: boolean;
  rows: number;
  bytes: number;
  longestLine: number;
}

export interface Spools {
  /** A row whose bytes [from, to) begin with `{` and hold at least one member. */
  addBytes(partition: Partition, bytes: Buffer, from: number, to: number): void;
  /** A row as text, `{` and one or more members. */
  addText(partition: Partition, text: string): void;
  /** Number of the row that is added next, for lines that carry it. */
  setRow(number: number): void;
  /** Writes out what is buffered; returns the spools in order of creation. */
  finish(): readonly Spool[];
  close(): void;
}

export interface SpoolOptions {
  readonly folder: string;
  /** Key under which a grouped line carries its partition; no column has it. */
  readonly numberKey: string;
  /** Key under which every line carries the number of its row, when rows must be known again; no column has it. */
  readonly rowKey?: string | undefined;
  readonly singlesMax: number;
  readonly groupMax: number;
}

/** One COPY keeps about so much for each column of each partition it has open. */
const COLUMN_BYTES = 64 * KIB;
/** What reading the lines takes of an engine's memory. */
const READER_BYTES = 48 * MIB;
/** First partitions with a spool of their own: as many COPYs of one file each. */
const SINGLES_MAX = 32;
/** Each is an open file and a buffer. */
const SPOOLS_MAX = 256;
const BUFFER_BYTES = 256 * KIB;
/** Buffers after the first spools, whose rows come thinly. */
const LATE_BUFFER_BYTES = 64 * KIB;
/** Room for `{"key":number,` and the line break. */
const FRAME_BYTES = 128;

/** The rows belong to more partitions than one conversion takes: fewer rows may have fewer. */
export class ManyPartitionsError extends Error {
  constructor(most: number) {
    super(`the rows belong to more than ${most} partitions`);
    this.name = 'ManyPartitionsError';
  }
}

/** How many partitions share a COPY of an engine with so much memory, and have one alone. */
export function spoolBounds(memoryBytes: number, columns: number): Pick<SpoolOptions, 'singlesMax' | 'groupMax'> {
  const fitting = Math.max(1, Math.floor((memoryBytes - READER_BYTES) / (COLUMN_BYTES * Math.max(1, columns))));
  return { singlesMax: Math.min(fitting, SINGLES_MAX), groupMax: Math.min(fitting, LIMITS.partitionsPerPartMax) };
}

interface OpenSpool extends Spool {
  readonly fd: number;
  readonly buffer: Buffer;
  used: number;
}

export function openSpools({ folder, numberKey, rowKey, singlesMax, groupMax }: SpoolOptions): Spools {
  let row = 0;
  const rowHead = rowKey === undefined ? undefined : `${JSON.stringify(rowKey)}:`;
  const spools: OpenSpool[] = [];
  const byPartition: (OpenSpool | undefined)[] = [];
  const heads: string[] = [];

  function create(grouped: boolean): OpenSpool {
    if (spools.length >= SPOOLS_MAX) throw new ManyPartitionsError(byPartition.length);
    const name = `spool-${spools.length}.ndjson`;
    const fd = openSync(join(folder, name), 'w');
    const buffer = Buffer.allocUnsafeSlow(spools.length < SINGLES_MAX ? BUFFER_BYTES : LATE_BUFFER_BYTES);
    const spool = { name, partitions: [], grouped, rows: 0, bytes: 0, longestLine: 0, fd, buffer, used: 0 };
    spools.push(spool);
    return spool;
  }

  function assign(partition: Partition): OpenSpool {
    if (partition.number >= LIMITS.partitionsPerLandingMax) throw new ManyPartitionsError(partition.number);
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
    if (spool.used + restBytes + FRAME_BYTES > spool.buffer.length) flush(spool);
    spool.rows++;
    spool.bytes += restBytes;
    if (restBytes + FRAME_BYTES > spool.longestLine) spool.longestLine = restBytes + FRAME_BYTES;
    if (spool.grouped) spool.used += spool.buffer.write(heads[partition.number] ?? '', spool.used, 'latin1');
    else spool.buffer[spool.used++] = 0x7b;
    if (rowHead !== undefined) spool.used += spool.buffer.write(`${rowHead}${row},`, spool.used, 'latin1');
    return spool;
  }

  function addBytes(partition: Partition, bytes: Buffer, from: number, to: number): void {
    const spool = begin(partition, to - from - 1);
    if (to - from + FRAME_BYTES > spool.buffer.length) {
      flush(spool);
      writeAll(spool.fd, bytes.subarray(from + 1, to), to - from - 1);
    } else {
      spool.used += bytes.copy(spool.buffer, spool.used, from + 1, to);
    }
    spool.buffer[spool.used++] = 0x0a;
  }

  return {
    addBytes,
    setRow: (number) => (row = number),
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
