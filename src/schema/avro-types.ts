/**
 * Avro schemas as JSON, taken apart: their form judged, named types gathered, references resolved. Whether they mean something
 * (names known, no doubles) is for the Avro library to say. Knows nothing of columns.
 */
export type AvroNode = string | readonly AvroNode[] | AvroObject;
export interface AvroObject {
  readonly type: string;
  readonly name?: string;
  readonly namespace?: string;
  readonly logicalType?: string;
  readonly precision?: number;
  readonly scale?: number;
  readonly symbols?: readonly string[];
  readonly fields?: readonly AvroField[];
  readonly items?: AvroNode;
  readonly values?: AvroNode;
}
export interface AvroField {
  readonly name: string;
  readonly type: AvroNode;
}

/** What a type is once names are gone. */
export type AvroShape =
  | { readonly kind: 'union'; readonly branches: readonly AvroNode[] }
  /** A primitive or complex type with its attributes, and the namespace in force inside of it. */
  | { readonly kind: 'type'; readonly name: string; readonly node: AvroObject; readonly namespace: string };

export interface AvroTypes {
  /** The shape of a type used inside a namespace, by default that of the record. */
  shapeOf(node: AvroNode, namespace?: string): AvroShape;
}

const RECORDS = new Set(['record', 'error']);
const NAMED = new Set([...RECORDS, 'enum', 'fixed']);

/** Reads the named types of a record, so that fields may refer to them. */
export function avroTypes(record: AvroObject): AvroTypes {
  const named = new Map<string, AvroObject>();
  gather(record, '', named);
  const recordSpace = spaceOf(record, '');

  return {
    shapeOf(node, namespace = recordSpace) {
      if (isUnion(node)) return { kind: 'union', branches: node };
      const name = typeof node === 'string' ? node : node.type;
      const full = named.has(fullName(name, namespace)) ? fullName(name, namespace) : name;
      const found = named.get(full);
      if (found !== undefined) {
        return {
          kind: 'type',
          name: found.type,
          node: found,
          namespace: full.slice(0, Math.max(0, full.lastIndexOf('.'))),
        };
      }
      const attributes = typeof node === 'string' ? { type: node } : node;
      return { kind: 'type', name, node: attributes, namespace: spaceOf(attributes, namespace) };
    },
  };
}

/** What is wrong with the form of a type, at any depth; undefined when it has the form of an Avro type. */
export function formFault(node: unknown): string | undefined {
  if (typeof node === 'string') return undefined;
  if (Array.isArray(node)) return firstFault(node);
  const { type, name, namespace, symbols, fields, items, values } = (node ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof type !== 'string')
    return `a type is a name, a union or an object with a type, not ${JSON.stringify(node)}`;
  if (![name, namespace].every((text) => text === undefined || typeof text === 'string')) return 'a name is text';
  if (NAMED.has(type) && name === undefined) return `a type ${type} needs a name`;
  if (type === 'array') return formFault(items);
  if (type === 'map') return formFault(values);
  if (
    type === 'enum' &&
    !(Array.isArray(symbols) && symbols.length > 0 && symbols.every((one) => typeof one === 'string'))
  ) {
    return 'an enum needs a list of symbols';
  }
  if (!RECORDS.has(type)) return undefined;
  if (!Array.isArray(fields)) return 'a record needs a list of fields';
  return firstFault(fields.map((field: { readonly type?: unknown } | null) => field?.type));
}

function firstFault(nodes: readonly unknown[]): string | undefined {
  return nodes.map(formFault).find((fault) => fault !== undefined);
}

function gather(node: AvroNode | undefined, namespace: string, named: Map<string, AvroObject>): void {
  if (node === undefined || typeof node === 'string') return;
  if (isUnion(node)) {
    for (const branch of node) gather(branch, namespace, named);
    return;
  }
  const inner = spaceOf(node, namespace);
  if (NAMED.has(node.type) && node.name !== undefined) named.set(fullName(node.name, inner), node);
  // Only where the type has them: attributes that mean nothing there may hold anything.
  if (RECORDS.has(node.type)) for (const field of node.fields ?? []) gather(field.type, inner, named);
  if (node.type === 'array') gather(node.items, inner, named);
  if (node.type === 'map') gather(node.values, inner, named);
}

/** Namespace in force inside a type: from its full name, its attribute, or around it. */
function spaceOf(node: AvroObject, around: string): string {
  const dot = node.name?.lastIndexOf('.') ?? -1;
  return dot > 0 ? (node.name ?? '').slice(0, dot) : (node.namespace ?? around);
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function isUnion(node: AvroNode): node is readonly AvroNode[] {
  return Array.isArray(node);
}
