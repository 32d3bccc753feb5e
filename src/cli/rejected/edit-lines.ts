/**
 * Rejected rows as lines that a person edits and gives back: shard and offset say which row, `record` is the record itself, as JSON where
 * it is JSON and as a text where it is not; bytes that are no text stay base64 in `data`. Numbers keep their digits both ways.
 */
import type { ShownRow } from '../../app/control-answers.ts';
import { UsageError } from '../exit-code.ts';

export interface Edit {
  readonly shard: number;
  readonly offset: number;
  /** Base64. */
  readonly data: string;
}

export function editLine({ shard, offset, code, reason, column, data, json }: ShownRow): string {
  const facts = JSON.stringify({ shard, offset, code, reason, column }).slice(0, -1);
  // A record in Avro whose schema is known is edited, and comes back, as JSON.
  const bytes = json === undefined ? Buffer.from(data, 'base64') : Buffer.from(json);
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) return `${facts},"data":${JSON.stringify(data)}}`;
  return `${facts},"record":${isJson(text) ? text.replaceAll(/[\r\n]/g, ' ') : JSON.stringify(text)}}`;
}

/** Throws `UsageError` that names the line. */
export function parseEdit(line: string, number: number): Edit {
  const wrong = (why: string): UsageError => new UsageError(`line ${number} ${why}`);
  let value: unknown;
  try {
    value = JSON.parse(line, keepDigits as never);
  } catch (error) {
    throw wrong(`is no JSON: ${(error as Error).message}`);
  }
  const { shard, offset, record, data } = (value ?? {}) as Record<string, unknown>;
  const [shardNumber, offsetNumber] = [Number(shard), Number(offset)];
  if (!Number.isSafeInteger(shardNumber) || !Number.isSafeInteger(offsetNumber))
    throw wrong('names no shard and offset');
  if (record === undefined && typeof data !== 'string') throw wrong('has no record');
  if (record === undefined) return { shard: shardNumber, offset: offsetNumber, data: data as string };
  const text = typeof record === 'string' ? record : JSON.stringify(record);
  return { shard: shardNumber, offset: offsetNumber, data: Buffer.from(text).toString('base64') };
}

/** A number that JavaScript would write otherwise is kept as it stands. */
function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined || String(value) === context.source) return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(context.source);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
