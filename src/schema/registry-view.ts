/** What the catalog's schema documents say, as lookups. Made once for every state of them, so that reading costs nothing. */
import type { CompatibilityMode, SchemaDocument, SchemaText, SubjectDocument } from '../model/schema.ts';
import { COMPATIBILITY_DEFAULT } from '../model/schema.ts';
import type { CatalogState } from '../ports/catalog.ts';
import type { RegisteredSchema } from '../ports/schemas.ts';

export interface RegistryView {
  readonly subjects: ReadonlyMap<string, SubjectDocument>;
  readonly texts: ReadonlyMap<number, SchemaText>;
  /** By id. */
  readonly all: readonly SchemaText[];
  /** The id of a settled text. */
  readonly ids: ReadonlyMap<string, number>;
  /** Of all texts. */
  readonly bytes: number;
  readonly nextId: number;
  readonly compatibility: CompatibilityMode;
}

const views = new WeakMap<CatalogState['schema'], RegistryView>();

export function registryView({ schema }: Pick<CatalogState, 'schema'>): RegistryView {
  let view = views.get(schema);
  if (view === undefined) views.set(schema, (view = viewOf(schema.values())));
  return view;
}

function viewOf(documents: Iterable<SchemaDocument>): RegistryView {
  const subjects = new Map<string, SubjectDocument>();
  const texts = new Map<number, SchemaText>();
  const ids = new Map<string, number>();
  let compatibility = COMPATIBILITY_DEFAULT;
  let bytes = 0;
  let nextId = 1;
  for (const document of documents) {
    if (document.is === 'subject') subjects.set(document.subject, document);
    else if (document.is === 'settings') ({ compatibility } = document);
    else {
      texts.set(document.id, document);
      ids.set(document.text, document.id);
      bytes += document.text.length;
      nextId = Math.max(nextId, document.id + 1);
    }
  }
  const all = [...texts.values()].toSorted((a, b) => a.id - b.id);
  return { subjects, texts, all, ids, bytes, nextId, compatibility };
}

/** The versions of a subject with their texts, ascending. */
export function versionsOf(view: RegistryView, subject: string, deleted = false): RegisteredSchema[] {
  const versions = view.subjects.get(subject)?.versions ?? [];
  return versions
    .filter((version) => deleted || version.deleted !== true)
    .map((version) => ({ ...version, subject, text: view.texts.get(version.id)?.text ?? 'null' }));
}
