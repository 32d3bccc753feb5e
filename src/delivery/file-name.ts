/**
 * Names of landed files: `<delivery>-<first arrival>-<nonce>-<n>.<ext>`. They tell a person what and when, and are unique because the
 * nonce of a landing is: no name is ever used twice. By name, the files of a partition sort in the order they landed: the nonce
 * begins with the time of the landing, which decides between landings that begin in the same millisecond.
 */
import type { Compression, DataFormat } from '../model/delivery.ts';
import { REJECTED_FOLDER } from '../model/lake-path.ts';

const NUMBER_DIGITS = 4;

export interface FileNameParts {
  readonly delivery: string;
  /** Arrival of the first record of the landing, epoch ms. */
  readonly firstArrivalMs: number;
  readonly nonce: string;
}

/** `parts` and the number of the file within its landing. */
export function dataFileName(parts: FileNameParts, n: number, extension: string): string {
  return `${parts.delivery}-${compactTime(parts.firstArrivalMs)}-${bareNonce(parts.nonce)}-${String(n).padStart(NUMBER_DIGITS, '0')}.${extension}`;
}

const TIMED = /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-[A-Za-z0-9]+-\d+\.[^/]*$/;

/**
 * Of a file that takes the place of others: its name comes behind all of theirs. Whoever lists in order of names, page by page, while they
 * are exchanged, has then either met the others or meets this one; it is visible before they go.
 */
export function nameBehind(
  others: readonly string[],
  made: Pick<FileNameParts, 'delivery' | 'nonce'>,
  extension: string,
): string {
  const firstArrivalMs = 1 + Math.max(0, ...others.map(timeIn));
  return dataFileName({ ...made, firstArrivalMs }, 0, extension);
}

/** The time in the name of a data file, epoch ms; 0 for a name of another form. */
function timeIn(path: string): number {
  const [, year, month, day, hour, minute, second, milli] = TIMED.exec(path) ?? [];
  return day === undefined ? 0 : Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}.${milli}Z`);
}

/** The one file of rejected rows of a landing; no data file of it has this name. `mark`: the replay that left the rows there. */
export function rejectedFileName(parts: FileNameParts, mark?: string): string {
  return `${parts.delivery}-${compactTime(parts.firstArrivalMs)}-${bareNonce(parts.nonce)}-rejected${mark === undefined ? '' : `-${mark}`}.ndjson`;
}

/** Where the rejected rows of a delivery lie: a folder a day of arrival. */
export function rejectedFolder(delivery: string, firstArrivalMs: number): string {
  return `${REJECTED_FOLDER}/${delivery}/${new Date(firstArrivalMs).toISOString().slice(0, 10)}`;
}

export function extensionOf(format: DataFormat, compression: Compression): string {
  if (format === 'parquet') return 'parquet';
  if (compression === 'gzip') return `${format}.gz`;
  return compression === 'zstd' ? `${format}.zst` : format;
}

/** `yyyyMMddTHHmmssSSSZ`, UTC. */
function compactTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replaceAll(/[-:.]/g, '');
}

function bareNonce(nonce: string): string {
  return nonce.replaceAll(/[^A-Za-z0-9]/g, '');
}
