/** Rules over several keys, asked once every key is right by itself. Pure. */
import { isIP } from 'node:net';
import type { ConfigProblem } from './config-problem.ts';
import type { ConfigValues } from './config-schema.ts';

/** Without keys only this machine may reach the server, unless the operator says that it is open. */
export function listeningProblems({ server }: ConfigValues): ConfigProblem[] {
  if (server.open || server.keys.length > 0 || isLoopback(server.host)) return [];
  const accepted = 'a loopback address like 127.0.0.1; or add server.keys, or set server.open: true to let anybody in';
  return [{ path: 'server.host', value: server.host, accepted }];
}

/** A lake lies in one place. */
export function lakeProblems({ lake }: ConfigValues): ConfigProblem[] {
  if (lake.folder === undefined || lake.s3 === undefined) return [];
  return [{ path: 'lake.folder', value: lake.folder, accepted: 'one of lake.folder and lake.s3, not both' }];
}

/** Names that must tell their things apart. */
export function repeatedNames({ server, streams, deliveries }: ConfigValues): ConfigProblem[] {
  return [
    ...repeated('server.keys', 'id', server.keys),
    ...repeated('streams', 'name', streams),
    ...repeated('deliveries', 'name', deliveries),
  ];
}

function repeated(path: string, key: string, items: readonly object[]): ConfigProblem[] {
  const names = items.map((item) => (item as Readonly<Record<string, unknown>>)[key]);
  return names.flatMap((value, i) =>
    value !== undefined && names.indexOf(value) < i
      ? [{ path: `${path}[${i}].${key}`, value, accepted: 'another name' }]
      : [],
  );
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}
