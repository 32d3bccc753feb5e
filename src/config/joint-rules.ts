/** Rules over several keys, asked once every key is right by itself. Pure. */
import { isIP } from 'node:net';
import type { ConfigProblem } from './config-problem.ts';
import type { ConfigValues } from './config-schema.ts';
import type { Environment } from './environment.ts';

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

/** A cluster is found by one broker at least; an authority is trusted in TLS. */
export function kafkaProblems({ broker: { kafka } }: ConfigValues): ConfigProblem[] {
  if (kafka === undefined) return [];
  const { bootstrap, ca, tls } = kafka;
  const problems: ConfigProblem[] = [];
  if (bootstrap.length === 0) {
    problems.push({ path: 'broker.kafka.bootstrap', value: bootstrap, accepted: 'one host:port at least' });
  }
  if (ca !== undefined && !tls) problems.push({ path: 'broker.kafka.ca', value: ca, accepted: 'with tls: true' });
  return problems;
}

/** Processes that share streams, lake and catalog find all three; one that is alone does everything. */
export function clusterProblems({ roles, catalog, broker, lake, schedule }: ConfigValues): ConfigProblem[] {
  const problems: ConfigProblem[] = repeatedRoles(roles);
  if (catalog.place === 'lake') {
    if (broker.kafka === undefined) {
      problems.push({
        path: 'catalog.place',
        value: 'lake',
        accepted: 'data; or add broker.kafka, for streams that processes share',
      });
    }
    if (lake.folder === undefined && lake.s3 === undefined) {
      problems.push({
        path: 'catalog.place',
        value: 'lake',
        accepted: 'data; or add lake.s3 or lake.folder, a lake that processes share',
      });
    }
    return problems;
  }
  if (schedule.redis !== undefined) {
    problems.push({
      path: 'schedule.redis',
      value: '(hidden)',
      accepted: 'with catalog.place: lake; a process with a catalog of its own shares no jobs',
    });
  }
  for (const role of ['ingest', 'deliver']) {
    if (roles.includes(role)) continue;
    problems.push({
      path: 'roles',
      value: roles,
      accepted: `${role} among them; or catalog.place: lake, where another process has it`,
    });
  }
  return problems;
}

function repeatedRoles(roles: readonly string[]): ConfigProblem[] {
  if (roles.length === 0) return [{ path: 'roles', value: roles, accepted: 'one role at least' }];
  if (new Set(roles).size === roles.length) return [];
  return [{ path: 'roles', value: roles, accepted: 'every role once' }];
}

/** A key comes from one place, and a variable that is named is set. */
export function lakeKeyProblems({ lake }: ConfigValues, env: Environment): ConfigProblem[] {
  return lake.keys.flatMap(({ id, file, env: variable, command }, i) => {
    const given = [file, variable, command.length > 0 ? command : undefined].filter((it) => it !== undefined);
    const path = `lake.keys[${i}]`;
    if (given.length !== 1) return [{ path, value: id, accepted: 'one of file, env and command' }];
    if (variable === undefined || (env[variable] ?? '') !== '') return [];
    return [{ path: `${path}.env`, value: variable, accepted: 'a variable that is set' }];
  });
}

/** Names that must tell their things apart. */
export function repeatedNames({ server, lake, streams, deliveries }: ConfigValues): ConfigProblem[] {
  return [
    ...repeated('server.keys', 'id', server.keys),
    ...repeated('lake.keys', 'id', lake.keys),
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
