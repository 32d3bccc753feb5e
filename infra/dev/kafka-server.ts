/**
 * Starts a Kafka node, broker and controller at once, as a process of its own on loopback ports: one that is the whole cluster, or one
 * of several. Waits until it takes records, and ends it by its pid. Its records and its log lie in one folder, so one that was killed is
 * started again with what it had.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { KAFKA_JARS, missingKafka } from './kafka-install.ts';
import { endWithThisProcess, freeLowPort } from './s3-server.ts';

export interface KafkaAddress {
  readonly pid: number;
  readonly bootstrap: string;
}

export interface KafkaProcess extends KafkaAddress {
  /** Ends it and waits: SIGTERM lets it finish, SIGKILL does not. Fine when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export interface KafkaStartOptions {
  readonly folder: string;
  /** Lives on when this process ends. */
  readonly detached?: boolean;
  /** Its place in a cluster of several; alone, on free ports, without. */
  readonly node?: KafkaNode;
  /** Put in place of, or added to, what it is set to. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Users with their SCRAM-SHA-512 passwords, made with the folder. */
  readonly users?: Readonly<Record<string, string>>;
}

export interface KafkaNode {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
  /** `id@host:port` of all controllers. */
  readonly voters: readonly string[];
}

const READY_MS_MAX = 120_000;
/** Any, the same for all nodes of a cluster. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qg';
/** Quick to start and small: one of many processes on a developer's machine. */
const JVM = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xms128m', '-Xmx400m'];

/** Starts it, again when the folder has been used before; throws when it is not installed or does not come up. */
export async function startKafka(options: KafkaStartOptions): Promise<KafkaProcess> {
  const { folder, detached = false } = options;
  const lack = await missingKafka();
  if (lack !== undefined) throw new Error(lack);
  mkdirSync(folder, { recursive: true });
  const node = options.node ?? (await lonelyNode(folder));
  const settings = join(folder, 'server.properties');
  const properties = { ...propertiesOf(folder, node), ...options.properties };
  writeFileSync(
    settings,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  writeFileSync(join(folder, 'log4j2.yaml'), LOGGING);
  if (!existsSync(join(folder, 'data', 'meta.properties'))) await format(folder, settings, options.users);

  const logFile = join(folder, 'server.log');
  const log = openSync(logFile, 'w');
  let child: ChildProcess;
  try {
    const program = javaArguments(folder, 'kafka.Kafka', [settings]);
    child = spawn('java', program, { stdio: ['ignore', log, log], detached });
  } finally {
    closeSync(log);
  }
  if (detached) child.unref();
  else endWithThisProcess(child);
  await untilReady(child, () => readFileSync(logFile, 'utf8'));
  return {
    pid: child.pid ?? 0,
    bootstrap: `127.0.0.1:${node.port}`,
    async end(signal) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    },
  };
}

function javaArguments(folder: string, main: string, rest: readonly string[]): string[] {
  const logging = `-Dlog4j2.configurationFile=${join(folder, 'log4j2.yaml')}`;
  return [...JVM, logging, '-cp', join(KAFKA_JARS, '*'), main, ...rest];
}

async function lonelyNode(folder: string): Promise<KafkaNode> {
  const portFile = join(folder, 'ports.json');
  if (!existsSync(portFile)) {
    writeFileSync(portFile, JSON.stringify([await freeLowPort(), await freeLowPort()]));
  }
  const [port = 0, controllerPort = 0] = JSON.parse(readFileSync(portFile, 'utf8')) as number[];
  return { id: 1, port, controllerPort, voters: [`1@127.0.0.1:${controllerPort}`] };
}

async function format(folder: string, settings: string, users: KafkaStartOptions['users'] = {}): Promise<void> {
  const program = ['format', '--cluster-id', CLUSTER_ID, '--config', settings];
  for (const [name, password] of Object.entries(users)) {
    program.push('--add-scram', `SCRAM-SHA-512=[name=${name},password=${password}]`);
  }
  await promisify(execFile)('java', javaArguments(folder, 'kafka.tools.StorageTool', program));
}

function propertiesOf(folder: string, { id, port, controllerPort, voters }: KafkaNode): Record<string, string> {
  const copies = String(voters.length);
  const inSync = voters.length > 1 ? '2' : '1';
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.quorum.voters': voters.join(','),
    'log.dirs': join(folder, 'data'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': copies,
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    'transaction.state.log.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': '1',
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'group.initial.rebalance.delay.ms': '0',
    // Tests store records of long ago and drop them themselves.
    'log.retention.check.interval.ms': '86400000',
    // A killed node comes back before its old session would have ended.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'num.network.threads': '2',
    'num.io.threads': '4',
  };
}

const LOGGING = `Configuration:
  Appenders:
    Console:
      name: out
      PatternLayout: { pattern: "%d %p %m (%c)%n" }
  Loggers:
    Root:
      level: INFO
      AppenderRef: [{ ref: out }]
`;

async function untilReady(child: ChildProcess, log: () => string): Promise<void> {
  let failed: Error | undefined;
  child.once('error', (error) => {
    failed = error;
  });
  for (const from = performance.now(); ; await sleep(50)) {
    if (failed !== undefined) throw failed;
    const told = log();
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Kafka ended\n${told.slice(-4096)}`);
    if (told.includes('Kafka Server started')) return;
    if (performance.now() - from < READY_MS_MAX) continue;
    child.kill('SIGKILL');
    throw new Error(`Kafka is not ready after ${READY_MS_MAX} ms\n${told.slice(-4096)}`);
  }
}
