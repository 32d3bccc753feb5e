/** Reads the list of landed files of a delivery, page by page, so that a lake of any size fits. */
import type { DataFile, Page } from '../../app/control-answers.ts';
import type { ControlClient } from '../control-client.ts';
import { deliveryPath } from '../delivery/status-text.ts';

const PAGE_FILES = 1000;

export async function* landedFiles(client: ControlClient, delivery: string, prefix?: string): AsyncGenerator<DataFile> {
  let after: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(PAGE_FILES) });
    if (prefix !== undefined) query.set('prefix', prefix);
    if (after !== undefined) query.set('after', after);
    const page = await client.get<Page<DataFile>>(`${deliveryPath(delivery)}/files?${query.toString()}`);
    yield* page.items;
    after = page.next;
  } while (after !== undefined);
}
