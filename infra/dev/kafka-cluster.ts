/**
 * A Kafka cluster of three nodes for tests: every partition has three copies, of which two must have a record before it is acknowledged.
 * A node that was ended is started again at its address with what it had.
 */
import { join } from 'node:path';
import { type KafkaNode, type KafkaProcess, startKafka } from './kafka-server.ts';
import { freeLowPort } from './s3-server.ts';

const NODES = [1, 2, 3];

export interface KafkaCluster {
  readonly bootstrap: readonly string[];
  /** By node id. */
  readonly nodes: ReadonlyMap<number, KafkaProcess>;
  restart(id: number): Promise<void>;
  /** SIGKILL for all. */
  end(): Promise<void>;
}

export async function startKafkaCluster(folder: string): Promise<KafkaCluster> {
  const ports: number[] = [];
  while (ports.length < NODES.length * 2) {
    const port = await freeLowPort();
    if (!ports.includes(port)) ports.push(port);
  }
  const controllers = ports.slice(NODES.length);
  const voters = NODES.map((id, i) => `${id}@127.0.0.1:${controllers[i]}`);
  const nodes = new Map<number, KafkaProcess>();

  async function start(id: number): Promise<void> {
    const node: KafkaNode = { id, port: ports[id - 1] ?? 0, controllerPort: controllers[id - 1] ?? 0, voters };
    nodes.set(id, await startKafka({ folder: join(folder, `node${id}`), node }));
  }

  const end = async (): Promise<void> => {
    await Promise.all([...nodes.values()].map((node) => node.end('SIGKILL')));
  };
  const starts = await Promise.allSettled(NODES.map(start));
  const failed = starts.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await end();
    throw failed.reason;
  }
  return { bootstrap: [...nodes.values()].map(({ bootstrap }) => bootstrap), nodes, restart: start, end };
}
