/**
 * The catalog in memory: one unchanging state a version. A change makes new maps for the kinds it touches and shares the rest.
 */
import type { CatalogEdit, CatalogKind, CatalogState } from '../ports/catalog.ts';

export const CATALOG_KINDS: readonly CatalogKind[] = ['stream', 'deletion', 'delivery', 'plan', 'schema'];

export function emptyState(): CatalogState {
  const nothing = { stream: new Map(), deletion: new Map(), delivery: new Map(), plan: new Map(), schema: new Map() };
  return { version: 0, ...nothing };
}

/** The state one version on, with all edits applied in order. */
export function applyEdits(state: CatalogState, edits: readonly CatalogEdit[]): CatalogState {
  const next = { ...state, version: state.version + 1 };
  for (const kind of CATALOG_KINDS) {
    const touching = edits.filter((edit) => edit.kind === kind);
    if (touching.length === 0) continue;
    const map = new Map<string, unknown>(state[kind]);
    for (const { key, document } of touching) {
      if (document === undefined) map.delete(key);
      else map.set(key, document);
    }
    Object.assign(next, { [kind]: map });
  }
  return next;
}

/** Edits that make the state's documents from nothing: the content of a checkpoint. */
export function editsOf(state: CatalogState): CatalogEdit[] {
  return CATALOG_KINDS.flatMap((kind) =>
    [...state[kind]].map(([key, document]) => ({ kind, key, document }) as CatalogEdit),
  );
}
