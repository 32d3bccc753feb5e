/** Random Avro schemas, and small ones to name in tests. */
import fc from 'fast-check';

export const record = (fields: Record<string, unknown>, name = 'R'): object => ({
  type: 'record',
  name,
  fields: Object.entries(fields).map(([key, type]) =>
    typeof type === 'object' && type !== null && 'is' in type
      ? { name: key, type: type.is, default: (type as unknown as { or: unknown }).or }
      : { name: key, type },
  ),
});

/** A field with a default. */
export const withDefault = (is: unknown, or: unknown): object => ({ is, or });

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'];

/** Schemas of few names, so that two of them are often alike; no recursion. Names in one schema differ by where they stand. */
export const schemas: fc.Arbitrary<unknown> = fc
  .letrec<{ type: unknown }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constantFrom(...PRIMITIVES),
      fc.record({ type: fc.constant('array'), items: tie('type') }),
      fc.record({ type: fc.constant('map'), values: tie('type') }),
      fc.subarray(['null', 'int', 'string', 'double'], { minLength: 1 }),
      fc.record({ type: fc.constant('fixed'), name: fc.constant('F'), size: fc.constantFrom(2, 4) }),
      fc.record({
        type: fc.constant('enum'),
        name: fc.constant('E'),
        symbols: fc.subarray(['A', 'B', 'C'], { minLength: 1 }),
      }),
      fc
        .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c'), tie('type'), fc.boolean()), {
          maxLength: 3,
          selector: ([name]) => name,
        })
        .map((fields) => ({
          type: 'record',
          name: 'R',
          fields: fields.map(([name, type, optional]) =>
            optional ? { name, type: ['null', 'int'], default: null } : { name, type },
          ),
        })),
    ),
  }))
  .type.map((type) => namedByPlace(type, ''));

/** The same names at the same places: `R`, `R_a`, `R_a_b`. */
function namedByPlace(node: unknown, place: string): unknown {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return node;
  const given = node as Record<string, unknown> & { name?: string };
  const name = given.name === undefined ? {} : { name: `${given.name}${place}` };
  const items = 'items' in given ? { items: namedByPlace(given['items'], `${place}_i`) } : {};
  const values = 'values' in given ? { values: namedByPlace(given['values'], `${place}_v`) } : {};
  const fields = Array.isArray(given['fields'])
    ? {
        fields: (given['fields'] as { name: string; type: unknown }[]).map((field) => ({
          ...field,
          type: namedByPlace(field.type, `${place}_${field.name}`),
        })),
      }
    : {};
  return { ...given, ...name, ...items, ...values, ...fields };
}
