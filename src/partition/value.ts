/**
 * Partition values as folder names: percent-encoding of every UTF-8 byte but `[A-Za-z0-9_.-]`, so that no value can hold a slash,
 * forge a `name=` or climb out of its folder, and different values never share a folder. A missing value is Hive's default
 * partition, the empty text a reserved word (both without `_` where they begin the folder); a value that reads like either is encoded. Encoding and decoding are inverse.
 */

/** What Hive, Spark and Athena call the partition of NULL. */
const NULL_PARTITION = '__HIVE_DEFAULT_PARTITION__';
/** Folder name of the empty text, which cannot be a folder name itself. */
const EMPTY_PARTITION = '__EMPTY__';
/** The same where they begin the folder name: readers skip names that begin with `_`. */
const VISIBLE_NULL_PARTITION = 'HIVE_DEFAULT_PARTITION';
const VISIBLE_EMPTY_PARTITION = 'EMPTY';

const PLAIN = /^[A-Za-z0-9_.-]+$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes a value takes by percent-encoding: what the limit of a partition value counts. */
export function encodedBytes(value: string): number {
  return percentEncode(value).length;
}

/** `leads`: the value begins its folder name, so that a leading `_` or `.` would hide the folder from readers. */
export function encodeValue(value: string | null, leads: boolean): string {
  const [missing, empty] = namesOfNone(leads);
  if (value === null) return missing;
  if (value === '') return empty;
  const text = percentEncode(value);
  const reserved = text === missing || text === empty;
  return reserved || (leads && /^[_.]/.test(text)) ? `${hex(text.charCodeAt(0))}${text.slice(1)}` : text;
}

/** The value of a folder name, or undefined when `encodeValue` cannot have made it. */
export function decodeValue(text: string, leads: boolean): string | null | undefined {
  const [missing, empty] = namesOfNone(leads);
  if (text === missing) return null;
  if (text === empty) return '';
  const value = percentDecode(text);
  return value !== undefined && encodeValue(value, leads) === text ? value : undefined;
}

/** Reserved for the missing value and for the empty text. */
function namesOfNone(leads: boolean): readonly [missing: string, empty: string] {
  return leads ? [VISIBLE_NULL_PARTITION, VISIBLE_EMPTY_PARTITION] : [NULL_PARTITION, EMPTY_PARTITION];
}

function percentEncode(value: string): string {
  if (PLAIN.test(value)) return value;
  let text = '';
  for (const byte of encoder.encode(value)) {
    const char = String.fromCharCode(byte);
    text += PLAIN.test(char) ? char : hex(byte);
  }
  return text;
}

function percentDecode(text: string): string | undefined {
  if (PLAIN.test(text)) return text;
  if (!/^(?:[A-Za-z0-9_.-]|%[0-9A-F]{2})+$/.test(text)) return undefined;
  const bytes = Uint8Array.from(text.match(/%..|./g) ?? [], (part) =>
    part.length === 3 ? Number.parseInt(part.slice(1), 16) : part.charCodeAt(0),
  );
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function hex(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
