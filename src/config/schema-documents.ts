/** What is written from the schema for people and editors: the JSON Schema file and the table of keys. Pure. */
import { CONFIG_NODE, CONFIG_SCHEMA, type SchemaNode } from './config-schema.ts';

/** JSON Schema of the configuration file, for editors. */
export function configJsonSchema(): Readonly<Record<string, unknown>> {
  const schema = JSON.parse(JSON.stringify(CONFIG_SCHEMA, onlyStandard)) as Record<string, unknown>;
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Lakeward', ...schema };
}

/** Drops the loader's notes, and from `required` every key that something stands in for. */
function onlyStandard(key: string, value: unknown): unknown {
  if (key === 'notes') return undefined;
  const node = value as SchemaNode | null;
  if (typeof node !== 'object' || node?.required === undefined || node.properties === undefined) return value;
  const { required, properties, ...rest } = node;
  const needed = required.filter((name) => {
    const child = properties[name];
    return child?.default === undefined && child?.properties === undefined;
  });
  return { ...rest, properties, ...(needed.length > 0 && { required: needed }) };
}

export interface ConfigRow {
  readonly key: string;
  readonly default: string;
  readonly accepted: string;
  readonly meaning: string;
}

/** Every key, in the order of the schema. */
export function configTable(): ConfigRow[] {
  return rowsOf(CONFIG_NODE, '');
}

function rowsOf(node: SchemaNode, path: string): ConfigRow[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (child.properties !== undefined) return rowsOf(child, at);
    return [rowOf(at, child), ...(child.items === undefined ? [] : rowsOf(child.items, `${at}[]`))];
  });
}

function rowOf(key: string, node: SchemaNode): ConfigRow {
  const { default: value, notes } = node;
  const byDefault =
    value === undefined ? '' : Array.isArray(value) ? 'none' : `\`${JSON.stringify(value).replaceAll('"', '')}\``;
  return {
    key,
    default: notes?.defaultText ?? byDefault,
    accepted: notes?.accepted ?? '',
    meaning: node.description ?? '',
  };
}
