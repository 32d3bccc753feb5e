/**
 * The partitions of one job: looked up for every row by event time and field texts, created when first seen. Rows share a
 * partition exactly when the layout gives them the same text. Keeps what is told about a partition: rows and event times.
 */
import type { Layout } from '../../partition/layout.ts';

export interface Partition {
  readonly number: number;
  /** The evaluated layout. */
  readonly text: string;
  rows: number;
  eventMinMs: number;
  eventMaxMs: number;
}

export interface Partitions {
  /** The partition of a row, counting it; undefined when a field's text is too long to be a folder name. */
  add(eventMs: number, fields: readonly (string | null)[]): Partition | undefined;
  readonly list: readonly Partition[];
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

type Tree = Map<number | string | null, Tree | Partition>;

export function partitionsOf(layout: Layout): Partitions {
  const list: Partition[] = [];
  const byText = new Map<string, Partition>();
  const root: Tree = new Map();
  // Rows of one bucket share all time units of the layout; several buckets may share a partition.
  const finest = layout.units.at(-1);
  const bucketMs = finest === 'mm' ? MINUTE_MS : finest === 'HH' ? HOUR_MS : DAY_MS;

  function create(eventMs: number, fields: readonly (string | null)[]): Partition | undefined {
    const text = layout.format({ timeMs: eventMs, fields });
    if (text === undefined) return undefined;
    const known = byText.get(text);
    if (known !== undefined) return known;
    const fresh = { number: list.length, text, rows: 0, eventMinMs: eventMs, eventMaxMs: eventMs };
    list.push(fresh);
    byText.set(text, fresh);
    return fresh;
  }

  function find(eventMs: number, fields: readonly (string | null)[]): Partition | undefined {
    const bucket = finest === undefined ? 0 : Math.floor(eventMs / bucketMs);
    let node: Tree = root;
    let key: number | string | null = bucket;
    for (const field of fields) {
      let next = node.get(key) as Tree | undefined;
      if (next === undefined) {
        next = new Map();
        node.set(key, next);
      }
      node = next;
      key = field;
    }
    const known = node.get(key) as Partition | undefined;
    if (known !== undefined) return known;
    const created = create(eventMs, fields);
    if (created !== undefined) node.set(key, created);
    return created;
  }

  function add(eventMs: number, fields: readonly (string | null)[]): Partition | undefined {
    const partition = find(eventMs, fields);
    if (partition === undefined) return undefined;
    partition.rows++;
    if (eventMs < partition.eventMinMs) partition.eventMinMs = eventMs;
    if (eventMs > partition.eventMaxMs) partition.eventMaxMs = eventMs;
    return partition;
  }

  return { add, list };
}
