/**
 * From what was written to checked values, by the schema: defaults are put in, sizes and durations become numbers, paths become
 * absolute. Never stops at a problem, so that all are told together; the values mean nothing when there is one.
 */
import { resolve } from 'node:path';
import { Value } from 'typebox/value';
import { parseBytes, parseDurationMs } from '../model/units.ts';
import type { ConfigProblem } from './config-problem.ts';
import { CONFIG_NODE, type ConfigValues, type SchemaNode } from './config-schema.ts';

export interface ReadResult {
  readonly values: ConfigValues;
  readonly problems: readonly ConfigProblem[];
}

/** Reads a parsed file. Relative paths count from `folder`. */
export function readValues(written: unknown, folder: string): ReadResult {
  const problems: ConfigProblem[] = [];

  function refuse(node: SchemaNode, path: string, value: unknown): undefined {
    problems.push({
      path,
      value: node.notes?.secret && value !== undefined ? '(hidden)' : value,
      accepted: accepts(node),
    });
  }

  /** A key that is written without a value counts as absent. */
  function read(node: SchemaNode, path: string, value: unknown): unknown {
    const given = value ?? undefined;
    if (node.properties !== undefined && node.additionalProperties === false) return readSection(node, path, given);
    if (node.items !== undefined) return readList(node, node.items, { path, value: given });
    if (given === undefined && node.default === undefined) return undefined;
    return readLeaf(node, path, given ?? node.default);
  }

  function readSection(node: SchemaNode, path: string, value: unknown = {}): unknown {
    if (!isObject(value)) return refuse(node, path, hideSecrets(node, value));
    const known = Object.entries(node.properties ?? {});
    for (const key of Object.keys(value)) {
      if (node.properties !== undefined && Object.hasOwn(node.properties, key)) continue;
      const names = known.map(([name]) => name).join(', ');
      problems.push({ path: join(path, key), value: '(unknown key)', accepted: `one of ${names}` });
    }
    return Object.fromEntries(
      known.map(([key, child]) => {
        const at = join(path, key);
        if ((value[key] ?? undefined) === undefined && isMissing(node, key, child))
          return [key, refuse(child, at, undefined)];
        if ((value[key] ?? undefined) === undefined && isLeftOut(node, key, child)) return [key, undefined];
        return [key, read(child, at, value[key])];
      }),
    );
  }

  function readList(node: SchemaNode, items: SchemaNode, { path, value }: { path: string; value: unknown }): unknown {
    const given = value ?? node.default;
    if (!Array.isArray(given)) return refuse(node, path, hideSecrets(items, given));
    return given.map((item, i) => read(items, `${path}[${i}]`, item));
  }

  function readLeaf(node: SchemaNode, path: string, value: unknown): unknown {
    if (!Value.Check(node, value)) return refuse(node, path, value);
    const { quantity, path: isPath } = node.notes ?? {};
    if (isPath) return resolve(folder, value as string);
    if (quantity === undefined) return value;
    const number = (quantity.unit === 'bytes' ? parseBytes : parseDurationMs)(value as string);
    const inRange = number !== undefined && number >= quantity.min && number <= quantity.max;
    return inRange ? number : refuse(node, path, value);
  }

  const values = read(CONFIG_NODE, '', written) as ConfigValues;
  return { values, problems };
}

/** Whether a key that is not written has nothing to stand in for it. */
function isMissing(parent: SchemaNode, key: string, node: SchemaNode): boolean {
  return parent.required?.includes(key) === true && node.default === undefined && node.properties === undefined;
}

/** Whether a section that is not written is not there at all, rather than full of its defaults. */
function isLeftOut(parent: SchemaNode, key: string, node: SchemaNode): boolean {
  return node.properties !== undefined && parent.required?.includes(key) !== true;
}

function accepts(node: SchemaNode): string {
  return node.notes?.accepted ?? `keys ${Object.keys(node.properties ?? {}).join(', ')}`;
}

/** A value in the place of a section may hold what belongs into its secrets. */
function hideSecrets(node: SchemaNode, value: unknown): unknown {
  const secret = Object.values(node.properties ?? {}).some((child) => child.notes?.secret);
  return secret ? '(hidden)' : value;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
