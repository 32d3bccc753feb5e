/**
 * The streams and deliveries of a configuration file, for who sends them to a server: read and checked as the server's own file is, the
 * rest of it left alone, so that one file can serve both. Streams as written: what is not written stays as it is there.
 */
import { dirname, resolve } from 'node:path';
import { type ConfigProblem, configInvalid } from './config-problem.ts';
import { CONFIG_NODE } from './config-schema.ts';
import { repeatedNames } from './joint-rules.ts';
import { parseYaml, readConfigFile, readSchemas } from './load.ts';
import { isObject, readValues } from './read-values.ts';

export interface Declared {
  readonly streams: readonly unknown[];
  /** With the Avro file a `schema` names read in. */
  readonly deliveries: readonly unknown[];
}

const SECTIONS = ['streams', 'deliveries'];

/** Throws `config-invalid` with all problems. */
export async function loadDeclared(name: string, workingFolder: string): Promise<Declared> {
  const file = resolve(workingFolder, name);
  const written = parseYaml((await readConfigFile(file, true)) ?? '', name) ?? {};
  // Of the other sections only the names are looked at: a misspelt one would go unnoticed.
  const others = Object.keys(CONFIG_NODE.properties ?? {}).filter((key) => !SECTIONS.includes(key));
  const kept = isObject(written)
    ? Object.fromEntries(Object.entries(written).filter(([key]) => !others.includes(key)))
    : written;
  const { values, problems } = readValues(kept, dirname(file));
  const found: ConfigProblem[] = [...problems, ...(problems.length > 0 ? [] : repeatedNames(values))];
  const deliveries = Array.isArray(values?.deliveries)
    ? await readSchemas(values.deliveries, dirname(file))
    : undefined;
  found.push(...(deliveries?.problems ?? []));
  if (found.length > 0) throw configInvalid(file, found);
  const streams = isObject(kept) && Array.isArray(kept['streams']) ? kept['streams'] : [];
  return { streams, deliveries: deliveries?.read ?? [] };
}
