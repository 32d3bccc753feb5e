/**
 * Who may import whom: the table of rooms, the fences around packages and `node:fs`, and no cycles. Every rule is a function from
 * source facts to a list of complaints, so that it can be shown to fail on a small example.
 */
import { posix } from 'node:path';
import type { ImportFact, SourceFile } from './source-file.ts';

// biome-ignore format: one line a kind of room
const INNER_ROOMS = [
  'model', 'ports', 'partition', 'schema', 'landing', 'producer', 'ingest', 'delivery', 'compaction',
  'broker', 'convert', 'lake', 'schedule', 'telemetry', 'config', 'catalog', 'clock',
];

/** Folder of `src/` → the other folders it may import from. A folder that is not here may not exist. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  model: [],
  ports: ['model'],
  partition: ['model'],
  schema: ['model', 'ports'],
  landing: ['model', 'ports'],
  producer: ['model'],
  ingest: ['model', 'ports', 'schema'],
  delivery: ['model', 'ports', 'partition', 'schema', 'landing'],
  compaction: ['model', 'ports', 'partition', 'landing'],
  broker: ['model', 'ports'],
  convert: ['model', 'ports', 'partition', 'schema'],
  lake: ['model', 'ports'],
  schedule: ['model', 'ports'],
  telemetry: ['model', 'ports'],
  config: ['model'],
  catalog: ['model', 'ports'],
  clock: ['model', 'ports'],
  app: INNER_ROOMS,
  cli: ['app', 'config', 'model'],
  'main.ts': ['cli'],
  'index.ts': ['app', 'config', 'model', 'ports', 'producer'],
};

/** Rooms whose folders are implementations of one port: strangers to each other. */
const SIBLINGS = new Set(['broker', 'lake', 'schedule']);

/** Package → where it may be imported. A package that is not here may not be imported at all. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  '@aws-sdk/client-s3': ['lake/s3'],
  '@aws-sdk/lib-storage': ['lake/s3'],
  '@aws-sdk/s3-request-presigner': ['lake/s3'],
  '@duckdb/node-api': ['convert'],
  '@platformatic/kafka': ['broker/kafka'],
  avsc: ['schema'],
  bullmq: ['schedule/bullmq'],
  fastify: ['ingest'],
  ioredis: ['schedule/bullmq'],
  pino: ['telemetry'],
  'prom-client': ['telemetry'],
  typebox: ['config', 'ingest'],
  yaml: ['config'],
};

const FILE_SYSTEM = ['broker/embedded', 'lake', 'convert', 'config', 'cli', 'app'];
const TIMERS = ['clock', 'schedule'];
/** Rooms that also run where there is no Node. */
const WITHOUT_NODE = new Set(['model', 'ports', 'partition']);

/** All complaints about the imports of the files under `src/`. */
export function importComplaints(files: readonly SourceFile[]): string[] {
  return [...files.flatMap((file) => file.imports.flatMap((fact) => complain(file, fact))), ...cycles(files)];
}

function complain(file: SourceFile, fact: ImportFact): string[] {
  const reason = fact.specifier.startsWith('.') ? relativeReason(file.path, fact) : packageReason(file.path, fact);
  return reason === undefined ? [] : [`${file.path}:${fact.line} imports '${fact.specifier}': ${reason}`];
}

function relativeReason(path: string, { specifier }: ImportFact): string | undefined {
  if (!/\.(ts|json)$/.test(specifier)) return 'a relative import ends with .ts';
  const target = posix.join(posix.dirname(path), specifier);
  if (!target.startsWith('src/')) return 'sources import nothing outside src/';
  const from = roomOf(path);
  const to = roomOf(target);
  const allowed = ROOMS[from];
  if (allowed === undefined) return `'${from}' is not in the table of rooms`;
  if (from !== to) return allowed.includes(to) ? undefined : `${from} may not import ${to}`;
  const [own, other] = [siblingOf(path), siblingOf(target)];
  if (SIBLINGS.has(from) && other !== undefined && own !== other) return `implementations of ${from} are strangers`;
  return undefined;
}

function packageReason(path: string, { specifier }: ImportFact): string | undefined {
  if (specifier.startsWith('node:')) return builtinReason(path, specifier);
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const places = PACKAGES[name];
  if (places === undefined) return 'the package has no entry in the table of fences';
  return within(path, places) ? undefined : `only ${places.join(', ')} may`;
}

function builtinReason(path: string, specifier: string): string | undefined {
  if (WITHOUT_NODE.has(roomOf(path))) return `${roomOf(path)} has no Node`;
  if (/^node:fs\b/.test(specifier) && !within(path, FILE_SYSTEM)) return `only ${FILE_SYSTEM.join(', ')} may`;
  if (specifier === 'node:process' && !within(path, ['config'])) return 'process is a global; its env is for config';
  if (/^node:timers\b/.test(specifier) && !within(path, TIMERS)) return `only ${TIMERS.join(', ')} may`;
  return undefined;
}

function cycles(files: readonly SourceFile[]): string[] {
  const edges = new Map(files.map((file) => [file.path, relativeTargets(file)]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(path);
    if (seenAt !== -1) found.push(`import cycle: ${[...trail.slice(seenAt), path].join(' → ')}`);
    if (seenAt !== -1 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return found;
}

function relativeTargets(file: SourceFile): string[] {
  const relative = file.imports.filter((fact) => fact.specifier.startsWith('.'));
  return relative.map((fact) => posix.join(posix.dirname(file.path), fact.specifier));
}

/** First segment below `src/`: a folder, or the name of a file that lies there. */
export function roomOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function siblingOf(path: string): string | undefined {
  const parts = path.split('/');
  return parts.length > 3 ? parts[2] : undefined;
}

/** Whether a path lies in one of the places, given as `room` or `room/folder`. */
export function within(path: string, places: readonly string[]): boolean {
  return places.some((place) => path.startsWith(`src/${place}/`));
}
