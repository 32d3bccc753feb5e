/**
 * The one loader: file, then environment, then flags, checked together, every problem told at once. Data only: nothing is opened
 * or made. What a delivery may say is the delivery stage's business; here only an Avro file it names is read in.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { type ConfigProblem, configInvalid } from './config-problem.ts';
import type { CATALOG_PLACES, ConfigValues, GUARANTEES, LOG_LEVELS, ROLES } from './config-schema.ts';
import type { SASL_MECHANISMS } from './config-schema.ts';
import { type Environment, processEnvironment } from './environment.ts';
import { clusterProblems, kafkaProblems, lakeKeyProblems, lakeProblems } from './joint-rules.ts';
import { listeningProblems, repeatedNames } from './joint-rules.ts';
import { type Flags, withOverrides } from './overrides.ts';
import { isObject, readValues } from './read-values.ts';

const DEFAULT_FILE = 'lakeward.yaml';
const ENGINES_DEFAULT_MAX = 4;
/** Bounds what aliases in a file can blow up to. */
const YAML_ALIASES_MAX = 100;

/** A lake in a bucket; what is absent is found by the SDK. */
export interface S3LakeConfig {
  readonly bucket: string;
  readonly prefix?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly pathStyle: boolean;
  /** Absolute path. */
  readonly ca?: string;
  readonly guarantee: (typeof GUARANTEES)[number];
}

export type LakeConfig = { readonly folder: string } | { readonly s3: S3LakeConfig };

/** A key by its id: a file with it, its text from the environment, or a program that has it. */
export interface LakeKey {
  readonly id: string;
  readonly from:
    | { readonly file: string }
    | { readonly text: string; readonly name: string }
    | { readonly command: readonly string[] };
}

/** A stream made at start. */
export interface StreamConfig {
  readonly name: string;
  readonly shards: number;
  readonly retentionMs: number;
  /** A topic that is there, with shards and retention of its own. */
  readonly topic?: string;
}

/** A cluster that keeps the streams. */
export interface KafkaConfig {
  readonly bootstrap: readonly string[];
  readonly replicas?: number;
  readonly tls: boolean;
  /** Absolute path. */
  readonly ca?: string;
  readonly sasl?: {
    readonly mechanism: (typeof SASL_MECHANISMS)[number];
    readonly username: string;
    readonly password: string;
  };
}

export type Role = (typeof ROLES)[number];

export interface Config {
  /** Absolute path of the file read; absent when there is none. */
  readonly file?: string;
  readonly roles: readonly Role[];
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly open: boolean;
    readonly keys: readonly { readonly id: string; readonly secret: string }[];
    /** Absent: notices are not signed. */
    readonly noticeSecret?: string;
    readonly drainMs: number;
  };
  readonly data: { readonly folder: string; readonly reserveBytes: number };
  readonly catalog: { readonly place: (typeof CATALOG_PLACES)[number] };
  /** Absent: streams are kept in the data folder. */
  readonly kafka?: KafkaConfig;
  /** Absent: background jobs are every process's own. */
  readonly redis?: { readonly url: string; readonly prefix: string };
  readonly lake: LakeConfig;
  readonly lakeKeys: readonly LakeKey[];
  readonly log: { readonly segmentBytes: number; readonly groupBytes: number };
  readonly convert: { readonly engines: number; readonly memoryBytes: number };
  readonly telemetry: { readonly level: (typeof LOG_LEVELS)[number] };
  readonly streams: readonly StreamConfig[];
  /** As written, with the Avro file a `schema` names read in. */
  readonly deliveries: readonly Readonly<Record<string, unknown>>[];
  /**
   * Not for operators, for crash tests: `LAKEWARD_CRASH_AT` names the step of landing, and its turn, at which the process kills
   * itself; `LAKEWARD_CRASH_MARKER` is a text that kills a conversion engine when a record holds it.
   */
  readonly testing: { readonly crashAt?: string; readonly crashMarker?: string };
}

export interface LoadOptions {
  /** Default: `lakeward.yaml` in the working folder, when there is one. */
  readonly file?: string;
  readonly flags?: Flags;
  readonly env?: Environment;
  readonly workingFolder?: string;
}

/**
 * Says what is wrong with deliveries as they are written, each under its path (`deliveries[0].compression`). The lake is absent when
 * what is written about it cannot be understood.
 */
export type DeliveriesCheck = (
  deliveries: Config['deliveries'],
  lake: Pick<Config, 'lake' | 'lakeKeys'> | undefined,
) => readonly ConfigProblem[];

/** Throws `config-invalid` with all problems in `details.problems`: path, value, accepted. */
export async function loadConfig(
  options: LoadOptions = {},
  checkDeliveries: DeliveriesCheck = () => [],
): Promise<Config> {
  const { flags = {}, env = processEnvironment(), workingFolder = process.cwd() } = options;
  const file = resolve(workingFolder, options.file ?? DEFAULT_FILE);
  const text = await readConfigFile(file, options.file !== undefined);
  const written = text === undefined ? undefined : parseYaml(text, options.file ?? DEFAULT_FILE);
  const folder = text === undefined ? workingFolder : dirname(file);

  const { values, problems } = readValues(withOverrides(written, { flags, env, folder: workingFolder }), folder);
  const joint =
    problems.length > 0
      ? []
      : [
          ...listeningProblems(values),
          ...clusterProblems(values),
          ...kafkaProblems(values),
          ...lakeProblems(values),
          ...lakeKeyProblems(values, env),
          ...repeatedNames(values),
        ];
  const deliveries = Array.isArray(values?.deliveries) ? await readSchemas(values.deliveries, folder) : noDeliveries;
  const told = [...problems, ...joint, ...deliveries.problems];
  const settings = problems.length > 0 ? undefined : settingsOf(values, env);
  const all = [...told, ...notYetTold(told, checkDeliveries(deliveries.read, settings))];
  if (all.length > 0 || settings === undefined)
    throw configInvalid(text === undefined ? 'the configuration' : file, all);
  return {
    ...(text !== undefined && { file }),
    ...settings,
    deliveries: deliveries.read,
    testing: testAids(env),
  };
}

/** A delivery that is none, or a schema that could not be read, is told once. */
function notYetTold(told: readonly ConfigProblem[], found: readonly ConfigProblem[]): ConfigProblem[] {
  return found.filter(({ path }) => !told.some((known) => path === known.path || path.startsWith(`${known.path}.`)));
}

function testAids(env: Environment): Config['testing'] {
  const crashAt = env['LAKEWARD_CRASH_AT'] ?? '';
  const crashMarker = env['LAKEWARD_CRASH_MARKER'] ?? '';
  return { ...(crashAt !== '' && { crashAt }), ...(crashMarker !== '' && { crashMarker }) };
}

function settingsOf(values: ConfigValues, env: Environment): Omit<Config, 'file' | 'deliveries' | 'testing'> {
  const { server, data, log, convert, telemetry, streams } = values;
  return {
    roles: values.roles as readonly Role[],
    server: {
      host: server.host,
      port: server.port,
      open: server.open,
      keys: server.keys,
      ...(server.noticeSecret !== undefined && { noticeSecret: server.noticeSecret }),
      drainMs: server.drain,
    },
    data: { folder: data.folder, reserveBytes: data.reserve },
    catalog: { place: values.catalog.place as Config['catalog']['place'] },
    ...(values.broker.kafka !== undefined && { kafka: values.broker.kafka as KafkaConfig }),
    ...(values.schedule.redis !== undefined && {
      redis: { url: values.schedule.redis, prefix: values.schedule.prefix },
    }),
    lake: lakeOf(values),
    lakeKeys: values.lake.keys.map((key) => lakeKeyOf(key, env)),
    log: { segmentBytes: log.segmentBytes, groupBytes: log.groupBytes },
    convert: { engines: convert.engines ?? defaultEngines(), memoryBytes: convert.memory },
    telemetry: { level: telemetry.level as Config['telemetry']['level'] },
    streams: streams.map(({ name, shards, retentionHours, topic }) => ({
      name,
      shards,
      retentionMs: retentionHours * 3_600_000,
      ...(topic !== undefined && { topic }),
    })),
  };
}

function lakeOf({ lake, data }: ConfigValues): LakeConfig {
  const { folder, s3 } = lake;
  if (s3 === undefined) return { folder: folder ?? join(data.folder, 'lake') };
  return { s3: { ...s3, guarantee: s3.guarantee as S3LakeConfig['guarantee'] } };
}

function lakeKeyOf({ id, file, env: name, command }: ConfigValues['lake']['keys'][number], env: Environment): LakeKey {
  if (file !== undefined) return { id, from: { file } };
  if (name !== undefined) return { id, from: { text: env[name] ?? '', name } };
  return { id, from: { command } };
}

/** One core is left to the front door and the log. */
function defaultEngines(): number {
  return Math.min(Math.max(availableParallelism() - 1, 1), ENGINES_DEFAULT_MAX);
}

export async function readConfigFile(file: string, mustExist: boolean): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if (!mustExist && (cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw configInvalid(file, [
      { path: '', value: (cause as Error).message, accepted: 'a YAML file that can be read' },
    ]);
  }
}

export function parseYaml(text: string, file: string): unknown {
  const document = parseDocument(text, { prettyErrors: true, uniqueKeys: true });
  const problems = document.errors.map(({ message }) => ({ path: '', value: message, accepted: 'valid YAML' }));
  if (problems.length > 0) throw configInvalid(file, problems);
  try {
    return document.toJS({ maxAliasCount: YAML_ALIASES_MAX });
  } catch (cause) {
    throw configInvalid(file, [{ path: '', value: (cause as Error).message, accepted: 'YAML with few aliases' }]);
  }
}

export interface DeliveriesRead {
  readonly read: readonly Readonly<Record<string, unknown>>[];
  readonly problems: readonly ConfigProblem[];
}
const noDeliveries: DeliveriesRead = { read: [], problems: [] };

/** Replaces every `schema` that is the path of an Avro file by what the file says. */
export async function readSchemas(deliveries: readonly unknown[], folder: string): Promise<DeliveriesRead> {
  const problems: ConfigProblem[] = [];
  const read = deliveries.map(async (delivery, i) => {
    // One that is no mapping was told already; those after it keep their place.
    if (!isObject(delivery)) return {};
    const { schema } = delivery;
    if (typeof schema !== 'string' || schema === 'auto') return delivery;
    try {
      return { ...delivery, schema: { avro: JSON.parse(await readFile(resolve(folder, schema), 'utf8')) as unknown } };
    } catch (cause) {
      const value = `${schema} (${(cause as Error).message})`;
      problems.push({
        path: `deliveries[${i}].schema`,
        value,
        accepted: 'auto, {avro: …}, or the path of an Avro file',
      });
      return delivery;
    }
  });
  return { read: await Promise.all(read), problems };
}
