/**
 * Keys that the command line or the environment may set over the file: few, those that differ from one machine to the next.
 * A flag wins over the environment, the environment over the file. The names of variables follow the keys, so that they do not
 * clash with those a container platform makes from the name of a service (`LAKEWARD_PORT`).
 */
import { resolve } from 'node:path';
import type { Environment } from './environment.ts';
import { isObject } from './read-values.ts';

export interface Override {
  /** Key in the configuration. */
  readonly key: 'roles' | `${string}.${string}`;
  readonly variable: string;
  /** Absent where the value is a secret, which does not belong on a command line. */
  readonly flag?: string;
  readonly form: 'text' | 'integer' | 'flag' | 'path' | 'keys' | 'list';
}

export const OVERRIDES: readonly Override[] = [
  { key: 'roles', variable: 'LAKEWARD_ROLES', flag: 'roles', form: 'list' },
  { key: 'server.host', variable: 'LAKEWARD_SERVER_HOST', flag: 'host', form: 'text' },
  { key: 'server.port', variable: 'LAKEWARD_SERVER_PORT', flag: 'port', form: 'integer' },
  { key: 'server.open', variable: 'LAKEWARD_SERVER_OPEN', flag: 'open', form: 'flag' },
  { key: 'server.keys', variable: 'LAKEWARD_SERVER_KEYS', form: 'keys' },
  { key: 'server.noticeSecret', variable: 'LAKEWARD_SERVER_NOTICESECRET', form: 'text' },
  { key: 'data.folder', variable: 'LAKEWARD_DATA_FOLDER', flag: 'data', form: 'path' },
  { key: 'lake.folder', variable: 'LAKEWARD_LAKE_FOLDER', flag: 'lake', form: 'path' },
  { key: 'schedule.redis', variable: 'LAKEWARD_SCHEDULE_REDIS', form: 'text' },
  { key: 'telemetry.level', variable: 'LAKEWARD_TELEMETRY_LEVEL', flag: 'log-level', form: 'text' },
];

/** Values of flags by name, as the command line gives them. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** What was written, with flags and environment put over it. Values that cannot be read stay as they are, for the schema to refuse. */
export function withOverrides(written: unknown, from: { flags: Flags; env: Environment; folder: string }): unknown {
  if (!isObject(written ?? {})) return written;
  const result: Record<string, unknown> = { ...(written as object | null) };
  for (const { key, variable, flag, form } of OVERRIDES) {
    const value = (flag === undefined ? undefined : from.flags[flag]) ?? from.env[variable];
    if (value === undefined) continue;
    const [section = '', name] = key.split('.');
    if (name === undefined) {
      result[section] = parseOverride(form, value, from.folder);
      continue;
    }
    const inFile = result[section] ?? {};
    if (isObject(inFile)) result[section] = { ...inFile, [name]: parseOverride(form, value, from.folder) };
  }
  return result;
}

function parseOverride(form: Override['form'], value: string | boolean, folder: string): unknown {
  if (typeof value === 'boolean') return value;
  switch (form) {
    case 'integer':
      return /^\d{1,9}$/.test(value) ? Number(value) : value;
    case 'flag':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'path':
      return value === '' ? value : resolve(folder, value);
    case 'list':
      return value === '' ? [] : value.split(',');
    case 'keys':
      return value === '' ? [] : value.split(',').map(parseKey);
    case 'text':
    default:
      return value;
  }
}

/** `id:secret`. A secret may hold colons; an id cannot. */
function parseKey(text: string): unknown {
  const colon = text.indexOf(':');
  return colon === -1 ? text : { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}
