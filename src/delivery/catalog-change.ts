/** Changing the catalog from what it holds: the edit is made anew whenever somebody else was faster. */
import { isLakewardError } from '../model/errors.ts';
import type { CallOptions } from '../ports/call-options.ts';
import type { Catalog, CatalogEdit, CatalogState } from '../ports/catalog.ts';

const TRIES_MAX = 50;

/** `edit` may throw to refuse; no edits means nothing to do. Throws `catalog-conflict` when others are faster every time. */
export async function changeCatalog(
  catalog: Catalog,
  edit: (state: CatalogState) => readonly CatalogEdit[],
  options?: CallOptions,
): Promise<CatalogState> {
  for (let attempt = 1; ; attempt += 1) {
    const state = catalog.read();
    const edits = edit(state);
    if (edits.length === 0) return state;
    try {
      return await catalog.change(state.version, edits, options);
    } catch (error) {
      if (!isLakewardError(error, 'catalog-conflict') || attempt === TRIES_MAX) throw error;
    }
  }
}
