/** Reads the rejected rows of a delivery, oldest first, page by page. */
import type { Page, ShownRow } from '../../app/control-answers.ts';
import type { ControlClient } from '../control-client.ts';
import { deliveryPath } from '../delivery/status-text.ts';

const PAGE_ROWS = 1000;

export async function* rejectedRows(client: ControlClient, delivery: string): AsyncGenerator<ShownRow> {
  let after: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(PAGE_ROWS) });
    if (after !== undefined) query.set('after', after);
    const page = await client.get<Page<ShownRow>>(`${deliveryPath(delivery)}/rejected?${query.toString()}`);
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}

export interface ReasonCount {
  readonly code: string;
  readonly column: string | null;
  rows: number;
  /** The reason of the first such row, as an example. */
  readonly example: string;
}

/** Rows counted by code and column, most frequent first. */
export async function countReasons(rows: AsyncIterable<ShownRow>): Promise<ReasonCount[]> {
  const counts = new Map<string, ReasonCount>();
  for await (const row of rows) {
    const key = `${row.code} ${row.column ?? ''}`;
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { code: row.code, column: row.column, rows: 1, example: row.reason });
    else known.rows += 1;
  }
  return [...counts.values()].toSorted((a, b) => b.rows - a.rows);
}
